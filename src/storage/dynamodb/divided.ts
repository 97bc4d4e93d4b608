/**
 * A hot entry as a whole: its own item and its parts (see `hot.ts`), read, put over and removed together.
 *
 * Put over, it keeps its epoch: who still adds to its parts adds to what was put. Removed, it does not: what other
 * processes add in the two seconds until they look again goes with it.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import { addCounters } from "../common.ts";
import type { PutOptions, Version } from "../store.ts";
import { whenUnchanged } from "./add.ts";
import { type Condition, type Database, pause, type TransactInput } from "./database.ts";
import { cancellationCodes } from "./errors.ts";
import {
  asCounters,
  type Counters,
  Held,
  type Item,
  type Life,
  nameOf,
  putItem,
  shardKey,
  SHARDS,
} from "./item.ts";

/** A divided entry as it was read. */
export interface Whole {
  /** The sums of all. */
  readonly counters: Counters;
  /** Of all: it changes with each write of any. */
  readonly version: Version;
  /** The entry's own item. */
  readonly held: Held;
  /** The parts that there are, by the names of their keys. */
  readonly parts: ReadonlyMap<string, Held>;
}

/** So long a divided entry is tried to be written over that many add to. */
const LONGEST_MS = 10_000;
/** Between the version of an entry's own item and those of its parts: no item's own version has it. */
const JOINED = "~";

/** Whether a version is that of a divided entry. */
export function isWholeVersion(version: Version): boolean {
  return version.includes(JOINED);
}

/** What {@link Divided} stands on. */
export interface DividedOptions {
  /** The table. */
  database: Database;
  /** The store's prefix. */
  prefix: string;
  /** Time. */
  clock: Clock;
  /** A mark no other has. */
  mark: () => string;
}

/** Reads and writes entries that are divided. */
export class Divided {
  readonly #database: Database;
  readonly #prefix: string;
  readonly #clock: Clock;
  readonly #mark: () => string;

  /** See {@link DividedOptions}. */
  constructor({ database, prefix, clock, mark }: DividedOptions) {
    this.#database = database;
    this.#prefix = prefix;
    this.#clock = clock;
    this.#mark = mark;
  }

  /** The whole of an entry whose own item was read; undefined if it has no parts. */
  async whole(held: Held): Promise<Whole | undefined> {
    if (held.epoch === undefined) return undefined;
    const items = await this.#database.getItems(this.#keys(held.epoch));
    const parts = new Map(items.map((item) => [nameOf(item), new Held(item)]));
    let counters = held.counters();
    for (const part of parts.values()) counters = addCounters(counters, part.counters());
    const versions = [...parts.values()].map(({ version }) => version).sort();
    return { counters, version: held.version + JOINED + versions.join(), held, parts };
  }

  /**
   * Puts over an entry that is divided. `undivided` where it is not, or no more: then one item is all there is.
   */
  async put(
    key: Item,
    value: unknown,
    { expiresAt, when }: PutOptions,
  ): Promise<Version | "undivided" | undefined> {
    const version = this.#mark();
    const life = { version, expiresAt };
    const done = await this.#write(key, when, (whole) => this.#over(key, value, { whole, life }));
    if (done !== "done") return done;
    return asCounters(value) === undefined ? version : version + JOINED;
  }

  /** Removes an entry that is divided, if it has this version. */
  async delete(key: Item, when: { version: Version }): Promise<boolean> {
    const done = await this.#write(key, when, ({ held, parts }) => [
      { Delete: { Key: key, ...whenUnchanged(held.version) } },
      ...this.#removals(held, parts),
    ]);
    return done === "done";
  }

  /** Forgets the parts of an item that was removed. */
  async dropParts(item: Item | undefined): Promise<void> {
    const epoch = item?.shards?.S;
    if (epoch !== undefined) await this.#database.deleteItems(this.#keys(epoch));
  }

  /** What puts over a divided entry, as part of a transaction; undefined where it is not divided. */
  async writesOver(
    key: Item,
    value: unknown,
    life: Life,
  ): Promise<readonly TransactInput[] | undefined> {
    const whole = await this.#live(key);
    return whole === undefined ? undefined : this.#over(key, value, { whole, life });
  }

  async #write(
    key: Item,
    when: PutOptions["when"],
    writesOf: (whole: Whole) => readonly TransactInput[],
  ): Promise<"done" | "undivided" | undefined> {
    const deadline = performance.now() + LONGEST_MS;
    for (let turn = 0;; turn++) {
      const whole = await this.#live(key);
      if (whole === undefined) return "undivided";
      if (when === "absent") return undefined;
      if (when !== undefined && when.version !== whole.version) return undefined;
      try {
        await this.#database.transact(writesOf(whole));
        return "done";
      } catch (error) {
        if (cancellationCodes(error) === undefined) throw error;
        if (performance.now() > deadline) throw this.#database.explained(error);
      }
      await pause(turn);
    }
  }

  async #live(key: Item): Promise<Whole | undefined> {
    const item = await this.#database.getItem(key);
    const held = item === undefined ? undefined : new Held(item);
    if (held === undefined || held.expiresMs <= this.#clock.now()) return undefined;
    return await this.whole(held);
  }

  #over(
    key: Item,
    value: unknown,
    { whole: { held, parts }, life }: { readonly whole: Whole; readonly life: Life },
  ): readonly TransactInput[] {
    const item = putItem(key, value, life);
    if (asCounters(value) !== undefined) item.shards = { S: held.epoch ?? "" };
    return [
      { Put: { Item: item, ...whenUnchanged(held.version) } },
      ...this.#removals(held, parts),
    ];
  }

  /** Parts go as they were read, and those that were not there are still not there. */
  #removals({ epoch = "" }: Held, parts: ReadonlyMap<string, Held>): TransactInput[] {
    return this.#keys(epoch).map((Key) => {
      const part = parts.get(nameOf(Key));
      return { Delete: { Key, ...(part === undefined ? NOT_THERE : whenUnchanged(part.version)) } };
    });
  }

  #keys(epoch: string): Item[] {
    return Array.from({ length: SHARDS }, (_, index) => shardKey(this.#prefix, epoch, index));
  }
}

const NOT_THERE: Condition = {
  ConditionExpression: "attribute_not_exists(#pk)",
  ExpressionAttributeNames: { "#pk": "pk" },
};
