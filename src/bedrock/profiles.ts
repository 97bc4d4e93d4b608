/**
 * Which model an inference profile stands for, where its ARN does not tell: asked once, and remembered.
 *
 * Source: Bedrock API reference, GetInferenceProfile ([T]).
 * @module
 */
import { ApiError } from "../anthropic/error.ts";
import type { Clock } from "../clock.ts";
import { errorFields, type Log } from "../log.ts";
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

/** Resolves names whose models must be asked for first. */
export class Profiles {
  readonly #options: ProfileOptions;
  readonly #asked = new Map<string, Promise<void>>();
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
      await Promise.all(arns.map((arn) => this.#ask(arn)));
      signal.throwIfAborted();
    }
    return models.resolve(name);
  }

  /** One question for all who wait; what came of it is in the models, or among the failures. */
  #ask(arn: string): Promise<void> {
    const { clock } = this.#options;
    if ((this.#failed.get(arn) ?? 0) > clock.monotonic()) return Promise.resolve();
    const asked = this.#asked.get(arn) ?? this.#fetch(arn).finally(() => this.#asked.delete(arn));
    this.#asked.set(arn, asked);
    return asked;
  }

  async #fetch(arn: string): Promise<void> {
    const { sender, models, clock, region, log } = this.#options;
    const patience = new AbortController();
    const cancel = clock.after(
      PATIENCE_MS,
      () => patience.abort(new ApiError("timeout_error", "The profile was not told within 5 s")),
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
      }, patience.signal);
      const baseId = baseOfProfile(await readJson(response));
      if (baseId === undefined) throw new TypeError("Cannot use a profile as it names no model");
      models.learnProfile(arn, baseId);
    } catch (error) {
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
