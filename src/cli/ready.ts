/**
 * Whether a replica can serve: what `/ready` says.
 *
 * A store that does not answer makes it degraded, not unready, for as long as known keys are taken without it: else a
 * store's outage would take every replica out of a load balancer at once, which could all serve on.
 * @module
 */
import type { CredentialSource } from "../bedrock/credentials.ts";
import type { Clock } from "../clock.ts";
import { errorFields, type Log, MinuteLog } from "../log.ts";
import type { ReadyCheck } from "../server/services.ts";
import type { Keys } from "../storage/keys.ts";
import type { Store } from "../storage/store.ts";

/** Probes wait for a second or so. */
const ANSWER_MS = 800;

/** What it looks at. */
export interface ReadyOptions {
  /** The store. */
  readonly store: Store;
  /** API keys, which ask the store too. */
  readonly keys: Keys;
  /** How long known keys are taken while the store does not answer. */
  readonly validWhileDownMs: number;
  /** AWS credentials. */
  readonly credentials: CredentialSource;
  /** Why the process as a whole cannot serve yet. */
  readonly waitsFor: (() => string | undefined) | undefined;
  /** The log: of each reason a line a minute. */
  readonly log: Log;
  /** Time. */
  readonly clock: Clock;
}

/** Makes the check. */
export function readyCheck(options: ReadyOptions): ReadyCheck {
  const { store, keys, validWhileDownMs, credentials, waitsFor, clock } = options;
  const log = new MinuteLog(options.log, clock);
  let pingedAt = clock.monotonic();

  const storeFault = async (): Promise<"none" | "degraded" | "missing"> => {
    try {
      await within(store.ping(), clock);
      pingedAt = clock.monotonic();
      return "none";
    } catch (error) {
      const silentMs = clock.monotonic() - Math.max(pingedAt, keys.answeredAt);
      const degraded = silentMs < validWhileDownMs;
      log.warning(
        degraded
          ? "The store does not answer: known keys are taken on, and usage waits in the journal"
          : "Not ready: the store does not answer",
        { silent_s: Math.round(silentMs / 1_000), cause: errorFields(error) },
      );
      return degraded ? "degraded" : "missing";
    }
  };

  const credentialsFault = async (): Promise<readonly string[]> => {
    try {
      await credentials.get();
      return [];
    } catch (error) {
      log.warning("Not ready: AWS credentials", { cause: errorFields(error) });
      return [noAnswer("AWS credentials")];
    }
  };

  return async () => {
    const waiting = waitsFor?.();
    const [ofStore, ofCredentials] = await Promise.all([storeFault(), credentialsFault()]);
    const told = [noAnswer("store")];
    return {
      missing: [
        ...(waiting === undefined ? [] : [waiting]),
        ...(ofStore === "missing" ? told : []),
        ...ofCredentials,
      ],
      degraded: ofStore === "degraded" ? told : [],
    };
  };
}

function noAnswer(part: string): string {
  return `${part}: no answer; see the gateway's log`;
}

async function within(answer: Promise<void>, clock: Clock): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const cancel = clock.after(ANSWER_MS, () => {
    reject(new Error(`Cannot wait for the store as it must answer within ${ANSWER_MS} ms`));
  });
  try {
    await Promise.race([answer, promise]);
  } finally {
    cancel();
  }
}
