/**
 * The store: what plugins and commands may rely on, whichever database stands behind it.
 *
 * Promises, kept by every implementation and checked by one conformance suite:
 *
 * - **Keys** are a partition and a sort string. Two keys are equal when both are. Neither may be empty.
 * - **Values** are JSON: what is read back equals what was written, as a copy of the caller's own.
 * - **Reads see completed writes** of the same process at once, and of other processes within 2 s.
 * - **put with a condition** (`version`, or `absent`) is compare-and-set: of many concurrent callers holding
 *   one version, exactly one succeeds.
 * - **add** is atomic: no delta is lost or applied twice, whatever the concurrency. Deltas and sums are
 *   safe integers (money is counted in micro-dollars).
 *   Counters are an ordinary value: what `add` made can be put over by its version, and what was put added to.
 *   Nothing can be added to what holds anything but counters. Where `add` rejects for want of an answer, the deltas
 *   may have been added: what must be exact goes through `apply`.
 * - **apply** is atomic, and idempotent by its id: all writes of a batch happen, once, or none does. A batch that was
 *   applied under an id is not applied again while that id is remembered, whoever asks: also after a crash, and
 *   when the answer to the first call was lost.
 * - **Expiry**: an entry is not returned after `expiresAt`, even if the database still holds it. A write
 *   without `expiresAt` never expires; `add` keeps the first `expiresAt` of a live entry.
 * - **list** yields one partition in ascending order of the sort string by UTF-8 bytes (or descending), each
 *   live entry once; entries written during the listing may or may not appear.
 * - After **close** every call rejects.
 *
 * @module
 */

/** A value that JSON can carry. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined };

/** Partition and sort string, e.g. `["keys", "k7f3q2"]`. Both non-empty, together at most 1,024 bytes. */
export type StoreKey = readonly [partition: string, sort: string];

/** An opaque mark of one write; changes with each write of the entry. */
export type Version = string;

/** One stored entry. */
export interface Entry<T = JsonValue> {
  /** Where it is. */
  readonly key: StoreKey;
  /** What it holds. */
  readonly value: T;
  /** Its version, for compare-and-set. */
  readonly version: Version;
  /** Unix milliseconds after which it is gone; absent = never. */
  readonly expiresAt?: number;
}

/** Conditions and life of a {@link Store.put}. */
export interface PutOptions {
  /** Unix milliseconds after which the entry is gone. */
  expiresAt?: number;
  /** Write only if the live entry has this version, or only if there is none. */
  when?: { version: Version } | "absent";
}

/** Life of the counters of an {@link Store.add}, and what the caller needs back. */
export interface AddOptions {
  /** Unix milliseconds after which the entry is gone; only where the counters begin with this call. */
  expiresAt?: number;
  /**
   * Whether to return the sums. `false` returns `{}`, and lets the database keep an entry that many add to at once
   * in parts, which reads add up.
   * @default true
   */
  sums?: boolean;
}

/** What to list of a partition. */
export interface ListOptions {
  /** First sort string, inclusive. */
  from?: string;
  /** Last sort string, exclusive. */
  to?: string;
  /** Only sort strings that begin so. */
  prefix?: string;
  /** At most so many entries. */
  limit?: number;
  /** Descending order. */
  reverse?: boolean;
}

/** One write of a batch: what is put over whatever is there, or what is added to counters. */
export type StoreWrite =
  & {
    /** Where. No two writes of a batch have the same key. */
    readonly key: StoreKey;
    /** Unix milliseconds after which the entry is gone; of counters, only where they begin with this write. */
    readonly expiresAt?: number;
  }
  & (
    | { readonly put: unknown; readonly add?: undefined }
    | { readonly add: Readonly<Record<string, number>>; readonly put?: undefined }
  );

/** Writes of one {@link Store.apply} that every store takes. */
export const MOST_WRITES = 50;

/** How much one {@link Store.apply} takes: {@link MOST_WRITES} of any kind or more. */
export interface BatchLimits {
  /** Writes. */
  readonly writes: number;
  /** Of them, those that add. */
  readonly sums: number;
  /** Bytes of all their keys. */
  readonly keyBytes: number;
}

/** A key-value store with the promises above. */
export interface Store {
  /** How much one batch may hold. */
  readonly batchLimits: BatchLimits;
  /** The live entry, or undefined. */
  get<T = JsonValue>(key: StoreKey): Promise<Entry<T> | undefined>;
  /** Writes; the new version, or undefined when the condition did not hold (nothing was written). */
  put(key: StoreKey, value: unknown, options?: PutOptions): Promise<Version | undefined>;
  /** Removes; false when the condition did not hold or nothing was there. */
  delete(key: StoreKey, when?: { version: Version }): Promise<boolean>;
  /** Adds each delta to the named counter of the entry (absent = 0); returns the new sums of all counters. */
  add(
    key: StoreKey,
    deltas: Readonly<Record<string, number>>,
    options?: AddOptions,
  ): Promise<Readonly<Record<string, number>>>;
  /**
   * Applies a batch of writes, unless one was applied under this id before. The id is remembered until `expiresAt`.
   *
   * @returns Whether it was applied now; false when it was before
   * @throws {RangeError} If there are more than {@link Store.batchLimits} says, or two with one key
   */
  apply(
    id: string,
    writes: readonly StoreWrite[],
    options: { expiresAt: number },
  ): Promise<boolean>;
  /** The live entries of one partition in order. */
  list<T = JsonValue>(partition: string, options?: ListOptions): AsyncIterable<Entry<T>>;
  /** Resolves when the database answers; rejects with the reason when it does not. */
  ping(): Promise<void>;
  /** Ends the store; flushes what is pending. */
  close(): Promise<void>;
}
