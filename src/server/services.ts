/**
 * What the handlers stand on, put together once at start.
 * @module
 */
import type { Bedrock } from "../bedrock/bedrock.ts";
import type { TokenCounter } from "../bedrock/count_tokens.ts";
import type { Models } from "../bedrock/models.ts";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/schema.ts";
import type { Log } from "../log.ts";
import type { Billing } from "../pricing/billing.ts";
import type { LoadedPlugin } from "../pipeline/guard.ts";
import type { FaultCounts } from "./fault_counts.ts";
import type { Admission } from "./overload.ts";

/** Whether the server can serve; one sentence for each reason. */
export interface Readiness {
  /** Why it cannot; empty when it can. */
  readonly missing: readonly string[];
  /** What it does without for now. */
  readonly degraded: readonly string[];
}

/** Tells whether the server can serve. */
export type ReadyCheck = () => Promise<Readiness>;

/** What the handlers stand on. */
export interface Services {
  /** The configuration; frozen. */
  readonly config: Config;
  /** The pipeline, in list order. */
  readonly plugins: readonly LoadedPlugin[];
  /** Model names. */
  readonly models: Models;
  /** Bedrock. */
  readonly bedrock: Bedrock;
  /** Prices requests. */
  readonly billing: Billing;
  /** Counts tokens. */
  readonly counter: TokenCounter;
  /** The log. */
  readonly log: Log;
  /** Time. */
  readonly clock: Clock;
  /** Whether store and credentials answer. */
  readonly ready: ReadyCheck;
  /** Work that goes on after its answer has left; awaited at shutdown. */
  readonly background: Background;
  /** Requests that go by these services. */
  readonly uses: Uses;
  /** How much is served at a time, across reloads. */
  readonly admission: Admission;
  /** Ended requests, by fault and status. */
  readonly counts: FaultCounts;
}

/** Where the services of the moment are found: a reload puts others there. */
export interface ServicesSource {
  /** The services of the moment; a request keeps those that it began with. */
  readonly services: Services;
}

/** Counts who uses something, until nobody does. */
export class Uses {
  #count = 0;
  #waiting: (() => void)[] = [];

  /** One more. */
  enter(): void {
    this.#count++;
  }

  /** One less. */
  leave(): void {
    if (--this.#count > 0) return;
    for (const done of this.#waiting) done();
    this.#waiting = [];
  }

  /** Resolves when nobody uses it. */
  get free(): Promise<void> {
    return this.#count === 0
      ? Promise.resolve()
      : new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** Promises that outlive their request. */
export class Background {
  readonly #open = new Set<Promise<unknown>>();

  /** Keeps `work` until it settles. It must handle its own failure. */
  add(work: Promise<unknown>): void {
    this.#open.add(work);
    void work.finally(() => this.#open.delete(work));
  }

  /** How many are open. */
  get size(): number {
    return this.#open.size;
  }

  /** Resolves when all that were open have settled. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#open]);
  }
}
