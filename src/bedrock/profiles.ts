/**
 * Which model an inference profile stands for, where its ARN does not tell: asked once, and remembered.
 *
 * Source: Bedrock API reference, GetInferenceProfile ([T]).
 * @module
 */
import { ApiError } from "../anthropic/error.ts";
import type { Clock } from "../clock.ts";
import { errorFields, type Log } from "../log.ts";
import { unlessAborted } from "../net/unless_aborted.ts";
import { baseOfProfile } from "./catalog_read.ts";
import { regionOfArn } from "./model_id.ts";
import type { Models, Resolved } from "./models.ts";
import { readJson, type Sender } from "./send.ts";
import { encodeModelPath } from "./sign.ts";

/** A profile that was not found is asked for again after so long. */
const FAILED_MS = 60_000;
/** Failures remembered: clients may make ARNs up. */
const MOST_FAILED = 1_000;
const PATIENCE_MS = 5_000;
/** Why a question is given up that tells nothing of the profile. */
const NOBODY_WAITS = new Error("Every client that waited for the profile has left");

/** What asking needs. */
export interface ProfileOptions {
  /** Resolves names, and is told what was learned. */
  models: Models;
  /** Signs and sends. */
  sender: Pick<Sender, "send">;
  /** Time. */
  clock: Clock;
  /** Region of ARNs that name none. */
  region: string;
  /** Where failures are told. */
  log: Log;
}

/** A question that is under way. */
interface Asking {
  readonly answered: Promise<void>;
  /** Ends it. */
  readonly given: AbortController;
  /** Requests that wait for it. */
  waiting: number;
}

/** Resolves names whose models must be asked for first. */
export class Profiles {
  readonly #options: ProfileOptions;
  readonly #asked = new Map<string, Asking>();
  readonly #failed = new Map<string, number>();

  /** Asks nothing yet. */
  constructor(options: ProfileOptions) {
    this.#options = options;
  }

  /**
   * What a name means; asks Bedrock first where only Bedrock knows.
   *
   * @throws {ApiError} `not_found_error` for a name that is not served
   */
  async resolve(name: string, signal: AbortSignal): Promise<Resolved> {
    const { models } = this.#options;
    const arns = models.unknownProfiles(name);
    if (arns.length > 0) {
      await Promise.all(arns.map((arn) => this.#ask(arn, signal)));
    }
    return models.resolve(name);
  }

  /** One question for all who wait, until the last of them leaves; what came of it is in the models, or among the failures. */
  async #ask(arn: string, signal: AbortSignal): Promise<void> {
    if ((this.#failed.get(arn) ?? 0) > this.#options.clock.monotonic()) return;
    const asking = this.#asked.get(arn) ?? this.#begin(arn);
    asking.waiting++;
    try {
      await unlessAborted(asking.answered, signal);
    } finally {
      if (--asking.waiting === 0) this.#end(arn, asking);
    }
  }

  #begin(arn: string): Asking {
    const given = new AbortController();
    const asking: Asking = { given, waiting: 0, answered: this.#fetch(arn, given) };
    this.#asked.set(arn, asking);
    return asking;
  }

  #end(arn: string, asking: Asking): void {
    this.#asked.delete(arn);
    asking.given.abort(NOBODY_WAITS); // without effect on one that is answered
  }

  async #fetch(arn: string, given: AbortController): Promise<void> {
    const { sender, models, clock, region, log } = this.#options;
    const cancel = clock.after(
      PATIENCE_MS,
      () => given.abort(new ApiError("timeout_error", "The profile was not told within 5 s")),
    );
    try {
      const response = await sender.send({
        host: "control",
        service: "bedrock",
        method: "GET",
        path: `/inference-profiles/${encodeModelPath(arn)}`,
        headers: { accept: "application/json" },
        body: new Uint8Array(),
        region: regionOfArn(arn) ?? region,
      }, given.signal);
      const baseId = baseOfProfile(await readJson(response));
      if (baseId === undefined) throw new TypeError("Cannot use a profile as it names no model");
      models.learnProfile(arn, baseId);
    } catch (error) {
      if (error === NOBODY_WAITS) return;
      log.warning("The model of an inference profile is not to be had: it cannot be asked", {
        profile: arn,
        remedy: "give it an alias with base_model, or allow bedrock:GetInferenceProfile",
        cause: errorFields(error),
      });
      if (this.#failed.size >= MOST_FAILED) this.#failed.clear();
      this.#failed.set(arn, clock.monotonic() + FAILED_MS);
    } finally {
      cancel();
    }
  }
}
