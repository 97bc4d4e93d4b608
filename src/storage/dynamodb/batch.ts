/**
 * A batch of writes that happens once: one transaction with the mark of its id.
 * @module
 */
import type { Clock } from "../../clock.ts";
import type { StoreWrite } from "../store.ts";
import { addUpdate, checkDeltas, whenAbsent } from "./add.ts";
import { type Database, pause, type TransactInput } from "./database.ts";
import { cancellationCodes } from "./errors.ts";
import type { HotCounters } from "./hot.ts";
import { batchMarkKey, type Counters, type Item, itemKey, valueItem } from "./item.ts";
import { makeReady } from "./ready.ts";

/** A batch. */
export interface Batch {
  /** By which it is known. */
  readonly id: string;
  /** What it writes. */
  readonly writes: readonly StoreWrite[];
  /** Unix milliseconds until which its id is remembered. */
  readonly expiresAt: number;
}

/** What a batch is applied to. */
export interface BatchTarget {
  /** The table. */
  readonly database: Database;
  /** Where hot counters lie. */
  readonly hot: HotCounters;
  /** The store's prefix. */
  readonly prefix: string;
  /** Time. */
  readonly clock: Clock;
  /** A mark no other has. */
  readonly mark: () => string;
}

/** So long a batch is tried that meets others on the same entries. */
const LONGEST_MS = 10_000;
/** Reasons by which DynamoDB says that it would make a write another time. */
const AGAIN = new Set([
  "ConditionalCheckFailed",
  "ProvisionedThroughputExceeded",
  "ThrottlingError",
  "TransactionConflict",
]);

interface Addition {
  /** The entry it is for. */
  readonly entry: Item;
  /** The item that it changes: the entry's own, or a part of it. */
  readonly place: Item;
  readonly deltas: Counters;
}

interface Prepared {
  readonly inputs: readonly TransactInput[];
  /** Of each input, what it adds to; undefined of the mark and of puts. */
  readonly additions: readonly (Addition | undefined)[];
}

/** Applies a batch; false if one of its id was applied before. */
export async function applyBatch(batch: Batch, target: BatchTarget): Promise<boolean> {
  const { database, hot, clock, prefix } = target;
  for (const { key, add } of batch.writes) {
    if (add !== undefined) checkDeltas(itemKey(prefix, key), add);
  }
  const deadline = performance.now() + LONGEST_MS;
  for (let turn = 0;; turn++) {
    const { inputs, additions } = await prepare(batch, target);
    try {
      await database.transact(inputs);
      return true;
    } catch (error) {
      const codes = cancellationCodes(error);
      if (codes === undefined) throw error;
      if (codes[0] === "ConditionalCheckFailed") return false;
      const refused = codes.filter((code) => code !== "None");
      const mayPass = refused.length > 0 && refused.every((code) => AGAIN.has(code));
      if (!mayPass || performance.now() > deadline) throw database.explained(error);
      for (const [at, code] of codes.entries()) {
        const addition = additions[at];
        if (addition === undefined || code === "None") continue;
        if (code !== "ConditionalCheckFailed") hot.refused(addition.entry);
        else await makeReady(database, addition.place, { ...addition, now: clock.now() });
      }
    }
    await pause(turn);
  }
}

async function prepare(
  { id, writes, expiresAt }: Batch,
  { hot, prefix, clock, mark }: BatchTarget,
): Promise<Prepared> {
  const now = clock.now();
  const version = mark();
  const markItem = valueItem(batchMarkKey(prefix, id), true, { version, expiresAt });
  const inputs: TransactInput[] = [{ Put: { Item: markItem, ...whenAbsent(now) } }];
  const additions: (Addition | undefined)[] = [undefined];
  for (const write of writes) {
    const entry = itemKey(prefix, write.key);
    if (write.add === undefined) {
      const life = { version, expiresAt: write.expiresAt };
      inputs.push({ Put: { Item: valueItem(entry, write.put, life) } });
      additions.push(undefined);
    } else {
      const { key: place, life = { expiresAt: write.expiresAt } } = await hot.place(entry);
      inputs.push({ Update: addUpdate(place, write.add, { ...life, version, now }) });
      additions.push({ entry, place, deltas: write.add });
    }
  }
  return { inputs, additions };
}
