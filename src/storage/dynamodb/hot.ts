/**
 * Hot counters, kept in parts.
 *
 * DynamoDB writes one item at most 1,000 times a second, half as often in transactions, and refuses transactions
 * that meet on one item. An entry on which that happens gets the attribute `shards`: from then on, writers that need
 * no sums back add to one of its parts, each writer to its own, and whoever reads adds the parts up. The
 * attribute names an epoch: an entry that begins anew has none of the old parts. A part ends with its entry.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import { whenLive } from "./add.ts";
import type { Database } from "./database.ts";
import { isConditionFailed } from "./errors.ts";
import { Held, type Item, nameOf, NEVER, shardKey, SHARDS } from "./item.ts";

/** An entry is hot after so many refusals… */
const HOT_AT = 3;
/** …in so long a time. */
const HEAT_MS = 10_000;
/** So long the parts are written to before the entry is looked at again: it may have been put or removed. */
const FRESH_MS = 2_000;
/** Hot entries that are remembered. */
const MOST_HOT = 1_000;

/** Where to add. */
export interface Place {
  /** The item. */
  readonly key: Item;
  /** Its end if it begins now; `undefined` = the caller's own. */
  readonly life?: { readonly expiresAt: number | undefined };
}

interface Heat {
  refusals: number;
  since: number;
  epoch?: string;
  freshUntil: number;
  /** Unix milliseconds. */
  endsAt: number;
}

/** What {@link HotCounters} stands on. */
export interface HotOptions {
  /** The table. */
  database: Database;
  /** The store's prefix. */
  prefix: string;
  /** Time. */
  clock: Clock;
  /** A mark no other has. */
  mark: () => string;
}

/** Knows which entries are hot, and where their parts lie. */
export class HotCounters {
  readonly #database: Database;
  readonly #prefix: string;
  readonly #clock: Clock;
  readonly #mark: () => string;
  readonly #entries = new Map<string, Heat>();
  /** This writer's part: as long as there are more parts than writers, few share one. */
  readonly #index = Math.floor(Math.random() * SHARDS);

  /** See {@link HotOptions}. */
  constructor({ database, prefix, clock, mark }: HotOptions) {
    this.#database = database;
    this.#prefix = prefix;
    this.#clock = clock;
    this.#mark = mark;
  }

  /** DynamoDB has refused a write of this item, for now. */
  refused(key: Item): void {
    const now = this.#clock.monotonic();
    const name = nameOf(key);
    const heat = this.#entries.get(name);
    if (heat !== undefined && (heat.refusals >= HOT_AT || now - heat.since < HEAT_MS)) {
      heat.refusals++;
      return;
    }
    this.#entries.set(name, { refusals: 1, since: now, freshUntil: -Infinity, endsAt: 0 });
    if (this.#entries.size <= MOST_HOT) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      break;
    }
  }

  /** Where one who needs no sums adds: the entry itself, or a part of it while it is hot. */
  async place(key: Item): Promise<Place> {
    const heat = this.#entries.get(nameOf(key));
    if (heat === undefined || heat.refusals < HOT_AT) return { key };
    const isFresh = this.#clock.monotonic() < heat.freshUntil && this.#clock.now() < heat.endsAt;
    if (!isFresh && !await this.#look(key, heat)) return { key };
    const expiresAt = heat.endsAt === NEVER ? undefined : heat.endsAt;
    return { key: shardKey(this.#prefix, heat.epoch ?? "", this.#index), life: { expiresAt } };
  }

  /** Finds the entry's epoch, or gives it one; false if there is no live entry to have parts. */
  async #look(key: Item, heat: Heat): Promise<boolean> {
    const item = await this.#database.getItem(key);
    let held = item === undefined ? undefined : new Held(item);
    const now = this.#clock.now();
    if (held === undefined || held.expiresMs <= now || !held.isCounters) return false;
    if (held.epoch === undefined) held = await this.#divide(key, now);
    if (held?.epoch === undefined) return false;
    heat.epoch = held.epoch;
    heat.endsAt = held.expiresMs;
    heat.freshUntil = this.#clock.monotonic() + FRESH_MS;
    return true;
  }

  /** Gives an entry parts, unless another writer was first: then it has that one's. */
  async #divide(key: Item, now: number): Promise<Held | undefined> {
    const live = whenLive(now);
    try {
      const item = await this.#database.updateItem({
        Key: key,
        // A version that was given out before there were parts stands for none of them.
        UpdateExpression: "SET #version = :version, #shards = if_not_exists(#shards, :epoch)",
        ConditionExpression: `${live.ConditionExpression} AND attribute_not_exists(#value)`,
        ExpressionAttributeNames: {
          ...live.ExpressionAttributeNames,
          "#shards": "shards",
          "#value": "value",
          "#version": "version",
        },
        ExpressionAttributeValues: {
          ...live.ExpressionAttributeValues,
          ":epoch": { S: this.#mark() },
          ":version": { S: this.#mark() },
        },
      });
      return new Held(item);
    } catch (error) {
      if (isConditionFailed(error)) return undefined; // it ended meanwhile
      throw this.#database.explained(error);
    }
  }
}
