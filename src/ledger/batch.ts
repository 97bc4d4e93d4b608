/**
 * Batches: writes of several postings as one, for `Store.apply`.
 * @module
 */
import { checkBatch, checkKey, textBytes } from "../storage/common.ts";
import { type BatchLimits, MOST_WRITES, type StoreKey, type StoreWrite } from "../storage/store.ts";

/** Writes that belong together, as they were noted. */
export interface Posting {
  /** Its number in its segment. */
  readonly number: number;
  /** Its writes. */
  readonly writes: readonly StoreWrite[];
  /** Bytes of its line. */
  readonly size: number;
}

/** Bytes of a batch's postings: Deno KV takes 800 KiB at once. */
const MOST_BYTES = 400_000;
/** What every store takes. */
const OF_EVERY_STORE: BatchLimits = {
  writes: MOST_WRITES,
  sums: MOST_WRITES,
  keyBytes: Infinity,
};
const UNLIMITED: BatchLimits = { writes: Infinity, sums: Infinity, keyBytes: Infinity };

/**
 * Checks that a posting can be a batch by itself.
 *
 * @throws {RangeError} If it holds too many writes, two with one key, or a delta that is no safe integer
 */
export function checkPosting(writes: readonly StoreWrite[]): void {
  // Of a few, each with each costs less than a set of names, and every request pays it.
  if (writes.length > FEW || !haveOwnKeys(writes)) checkBatch("posting", writes, OF_EVERY_STORE);
  for (const { key, add } of writes) {
    checkKey(key);
    for (const name in add) {
      const delta = add[name];
      if (Number.isSafeInteger(delta)) continue;
      throw new RangeError(
        `Cannot post to ${key.join("/")} as '${name}' must be a safe integer: it is ${delta}`,
      );
    }
  }
}

const FEW = 8;

function haveOwnKeys(writes: readonly StoreWrite[]): boolean {
  return writes.every(({ key: [partition, sort] }, at) =>
    writes.findIndex(({ key }) => key[1] === sort && key[0] === partition) === at
  );
}

function nameOf([partition, sort]: StoreKey): string {
  return `${partition.length}.${partition}${sort}`;
}

/** The sums of both; undefined where one of them would be no safe integer. */
function sumOf(
  a: Readonly<Record<string, number>>,
  b: Readonly<Record<string, number>>,
): Record<string, number> | undefined {
  const sums = { ...a };
  for (const [name, delta] of Object.entries(b)) {
    const sum = (sums[name] ?? 0) + delta;
    if (!Number.isSafeInteger(sum)) return undefined;
    sums[name] = sum;
  }
  return sums;
}

/** Both as one write; undefined where they cannot be one. */
function merged(before: StoreWrite, after: StoreWrite): StoreWrite | undefined {
  if (after.add === undefined) return before.add === undefined ? after : undefined;
  const add = before.add === undefined ? undefined : sumOf(before.add, after.add);
  return add === undefined ? undefined : { ...before, add, put: undefined };
}

/** Writes by key: what is put twice is put as it was last, and what is added is added up. */
export class MergedWrites {
  readonly #writes = new Map<string, StoreWrite>();
  #sums = 0;
  #keyBytes = 0;

  /** How many they are. */
  get size(): number {
    return this.#writes.size;
  }

  /** The writes, each with another key. */
  get list(): StoreWrite[] {
    return [...this.#writes.values()];
  }

  /** Takes all of `writes`, or none where they would be more than `most` or cannot be merged. */
  take(writes: readonly StoreWrite[], most: BatchLimits = UNLIMITED): boolean {
    const taken: [string, StoreWrite][] = [];
    let [fresh, sums, keyBytes] = [0, this.#sums, this.#keyBytes];
    for (const write of writes) {
      const name = nameOf(write.key);
      const before = this.#writes.get(name);
      if (before === undefined) {
        fresh++;
        if (write.add !== undefined) sums++;
        keyBytes += textBytes(write.key[0]) + textBytes(write.key[1]);
      }
      const write1 = before === undefined ? write : merged(before, write);
      if (write1 === undefined) return false;
      taken.push([name, write1]);
    }
    const isTooMuch = this.#writes.size + fresh > most.writes || sums > most.sums ||
      keyBytes > most.keyBytes;
    if (isTooMuch) return false;
    for (const [name, write] of taken) this.#writes.set(name, write);
    [this.#sums, this.#keyBytes] = [sums, keyBytes];
    return true;
  }
}

/**
 * As many of the first postings as make one batch, and its writes. At least one posting, and none behind a gap: where
 * damage has taken the note of a batch, those next to it are then cut as they were before.
 */
export class BatchFill {
  readonly #most: BatchLimits;
  readonly #writes = new MergedWrites();
  #next = 0;
  #count = 0;
  #bytes = 0;
  #isFull = false;

  /** Of none yet. */
  constructor(most: BatchLimits) {
    this.#most = most;
  }

  /** How many postings it is. */
  get count(): number {
    return this.#count;
  }

  /** Whether there was a posting for which it has no place: it takes no more. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Its writes. */
  get writes(): readonly StoreWrite[] {
    return this.#writes.list;
  }

  /** Takes the next posting; false where it does not fit. */
  take({ number, writes, size }: Posting): boolean {
    const isFirst = this.#count === 0;
    const fits = isFirst || number === this.#next && this.#bytes + size <= MOST_BYTES;
    this.#isFull ||= !fits || !this.#writes.take(writes, isFirst ? UNLIMITED : this.#most);
    if (this.#isFull) return false;
    this.#next = number + 1;
    this.#count++;
    this.#bytes += size;
    return true;
  }
}

/** The writes of a batch that was made before: all of these postings, whatever they are. */
export function remakeBatch(postings: readonly Posting[]): readonly StoreWrite[] {
  const writes = new MergedWrites();
  for (const posting of postings) writes.take(posting.writes);
  return writes.list;
}
