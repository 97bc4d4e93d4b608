/**
 * Verdicts on keys, kept for two seconds: a known key costs no store read, a revoked one is refused in time.
 * A key in use is read anew beside its requests, before its verdict is stale: none of them waits.
 *
 * While the store does not answer, the last verdict counts on for a while that is configured, good and bad alike, and
 * what was to end meanwhile ends. A key of which nothing is known stays outside. Nobody waits long for a store that
 * is down: the first to notice waits a second, those after it not at all.
 * @module
 */
import type { Clock } from "../clock.ts";
import type { KeyVerdict } from "./key_record.ts";

/** A revoked key must be refused everywhere within 2 s. */
const FRESH_MS = 2_000;
/** A verdict that is used with no more than this left is asked for anew: a second is ample for a read. */
const RENEWED_MS = 1_000;
/** Verdicts kept, good and bad alike: made-up keys push one another out and grow nothing. */
const KEPT = 10_000;
/** How long a request waits for a store where there is a verdict to go on with. */
const PATIENCE_MS = 1_000;
/** A store that is down is asked no more often. */
const PROBE_MS = 1_000;

/** What the store says of a key. */
export interface Answer {
  /** Whose key it is, or why it is refused. */
  readonly verdict: KeyVerdict;
  /** Unix milliseconds at which a good verdict ends; undefined = never. */
  readonly endsAt: number | undefined;
}

interface Held extends Answer {
  /** Monotonic time from which on it is stale. */
  readonly until: number;
}

/** Asks the store of a key. */
export type AskStore = (presented: string) => Promise<Answer>;

/** Keeps verdicts by the hash of the key, so that no plain key stays in memory. */
export class VerdictCache {
  readonly #clock: Clock;
  readonly #verify: AskStore;
  readonly #validWhileDownMs: number;
  readonly #held = new Map<string, Held>();
  readonly #pending = new Map<string, Promise<KeyVerdict>>();
  /** Monotonic time from which on a store that is down may be asked again; undefined while it answers. */
  #probeAt: number | undefined;
  #answeredAt: number;

  /** Asks `verify` for what it does not know. */
  constructor(clock: Clock, verify: AskStore, validWhileDownMs: number) {
    this.#clock = clock;
    this.#verify = verify;
    this.#validWhileDownMs = validWhileDownMs;
    this.#answeredAt = clock.monotonic();
  }

  /** Monotonic time of the store's last answer. */
  get answeredAt(): number {
    return this.#answeredAt;
  }

  /** Whether there is a verdict on a key, be it stale. */
  has(hash: string): boolean {
    return this.#held.has(hash);
  }

  /** The verdict on a key; one question at a time for each key. */
  get(presented: string, hash: string): KeyVerdict | Promise<KeyVerdict> {
    const held = this.#held.get(hash);
    const left = held === undefined ? 0 : held.until - this.#clock.monotonic();
    if (held === undefined || left <= 0 || this.#hasEnded(held)) {
      return this.#stale(presented, hash, held);
    }
    if (left <= RENEWED_MS && !this.#pending.has(hash)) {
      this.#ask(presented, hash).catch(() => {}); // whoever comes when it is stale asks again, and is told
    }
    return held.verdict;
  }

  #stale(
    presented: string,
    hash: string,
    held: Held | undefined,
  ): KeyVerdict | Promise<KeyVerdict> {
    const asked = this.#pending.get(hash);
    const fallback = held === undefined ? undefined : this.#outlasting(held);
    if (fallback === undefined) return asked ?? this.#ask(presented, hash);
    if (this.#probeAt === undefined) {
      return this.#orElse(asked ?? this.#ask(presented, hash), fallback);
    }
    if (asked === undefined && this.#mayAsk()) {
      this.#ask(presented, hash).catch(() => {}); // to see whether it answers again
    }
    return fallback;
  }

  /** The verdict that counts on while the store is down; undefined where that has been too long. */
  #outlasting({ verdict, endsAt, until }: Held): KeyVerdict | undefined {
    const age = this.#clock.monotonic() - (until - FRESH_MS);
    if (age >= this.#validWhileDownMs) return undefined;
    return this.#hasEnded({ verdict, endsAt }) ? { ok: false, reason: "expired" } : verdict;
  }

  #hasEnded({ verdict, endsAt }: Answer): boolean {
    return endsAt !== undefined && verdict.ok && endsAt <= this.#clock.now();
  }

  async #orElse(asked: Promise<KeyVerdict>, fallback: KeyVerdict): Promise<KeyVerdict> {
    const { promise: late, resolve } = Promise.withResolvers<KeyVerdict>();
    const cancel = this.#clock.after(PATIENCE_MS, () => {
      this.#down();
      resolve(fallback);
    });
    try {
      return await Promise.race([asked.catch(() => fallback), late]);
    } finally {
      cancel();
    }
  }

  #down(): void {
    this.#probeAt = this.#clock.monotonic() + PROBE_MS;
  }

  #mayAsk(): boolean {
    return this.#probeAt === undefined || this.#clock.monotonic() >= this.#probeAt;
  }

  #ask(presented: string, hash: string): Promise<KeyVerdict> {
    if (this.#probeAt !== undefined) this.#down(); // one at a time
    const pending = this.#read(presented, hash).finally(() => this.#pending.delete(hash));
    this.#pending.set(hash, pending);
    return pending;
  }

  async #read(presented: string, hash: string): Promise<KeyVerdict> {
    const until = this.#clock.monotonic() + FRESH_MS; // from the question on: the answer may be slow
    const answer = await this.#answer(presented);
    this.#held.delete(hash); // the newest stand last, so that the first to go is the oldest
    this.#held.set(hash, { ...answer, until });
    if (this.#held.size > KEPT) {
      const oldest = this.#held.keys().next();
      if (!oldest.done) this.#held.delete(oldest.value);
    }
    return answer.verdict;
  }

  async #answer(presented: string): Promise<Answer> {
    try {
      const answer = await this.#verify(presented);
      this.#probeAt = undefined;
      this.#answeredAt = this.#clock.monotonic();
      return answer;
    } catch (error) {
      this.#down();
      throw error;
    }
  }
}
