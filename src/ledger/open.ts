/**
 * Opens the ledger: with a journal, or without where nothing is to be found again after the process's end.
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Store } from "../storage/store.ts";
import { DirectLedger } from "./direct.ts";
import { JournalLedger } from "./journal_ledger.ts";
import type { Ledger } from "./ledger.ts";

/** Where a journal is. */
export interface JournalPlace {
  /** Its folder. */
  readonly path: string;
  /** Bytes that it may hold. */
  readonly mostBytes: number;
}

/** A ledger, and how to close it. */
export interface OpenLedger {
  /** Takes postings. */
  readonly ledger: Ledger;
  /** Ends it: what it can bring to the store, it brings, within seconds. */
  close(): Promise<void>;
}

/**
 * Opens it.
 *
 * @param journal Where the journal is; null for none
 * @throws {Error} That says what to do, if the journal cannot be opened
 */
export async function openLedger(
  journal: JournalPlace | null,
  on: { store: Store; clock: Clock; log: Log },
): Promise<OpenLedger> {
  if (journal !== null) {
    const ledger = await JournalLedger.open({ ...journal, ...on });
    return { ledger, close: () => ledger.close() };
  }
  const ledger = new DirectLedger(on.store, on.clock);
  return { ledger, close: () => ledger.settled() };
}
