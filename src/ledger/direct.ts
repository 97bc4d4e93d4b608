/**
 * A ledger without a journal: postings go to the store at once.
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Store, StoreWrite } from "../storage/store.ts";
import type { Ledger } from "./ledger.ts";

/** How long the store remembers a posting. */
const REMEMBERED_MS = 3_600_000;

/** Writes each posting by itself. */
export class DirectLedger implements Ledger {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #open = new Set<Promise<unknown>>();

  /** Into `store`. */
  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** See {@link Ledger.post}. */
  async post(writes: readonly StoreWrite[]): Promise<void> {
    const expiresAt = this.#clock.now() + REMEMBERED_MS;
    const work = this.#store.apply(crypto.randomUUID(), writes, { expiresAt });
    this.#open.add(work);
    try {
      await work;
    } finally {
      this.#open.delete(work);
    }
  }

  /** See {@link Ledger.settled}. */
  async settled(): Promise<void> {
    await Promise.all(this.#open);
  }
}
