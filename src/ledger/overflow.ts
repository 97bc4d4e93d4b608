/**
 * What becomes of postings when the journal has grown to its bound: counters are added up and kept, and what would
 * be put (records) is dropped, counted, and told.
 *
 * The sums go to the journal every ten seconds for as long as it is at most a quarter over its bound, and stay in
 * memory beyond. How many writes of a partition were dropped is added to `n` of `["ledger/dropped", partition]`.
 * @module
 */
import type { CancelTimer, Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { type BatchLimits, MOST_WRITES, type StoreWrite } from "../storage/store.ts";
import { MergedWrites } from "./batch.ts";
import type { Journal } from "./journal.ts";

/** Where is counted what was dropped. */
export const DROPPED_PARTITION = "ledger/dropped";

const LOOK_MS = 10_000;
/** Postings that stand in memory alone, where the disk takes none. */
const MOST_IN_MEMORY = 16_000_000;
/** Sums in memory: clients can make up names without end. */
const MOST_SUMS: BatchLimits = { writes: 10_000, sums: 10_000, keyBytes: Infinity };
const DROPPED_DAYS_MS = 400 * 86_400_000;

/** What it needs. */
export interface OverflowOptions {
  /** The journal. */
  readonly journal: Journal;
  /** Its bound on disk. */
  readonly mostBytes: number;
  /** Time. */
  readonly clock: Clock;
  /** The log. */
  readonly log: Log;
}

/** Takes postings to the journal, or what there is room for. */
export class Overflow {
  readonly #journal: Journal;
  readonly #mostBytes: number;
  readonly #clock: Clock;
  readonly #log: Log;
  #measured = 0;
  #full = false;
  #sums = new MergedWrites();
  #lostSums = 0;
  #cancelLook: CancelTimer | undefined;

  /** Looks at the size of the journal whenever that has another segment. */
  constructor({ journal, mostBytes, clock, log }: OverflowOptions) {
    this.#journal = journal;
    this.#mostBytes = mostBytes;
    this.#clock = clock;
    this.#log = log;
  }

  /** Notes a posting, or its sums. */
  note(writes: readonly StoreWrite[]): Promise<void> {
    if (this.#measured !== this.#journal.made) this.#measure();
    if (!this.#full) return this.#journal.note(writes);
    for (const write of writes) {
      const kept = write.add === undefined ? this.#droppedOf(write.key[0]) : write;
      if (!this.#sums.take([kept], MOST_SUMS)) this.#lostSums++;
    }
    return Promise.resolve();
  }

  /** Notes what was summed up, whether there is room or not. */
  flush(): void {
    const { list } = this.#sums;
    this.#sums = new MergedWrites();
    for (let at = 0; at < list.length; at += MOST_WRITES) {
      void this.#journal.note(list.slice(at, at + MOST_WRITES));
    }
  }

  /** Stops looking; notes what was summed up. */
  close(): void {
    this.#cancelLook?.();
    this.flush();
  }

  #droppedOf(partition: string): StoreWrite {
    const expiresAt = this.#clock.now() + DROPPED_DAYS_MS;
    return { key: [DROPPED_PARTITION, partition], add: { n: 1 }, expiresAt };
  }

  #measure(): void {
    this.#measured = this.#journal.made;
    const { onDisk, inMemory } = this.#journal.size();
    const full = onDisk >= this.#mostBytes || inMemory >= MOST_IN_MEMORY;
    if (full !== this.#full) this.#tell(full, { onDisk, inMemory });
    this.#full = full;
    if (full) this.#look();
    if (onDisk < this.#mostBytes * 1.25 && inMemory < MOST_IN_MEMORY) this.flush();
  }

  #look(): void {
    this.#cancelLook ??= this.#clock.after(LOOK_MS, () => {
      this.#cancelLook = undefined;
      this.#measure();
    });
  }

  #tell(full: boolean, sizes: { onDisk: number; inMemory: number }): void {
    const fields = { disk_bytes: sizes.onDisk, memory_bytes: sizes.inMemory };
    if (full) {
      this.#log.error(
        "The journal is full: records of requests are dropped, their sums are kept; see store.journal_mb",
        { ...fields, most_bytes: this.#mostBytes },
      );
    } else {
      this.#log.warning("The journal has room again: requests are recorded as before", {
        ...fields,
        lost_sums: this.#lostSums,
      });
      this.#lostSums = 0;
    }
  }
}
