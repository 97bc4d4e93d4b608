/**
 * What every store does alike.
 * @module
 */
import type { BatchLimits, ListOptions, StoreKey, StoreWrite } from "./store.ts";

/** A call on a store after its `close`. */
export class StoreClosed extends Error {
  /** Always `StoreClosed`. */
  override readonly name = "StoreClosed";

  /** The message says that it is closed. */
  constructor() {
    super("Cannot use the store as it must be open: it is closed");
  }
}

const encoder = new TextEncoder();
const LARGEST_KEY = 1_024;

/**
 * Checks a key.
 *
 * @throws {RangeError} If a part is empty or no Unicode text, or both together are over 1,024 bytes of UTF-8
 */
export function checkKey([partition, sort]: StoreKey): void {
  if (partition === "" || sort === "") {
    throw new RangeError(
      `Cannot use a key with an empty part: ${JSON.stringify([partition, sort])}`,
    );
  }
  if (!partition.isWellFormed() || !sort.isWellFormed()) {
    throw new RangeError(
      `Cannot use a key with half a character: ${JSON.stringify([partition, sort])}`,
    );
  }
  // Three bytes are the most a UTF-16 unit takes: short keys need no encoding to be known as short.
  if (3 * (partition.length + sort.length) <= LARGEST_KEY) return;
  const size = textBytes(partition) + textBytes(sort);
  if (size > LARGEST_KEY) {
    throw new RangeError(
      `Cannot use a key as it must be at most ${LARGEST_KEY} bytes: it is ${size}`,
    );
  }
}

/** Bytes of a text in UTF-8. It is asked of every key: a pattern costs ten times the loop while it is not compiled. */
export function textBytes(text: string): number {
  for (let at = 0; at < text.length; at++) {
    if (text.charCodeAt(at) > 0x7f) return encoder.encode(text).byteLength;
  }
  return text.length;
}

/** Where a store remembers the ids of batches that were applied. */
export function batchKey(id: string): StoreKey {
  return ["batches", id];
}

/**
 * Checks a batch.
 *
 * @param most What the store takes at once
 * @throws {RangeError} If it holds too many writes, two with one key, or a key that cannot be used
 */
export function checkBatch(
  id: string,
  writes: readonly StoreWrite[],
  most: BatchLimits,
): void {
  checkKey(batchKey(id));
  const sums = writes.reduce((sum, { add }) => add === undefined ? sum : sum + 1, 0);
  const keyBytes = most.keyBytes === Infinity
    ? 0
    : writes.reduce((sum, { key }) => sum + textBytes(key[0]) + textBytes(key[1]), 0);
  if (writes.length > most.writes || sums > most.sums || keyBytes > most.keyBytes) {
    const told = (of: BatchLimits) =>
      `${of.writes} writes, ${of.sums} of them sums, with ${of.keyBytes} bytes of keys`;
    throw new RangeError(
      `Cannot apply a batch as it must hold at most ${told(most)}: ` +
        `it holds ${told({ writes: writes.length, sums, keyBytes })}`,
    );
  }
  const seen = new Set<string>();
  for (const { key } of writes) {
    checkKey(key);
    const name = JSON.stringify(key);
    if (seen.has(name)) {
      throw new RangeError(`Cannot apply a batch as its keys must differ: ${name} is there twice`);
    }
    seen.add(name);
  }
}

/** Compares by UTF-8 bytes, which is by code points: `<` compares UTF-16 units, and puts 🌍 before U+FFFD. */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const x = a.charCodeAt(at);
    const y = b.charCodeAt(at);
    if (x === y) continue;
    const xSurrogate = x >= 0xd800 && x <= 0xdfff;
    const ySurrogate = y >= 0xd800 && y <= 0xdfff;
    if (xSurrogate !== ySurrogate) return xSurrogate ? 1 : -1;
    return x - y;
  }
  return a.length - b.length;
}

/** Whether a sort string is one that a listing wants. */
export function inRange(sort: string, { from, to, prefix }: ListOptions): boolean {
  return (prefix === undefined || sort.startsWith(prefix)) &&
    (from === undefined || compareUtf8(sort, from) >= 0) &&
    (to === undefined || compareUtf8(sort, to) < 0);
}

/** Counters as they are stored, if that is what they are. */
function countersOf(stored: unknown): Record<string, number> {
  const entries = typeof stored === "object" && stored !== null && !Array.isArray(stored)
    ? Object.entries(stored)
    : undefined;
  if (entries === undefined || entries.some(([, n]) => !Number.isSafeInteger(n))) {
    throw new TypeError("Cannot add to an entry as it must hold counters: something else was put");
  }
  return Object.fromEntries(entries);
}

/**
 * Adds deltas to counters.
 *
 * @param stored The counters; an empty object where there are none yet
 * @throws {RangeError} If a delta or a sum is no safe integer
 * @throws {TypeError} If what is stored is no counters
 */
export function addCounters(
  stored: unknown,
  deltas: Readonly<Record<string, number>>,
): Record<string, number> {
  const sums = countersOf(stored);
  for (const [name, delta] of Object.entries(deltas)) {
    const sum = (sums[name] ?? 0) + delta;
    if (!Number.isSafeInteger(delta) || !Number.isSafeInteger(sum)) {
      throw new RangeError(
        `Cannot add to '${name}' as delta and sum must be safe integers: ${delta}, ${sum}`,
      );
    }
    sums[name] = sum;
  }
  return sums;
}
