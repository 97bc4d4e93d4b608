/**
 * What one request holds of several pools: all that it needs, or nothing.
 * @module
 */
import type { StoreWrite } from "../storage/store.ts";
import type { Grant, Pool } from "./pool.ts";

/** What is wanted of one pool. */
export interface Want {
  /** The pool. */
  readonly pool: Pool;
  /** The pool's whole sum, as it stands now. */
  readonly capacity: number;
}

/**
 * What became of a reservation: everything is held; or one pool, by its place in the list, has not enough, and nothing
 * is held; or the store failed, and what other pools granted is held.
 */
export type Reserved =
  | { readonly is: "held" }
  | { readonly is: "refused"; readonly at: number; readonly why: "held" | "spent" }
  | { readonly is: "unknown"; readonly cause: unknown };

/** Amounts that a request holds until it ends. */
export class Reservation {
  readonly #wants: readonly Want[];
  /** By place in the list; 0 where the store failed. */
  #granted: readonly number[] = [];
  #isOver = false;

  /** Of these pools; nothing is held yet. */
  constructor(wants: readonly Want[]) {
    this.#wants = wants;
  }

  /**
   * Takes the amount out of each pool: at once where this replica holds as much. A request for more than is left is
   * let in alone; see `TakeOptions.alone`.
   */
  take(amount: number): Reserved | Promise<Reserved> {
    const grants = this.#wants.map(({ pool, capacity }) =>
      pool.take(amount, { capacity, alone: true })
    );
    if (!grants.every((grant) => typeof grant === "number")) return this.#late(grants);
    this.#granted = grants as number[];
    return { is: "held" };
  }

  /** Gives back everything. What is granted later goes back at once. */
  giveBack(): void {
    this.#isOver = true;
    for (const [at, granted] of this.#granted.entries()) this.#wants[at]?.pool.give(granted);
    this.#granted = [];
  }

  /** Spends so much in each pool, and gives back the rest: what the ledger must post. */
  spend(amount: number): StoreWrite[] {
    this.#isOver = true;
    const writes = this.#granted.flatMap((granted, at) =>
      this.#wants[at]?.pool.spend(granted, amount) ?? []
    );
    this.#granted = [];
    return writes;
  }

  async #late(grants: readonly (Grant | Promise<Grant>)[]): Promise<Reserved> {
    const results = await Promise.allSettled(grants);
    const why = results.map((result) =>
      result.status === "fulfilled" && typeof result.value === "string" ? result.value : undefined
    );
    this.#granted = results.map((result) =>
      result.status === "fulfilled" && typeof result.value === "number" ? result.value : 0
    );
    const at = why.includes("spent") ? why.indexOf("spent") : why.indexOf("held");
    if (at >= 0 || this.#isOver) this.giveBack();
    if (at >= 0) return { is: "refused", at, why: why[at] ?? "held" };
    const failed = results.find((result) => result.status === "rejected");
    return failed === undefined ? { is: "held" } : { is: "unknown", cause: failed.reason };
  }
}
