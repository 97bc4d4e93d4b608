/**
 * The account's own list of models, beside the built-in table: asked for in the background, never on a client's
 * time, and kept for an hour. Without it the table serves alone.
 *
 * Source: Bedrock API reference, ListFoundationModels and ListInferenceProfiles ([T]).
 * @module
 */
import type { Clock } from "../clock.ts";
import { errorFields, type Log } from "../log.ts";
import { type CatalogSnapshot, readCatalog } from "./catalog_read.ts";
import { readJson, type Sender } from "./send.ts";

/** What the catalog needs. */
export interface CatalogOptions {
  /** Signs and sends. */
  sender: Pick<Sender, "send">;
  /** The region whose models are listed. */
  region: string;
  /** Time. */
  clock: Clock;
  /** Where failures are told. */
  log: Log;
  /** Takes each new list. */
  onChange: (snapshot: CatalogSnapshot) => void;
}

const FRESH_MS = 60 * 60_000;
/** After a failure; rights may be missing for good, so not soon. */
const AGAIN_MS = 5 * 60_000;
const PATIENCE_MS = 20_000;
/** Pages of profiles, a thousand each. */
const MOST_PAGES = 10;

const NOTHING = new Uint8Array();

/** Keeps the list fresh. */
export class Catalog {
  readonly #options: CatalogOptions;
  readonly #closing = new AbortController();
  #cancelTimer: () => void = () => undefined;
  #running: Promise<void> = Promise.resolve();

  /** Asks nothing yet. */
  constructor(options: CatalogOptions) {
    this.#options = options;
  }

  /** Asks now, and every hour from then on. */
  start(): void {
    this.#running = this.#round();
  }

  /** Resolves when no list is being asked for. */
  get idle(): Promise<void> {
    return this.#running;
  }

  /** Ends the asking; resolves when nothing is under way any more. */
  async close(): Promise<void> {
    this.#closing.abort(new Error("The gateway stops"));
    this.#cancelTimer();
    await this.#running;
  }

  /**
   * Asks once.
   *
   * @throws {BedrockError} If a list is refused or does not come
   */
  async refresh(signal: AbortSignal): Promise<void> {
    const { region, onChange } = this.#options;
    const [models, profiles] = await Promise.all([
      this.#get("/foundation-models", signal),
      this.#profiles(signal),
    ]);
    onChange(readCatalog(region, models.modelSummaries, profiles));
  }

  async #round(): Promise<void> {
    const { clock, log } = this.#options;
    const patience = new AbortController();
    const cancel = clock.after(PATIENCE_MS, () => patience.abort(new Error("No list within 20 s")));
    let next = FRESH_MS;
    try {
      await this.refresh(AbortSignal.any([patience.signal, this.#closing.signal]));
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      next = AGAIN_MS;
      log.info("The account's list of models is not to be had: the built-in table serves alone", {
        remedy: "allow bedrock:ListFoundationModels and bedrock:ListInferenceProfiles",
        cause: errorFields(error),
      });
    } finally {
      cancel();
      patience.abort(); // of two questions, one may still be open when the other has failed
    }
    if (this.#closing.signal.aborted) return;
    this.#cancelTimer = clock.after(next, () => this.start());
  }

  async #profiles(signal: AbortSignal): Promise<unknown[]> {
    const all: unknown[] = [];
    let token: unknown;
    for (let page = 0; page < MOST_PAGES; page++) {
      const query = new URLSearchParams({ maxResults: "1000", typeEquals: "SYSTEM_DEFINED" });
      if (typeof token === "string") query.set("nextToken", token);
      const answer = await this.#get(`/inference-profiles?${query}`, signal);
      if (Array.isArray(answer.inferenceProfileSummaries)) {
        all.push(...answer.inferenceProfileSummaries);
      }
      token = answer.nextToken;
      if (typeof token !== "string") break;
    }
    return all;
  }

  async #get(path: string, signal: AbortSignal): Promise<Record<string, unknown>> {
    const { sender, region } = this.#options;
    const response = await sender.send({
      host: "control",
      service: "bedrock",
      method: "GET",
      path,
      headers: { accept: "application/json" },
      body: NOTHING,
      region,
    }, signal);
    return await readJson(response) as Record<string, unknown>;
  }
}
