/**
 * How an entry lies in the table.
 *
 * | attribute    | of all   | holds                                                                      |
 * |--------------|----------|----------------------------------------------------------------------------|
 * | `pk`, `sk`   | all      | the configured prefix and the partition; the sort string                   |
 * | `version`    | all      | the mark of the last write                                                 |
 * | `expires_ms` | all      | Unix milliseconds of its end by our clock; {@link NEVER} for none          |
 * | `ttl`        | all      | Unix seconds after which DynamoDB may remove it: it does so hours late     |
 * | `value`      | others   | JSON text                                                                  |
 * | `c.<name>`   | counters | a number each, so that DynamoDB itself adds to it                          |
 * | `shards`     | counters | where the parts of a hot entry lie; see `hot.ts`                           |
 *
 * What is put lies as counters where it is nothing else: so that what adds to it finds it ready.
 *
 * @module
 */
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import type { Entry, StoreKey, Version } from "../store.ts";

/** An item of the table. */
export type Item = Record<string, AttributeValue>;

/** Named counters. */
export type Counters = Readonly<Record<string, number>>;

/** `expires_ms` of what does not end: a number like any other, so that one comparison decides. */
export const NEVER: number = Number.MAX_SAFE_INTEGER;
/** `ttl` of what does not end: the year 9999. */
const NEVER_S = 253_402_300_799;
/** DynamoDB's clock and ours differ: it must not remove what still lives for us. */
const TTL_MARGIN_S = 3_600;
/** Before the name of a counter, so that none is taken for another attribute. */
const COUNTER = "c.";
/** DynamoDB takes 400 KB an item, names of attributes and keys with it. */
const LARGEST_VALUE = 380_000;

/** Parts of a hot entry: 16,000 writes a second. */
export const SHARDS = 16;

/** Prefix of partitions that are the store's own. */
const OWN = "outcrop.";

/** Where the table holds an entry. */
export function itemKey(prefix: string, [partition, sort]: StoreKey): Item {
  return { pk: { S: prefix + partition }, sk: { S: sort } };
}

/** Where the mark of a batch lies: each in a partition of its own, so that no partition takes all batches' writes. */
export function batchMarkKey(prefix: string, id: string): Item {
  return itemKey(prefix, [`${OWN}batch/${id}`, "mark"]);
}

/** Where a part of a hot entry lies: each part in a partition of its own, for that is what DynamoDB's limits are of. */
export function shardKey(prefix: string, epoch: string, index: number): Item {
  return itemKey(prefix, [`${OWN}shard/${epoch}/${index}`, "part"]);
}

/** What is read for nothing but an answer. */
export function pingKey(prefix: string): Item {
  return itemKey(prefix, [`${OWN}ping`, "ping"]);
}

/** `ttl` of an end by our clock. */
export function ttlOf(expiresAt: number | undefined): number {
  if (expiresAt === undefined) return NEVER_S;
  return Math.min(Math.ceil(expiresAt / 1_000) + TTL_MARGIN_S, NEVER_S);
}

/** The attribute of a counter. */
export function counterName(name: string): string {
  return COUNTER + name;
}

/** What every item holds. */
function frame(key: Item, version: Version, expiresAt: number | undefined): Item {
  return {
    ...key,
    version: { S: version },
    expires_ms: { N: String(expiresAt ?? NEVER) },
    ttl: { N: String(ttlOf(expiresAt)) },
  };
}

/** A life in the table. */
export interface Life {
  /** The mark of the write. */
  readonly version: Version;
  /** Unix milliseconds of its end. */
  readonly expiresAt: number | undefined;
}

/** A value as counters, if it is nothing else. */
export function asCounters(value: unknown): Counters | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  if ("toJSON" in value) return undefined;
  const isCounter = ([name, n]: [string, unknown]) =>
    Number.isSafeInteger(n) && name.isWellFormed();
  return Object.entries(value).every(isCounter) ? value as Counters : undefined;
}

/**
 * The item of what is put.
 *
 * @throws {RangeError} If it is too large
 */
export function putItem(key: Item, value: unknown, life: Life): Item {
  const counters = asCounters(value);
  if (counters !== undefined) return countersItem(key, counters, life);
  const json = JSON.stringify(value);
  if (
    json.length * 3 > LARGEST_VALUE && new TextEncoder().encode(json).byteLength > LARGEST_VALUE
  ) {
    throw new RangeError(
      `Cannot store ${nameOf(key)} as it must be at most ${LARGEST_VALUE} bytes of JSON`,
    );
  }
  return { ...frame(key, life.version, life.expiresAt), value: { S: json } };
}

/** The item of counters. */
export function countersItem(key: Item, counters: Counters, life: Life): Item {
  const item = frame(key, life.version, life.expiresAt);
  for (const [name, n] of Object.entries(counters)) item[counterName(name)] = { N: String(n) };
  return item;
}

/** An item's key for people. */
export function nameOf({ pk, sk }: Item): string {
  return `${pk?.S ?? "?"}/${sk?.S ?? "?"}`;
}

/** An item as it was read. */
export class Held {
  /** The mark of its last write. */
  readonly version: Version;
  /** Unix milliseconds of its end, or {@link NEVER}. */
  readonly expiresMs: number;
  /** Where its parts lie, if it is hot. */
  readonly epoch: string | undefined;
  readonly #item: Item;

  /** Of an item with every attribute. */
  constructor(item: Item) {
    this.#item = item;
    this.version = item.version?.S ?? "";
    this.expiresMs = Number(item.expires_ms?.N ?? NEVER);
    this.epoch = item.shards?.S;
  }

  /** Its end, as the store's callers know it. */
  get expiresAt(): number | undefined {
    return this.expiresMs === NEVER ? undefined : this.expiresMs;
  }

  /** Whether `add` may add to it as it lies. */
  get isCounters(): boolean {
    return this.#item.value === undefined;
  }

  /** What was put; counters as an object. */
  value(): unknown {
    const text = this.#item.value?.S;
    return text === undefined ? this.counters() : JSON.parse(text);
  }

  /** The counters of an item that holds counters. */
  counters(): Record<string, number> {
    const found: [string, number][] = [];
    for (const [name, { N }] of Object.entries(this.#item)) {
      if (N !== undefined && name.startsWith(COUNTER)) {
        found.push([name.slice(COUNTER.length), Number(N)]);
      }
    }
    return Object.fromEntries(found);
  }

  /** It as an entry, with `value` for what it holds. */
  entry<T>(key: StoreKey, value: unknown = this.value()): Entry<T> {
    const { expiresAt } = this;
    const entry = { key, value: value as T, version: this.version };
    return expiresAt === undefined ? entry : { ...entry, expiresAt };
  }
}
