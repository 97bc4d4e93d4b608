/**
 * A store in one DynamoDB table, shared by every process that serves.
 *
 * One item an entry (`dynamodb/item.ts`), no index, no scan: each call is one GetItem, PutItem, UpdateItem,
 * DeleteItem, Query or TransactWriteItems. Reads are consistent. An end is an end by our clock in every read and
 * condition; DynamoDB's own TTL only clears away, hours later. Counters that many write at once are kept in parts
 * (`dynamodb/hot.ts`).
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import { checkBatch, checkKey, inRange, StoreClosed } from "./common.ts";
import { addUpdate, checkDeltas, whenAbsent, whenLive, whenUndivided } from "./dynamodb/add.ts";
import { applyBatch } from "./dynamodb/batch.ts";
import {
  type Condition,
  type Database,
  openDatabase,
  pause,
  type TableOptions,
} from "./dynamodb/database.ts";
import { attemptsOf, isConditionFailed, isUnsure } from "./dynamodb/errors.ts";
import { Divided, isWholeVersion } from "./dynamodb/divided.ts";
import { HotCounters } from "./dynamodb/hot.ts";
import {
  type Counters,
  Held,
  type Item,
  itemKey,
  nameOf,
  pingKey,
  putItem,
} from "./dynamodb/item.ts";
import { queryOf } from "./dynamodb/query.ts";
import { makeReady } from "./dynamodb/ready.ts";
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

/** Which table, and which part of it. */
export interface DynamoDbOptions extends TableOptions {
  /** What every partition begins with in the table: several gateways may share one. */
  readonly prefix: string;
  /** Time. */
  readonly clock: Clock;
}

/** Opens a table that `outcrop store init` has made. */
export async function openDynamoDbStore(options: DynamoDbOptions): Promise<Store> {
  return new DynamoDbStore(await openDatabase(options), options);
}

function conditionOf(when: PutOptions["when"], now: number): Condition {
  if (when === undefined) return whenUndivided(now);
  return when === "absent" ? whenAbsent(now) : whenLive(now, when.version);
}

class DynamoDbStore implements Store {
  /** A transaction takes 100 writes: there is room for the batch's mark, and for parts of what is written over. */
  readonly batchLimits: BatchLimits = { writes: 50, sums: 50, keyBytes: Infinity };
  readonly #database: Database;
  readonly #prefix: string;
  readonly #clock: Clock;
  readonly #hot: HotCounters;
  readonly #divided: Divided;
  /** Versions of this process are its own name and a count: no two writes have the same. */
  readonly #writer = crypto.getRandomValues(new Uint8Array(9)).toBase64({ alphabet: "base64url" });
  #writes = 0;
  #closed = false;

  constructor(database: Database, { prefix, clock }: DynamoDbOptions) {
    this.#database = database;
    this.#prefix = prefix;
    this.#clock = clock;
    const options = { database, prefix, clock, mark: () => this.#version() };
    this.#hot = new HotCounters(options);
    this.#divided = new Divided(options);
  }

  async get<T>(key: StoreKey): Promise<Entry<T> | undefined> {
    const item = await this.#database.getItem(this.#key(key));
    const held = this.#live(item);
    return held === undefined ? undefined : await this.#entry<T>(key, held);
  }

  async put(key: StoreKey, value: unknown, options: PutOptions = {}): Promise<Version | undefined> {
    const { when, expiresAt } = options;
    const place = this.#key(key);
    if (typeof when === "object" && isWholeVersion(when.version)) {
      const done = await this.#divided.put(place, value, options);
      return done === "undivided" ? undefined : done;
    }
    for (;;) {
      const version = this.#version();
      const Item = putItem(place, value, { version, expiresAt });
      try {
        await this.#database.putItem({ Item, ...conditionOf(when, this.#clock.now()) });
        return version;
      } catch (error) {
        if (!isConditionFailed(error)) throw error;
        // The answer to an earlier try may have been lost: then it is our own write that is in the way.
        const isOurs = attemptsOf(error) > 1 &&
          (await this.#database.getItem(place))?.version?.S === version;
        if (isOurs) return version;
        if (when !== undefined) return undefined;
      }
      const done = await this.#divided.put(place, value, options);
      if (done !== "undivided") return done;
    }
  }

  async delete(key: StoreKey, when?: { version: Version }): Promise<boolean> {
    const place = this.#key(key);
    if (when !== undefined && isWholeVersion(when.version)) {
      return await this.#divided.delete(place, when);
    }
    try {
      const condition = whenLive(this.#clock.now(), when?.version);
      await this.#divided.dropParts(await this.#database.deleteItem(place, condition));
      return true;
    } catch (error) {
      if (isConditionFailed(error)) return false;
      throw error;
    }
  }

  async add(
    key: StoreKey,
    deltas: Readonly<Record<string, number>>,
    { expiresAt, sums = true }: AddOptions = {},
  ): Promise<Readonly<Record<string, number>>> {
    const entry = this.#key(key);
    checkDeltas(entry, deltas);
    const { key: place, life = { expiresAt } } = sums
      ? { key: entry }
      : await this.#hot.place(entry);
    const version = this.#version();
    for (let turn = 0;; turn++) {
      const update = addUpdate(place, deltas, { ...life, version, now: this.#clock.now() });
      try {
        const item = await this.#database.updateItem(update, () => this.#hot.refused(entry));
        return sums ? await this.#sums(new Held(item)) : {};
      } catch (error) {
        if (!isConditionFailed(error)) return await this.#lookFor(error, place, version);
      }
      if (turn > 0) await pause(turn);
      await makeReady(this.#database, place, { deltas, now: this.#clock.now() });
    }
  }

  async apply(
    id: string,
    writes: readonly StoreWrite[],
    { expiresAt }: { expiresAt: number },
  ): Promise<boolean> {
    this.#checkOpen();
    checkBatch(id, writes, this.batchLimits);
    return await applyBatch({ id, writes, expiresAt }, {
      database: this.#database,
      hot: this.#hot,
      divided: this.#divided,
      prefix: this.#prefix,
      clock: this.#clock,
      mark: () => this.#version(),
    });
  }

  async *list<T>(partition: string, options: ListOptions = {}): AsyncIterable<Entry<T>> {
    const { pk } = this.#key([partition, "any"]);
    const query = queryOf(pk?.S ?? "", options);
    let left = options.limit ?? Infinity;
    if (query === undefined || left <= 0) return;
    let from: Item | undefined;
    do {
      const { items, next } = await this.#database.query({ ...query, ExclusiveStartKey: from });
      for (const item of items) {
        const sort = item.sk?.S ?? "";
        const held = inRange(sort, options) ? this.#live(item) : undefined;
        if (held === undefined) continue;
        yield await this.#entry<T>([partition, sort], held);
        if (--left <= 0) return;
      }
      this.#checkOpen();
      from = next;
    } while (from !== undefined);
  }

  async ping(): Promise<void> {
    this.#checkOpen();
    await this.#database.ping(pingKey(this.#prefix));
  }

  // deno-lint-ignore require-await
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#database.close();
  }

  #checkOpen(): void {
    if (this.#closed) throw new StoreClosed();
  }

  #key(key: StoreKey): Item {
    this.#checkOpen();
    checkKey(key);
    return itemKey(this.#prefix, key);
  }

  #version(): Version {
    return `${this.#writer}.${(++this.#writes).toString(36)}`;
  }

  #live(item: Item | undefined): Held | undefined {
    if (item === undefined) return undefined;
    const held = new Held(item);
    return held.expiresMs > this.#clock.now() ? held : undefined;
  }

  async #entry<T>(key: StoreKey, held: Held): Promise<Entry<T>> {
    const whole = await this.#divided.whole(held);
    return whole === undefined
      ? held.entry<T>(key)
      : { ...held.entry<T>(key, whole.counters), version: whole.version };
  }

  async #sums(held: Held): Promise<Counters> {
    return (await this.#divided.whole(held))?.counters ?? held.counters();
  }

  /** Whether an addition happened whose answer did not come: its version tells, if nobody has written since. */
  async #lookFor(
    failure: unknown,
    place: Item,
    version: Version,
  ): Promise<Readonly<Record<string, number>>> {
    const told = this.#database.explained(failure);
    if (!isUnsure(failure)) throw told;
    let item: Item | undefined;
    try {
      item = await this.#database.getItem(place);
    } catch {
      throw told; // the first failure says what is wrong
    }
    if (item !== undefined && item.version?.S === version) {
      return await this.#sums(new Held(item));
    }
    throw new Error(
      `Cannot tell whether ${nameOf(place)} was added to, as the answer was lost: ${told.message}`,
      { cause: failure },
    );
  }
}
