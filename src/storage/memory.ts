/**
 * A store in memory: for trying things out and for tests. Gone when the process ends.
 * @module
 */
import type { Clock } from "../clock.ts";
import {
  addCounters,
  batchKey,
  checkBatch,
  checkKey,
  compareUtf8,
  inRange,
  StoreClosed,
} from "./common.ts";
import type {
  AddOptions,
  BatchLimits,
  Entry,
  ListOptions,
  PutOptions,
  Store,
  StoreKey,
  StoreWrite,
  Version,
} from "./store.ts";

interface Held {
  /** JSON text: what is given out is nobody else's object. */
  readonly json: string;
  readonly version: Version;
  readonly expiresAt: number | undefined;
}

/** Opens an empty store. */
export function openMemoryStore({ clock }: { clock: Clock }): Store {
  return new MemoryStore(clock);
}

class MemoryStore implements Store {
  readonly batchLimits: BatchLimits = { writes: 500, sums: 500, keyBytes: Infinity };
  readonly #clock: Clock;
  readonly #partitions = new Map<string, Map<string, Held>>();
  #writes = 0;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  // deno-lint-ignore require-await
  async get<T>(key: StoreKey): Promise<Entry<T> | undefined> {
    this.#check(key);
    const held = this.#live(key);
    return held === undefined ? undefined : this.#entry<T>(key, held);
  }

  // deno-lint-ignore require-await
  async put(key: StoreKey, value: unknown, options: PutOptions = {}): Promise<Version | undefined> {
    this.#check(key);
    const { expiresAt, when } = options;
    const held = this.#live(key);
    const holds = when === undefined ||
      (when === "absent" ? held === undefined : held?.version === when.version);
    return holds ? this.#write(key, JSON.stringify(value), expiresAt) : undefined;
  }

  // deno-lint-ignore require-await
  async delete(key: StoreKey, when?: { version: Version }): Promise<boolean> {
    this.#check(key);
    const held = this.#live(key);
    if (held === undefined || (when !== undefined && held.version !== when.version)) return false;
    return this.#partitions.get(key[0])?.delete(key[1]) ?? false;
  }

  // deno-lint-ignore require-await
  async add(
    key: StoreKey,
    deltas: Readonly<Record<string, number>>,
    options: AddOptions = {},
  ): Promise<Readonly<Record<string, number>>> {
    this.#check(key);
    const held = this.#live(key);
    const sums = addCounters(held === undefined ? {} : JSON.parse(held.json), deltas);
    this.#write(key, JSON.stringify(sums), held === undefined ? options.expiresAt : held.expiresAt);
    return options.sums === false ? {} : sums;
  }

  // deno-lint-ignore require-await
  async apply(
    id: string,
    writes: readonly StoreWrite[],
    { expiresAt }: { expiresAt: number },
  ): Promise<boolean> {
    this.#check(batchKey(id));
    checkBatch(id, writes, this.batchLimits);
    if (this.#live(batchKey(id)) !== undefined) return false;
    const ready = writes.map((write) => this.#prepared(write)); // all of them first: none is written if one throws
    for (const { key, json, expiresAt } of ready) this.#write(key, json, expiresAt);
    this.#write(batchKey(id), "true", expiresAt);
    return true;
  }

  async *list<T>(partition: string, options: ListOptions = {}): AsyncIterable<Entry<T>> {
    this.#check([partition, "any"]);
    const sorts = [...this.#partitions.get(partition)?.keys() ?? []]
      .filter((sort) => inRange(sort, options))
      .sort(compareUtf8);
    if (options.reverse) sorts.reverse();
    let left = options.limit ?? Infinity;
    for (const sort of sorts) {
      if (left <= 0) return;
      const key: StoreKey = [partition, sort];
      const held = this.#live(key);
      if (held === undefined) continue;
      left--;
      yield this.#entry<T>(key, held);
    }
  }

  // deno-lint-ignore require-await
  async ping(): Promise<void> {
    if (this.#closed) throw new StoreClosed();
  }

  // deno-lint-ignore require-await
  async close(): Promise<void> {
    this.#closed = true;
    this.#partitions.clear();
  }

  #check(key: StoreKey): void {
    if (this.#closed) throw new StoreClosed();
    checkKey(key);
  }

  #live([partition, sort]: StoreKey): Held | undefined {
    const entries = this.#partitions.get(partition);
    const held = entries?.get(sort);
    if (held?.expiresAt === undefined || held.expiresAt > this.#clock.now()) return held;
    entries?.delete(sort);
    return undefined;
  }

  #prepared({ key, put, add, expiresAt }: StoreWrite) {
    if (add === undefined) return { key, json: JSON.stringify(put), expiresAt };
    const held = this.#live(key);
    const sums = addCounters(held === undefined ? {} : JSON.parse(held.json), add);
    return {
      key,
      json: JSON.stringify(sums),
      expiresAt: held === undefined ? expiresAt : held.expiresAt,
    };
  }

  #write([partition, sort]: StoreKey, json: string, expiresAt: number | undefined): Version {
    const version = String(++this.#writes);
    let entries = this.#partitions.get(partition);
    if (entries === undefined) this.#partitions.set(partition, entries = new Map());
    entries.set(sort, { json, version, expiresAt });
    return version;
  }

  #entry<T>(key: StoreKey, { json, version, expiresAt }: Held): Entry<T> {
    const entry = { key, value: JSON.parse(json) as T, version };
    return expiresAt === undefined ? entry : { ...entry, expiresAt };
  }
}
