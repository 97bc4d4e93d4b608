/**
 * The ledger: what requests leave in the store, neither lost nor written twice.
 *
 * A posting is a few writes that belong together. It is noted on this machine before `post` resolves, and reaches
 * the store a while later, exactly once (see `Store.apply`), whatever ends in between.
 * @module
 */
import type { StoreWrite } from "../storage/store.ts";

/** Takes postings. */
export interface Ledger {
  /**
   * Notes writes that belong together. Resolves when they survive the end of this process; counters of several
   * postings are added up before they are written.
   */
  post(writes: readonly StoreWrite[]): Promise<void>;
  /** Resolves when all that was posted before is in the store; rejects with the reason when it cannot be now. */
  settled(): Promise<void>;
}

/** A view of `ledger` in which every partition begins with `prefix`. */
export function prefixedLedger(ledger: Ledger, prefix: string): Ledger {
  return {
    post: (writes) =>
      ledger.post(
        writes.map((write) => ({ ...write, key: [prefix + write.key[0], write.key[1]] })),
      ),
    settled: () => ledger.settled(),
  };
}
