/**
 * A batch of writes that happens once: one transaction with the mark of its id.
 * @module
 */
import type { Clock } from "../../clock.ts";
import type { StoreWrite } from "../store.ts";
import { addUpdate, checkDeltas, whenAbsent, whenUndivided } from "./add.ts";
import { type Database, pause, type TransactInput } from "./database.ts";
import { cancellationCodes } from "./errors.ts";
import type { Divided } from "./divided.ts";
import type { HotCounters } from "./hot.ts";
import { batchMarkKey, type Counters, type Item, itemKey, nameOf, putItem } from "./item.ts";
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
  /** Writes over them. */
  readonly divided: Divided;
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

/** One write of the transaction, and whose it is. */
interface Step {
  readonly input: TransactInput;
  /** The entry that it is for; undefined of the batch's mark. */
  readonly entry?: Item;
  /** What it adds, and to which item: the entry's own, or a part of it. */
  readonly adds?: { readonly place: Item; readonly deltas: Counters };
}

/** Applies a batch; false if one of its id was applied before. */
export async function applyBatch(batch: Batch, target: BatchTarget): Promise<boolean> {
  const { database, hot, clock, prefix } = target;
  for (const { key, add } of batch.writes) {
    if (add !== undefined) checkDeltas(itemKey(prefix, key), add);
  }
  const deadline = performance.now() + LONGEST_MS;
  /** Entries that were found to be divided as they were to be put over. */
  const divided = new Set<string>();
  for (let turn = 0;; turn++) {
    const steps = await prepare(batch, target, divided);
    try {
      await database.transact(steps.map(({ input }) => input));
      return true;
    } catch (error) {
      const codes = cancellationCodes(error);
      if (codes === undefined) throw error;
      if (codes[0] === "ConditionalCheckFailed") return false;
      const refused = codes.filter((code) => code !== "None");
      const mayPass = refused.length > 0 && refused.every((code) => AGAIN.has(code));
      if (!mayPass || performance.now() > deadline) throw database.explained(error);
      for (const [at, code] of codes.entries()) {
        const { entry, adds } = steps[at] ?? {};
        if (entry === undefined || code === "None") continue;
        if (code !== "ConditionalCheckFailed") hot.refused(entry);
        else if (adds === undefined) divided.add(nameOf(entry));
        else await makeReady(database, adds.place, { deltas: adds.deltas, now: clock.now() });
      }
    }
    await pause(turn);
  }
}

async function prepare(
  { id, writes, expiresAt }: Batch,
  { hot, divided, prefix, clock, mark }: BatchTarget,
  known: ReadonlySet<string>,
): Promise<Step[]> {
  const now = clock.now();
  const version = mark();
  const markItem = putItem(batchMarkKey(prefix, id), true, { version, expiresAt });
  const steps: Step[] = [{ input: { Put: { Item: markItem, ...whenAbsent(now) } } }];
  for (const write of writes) {
    const entry = itemKey(prefix, write.key);
    if (write.add !== undefined) {
      const { key: place, life = { expiresAt: write.expiresAt } } = await hot.place(entry);
      const input = { Update: addUpdate(place, write.add, { ...life, version, now }) };
      steps.push({ input, entry, adds: { place, deltas: write.add } });
      continue;
    }
    const life = { version, expiresAt: write.expiresAt };
    const whole = known.has(nameOf(entry))
      ? await divided.writesOver(entry, write.put, life)
      : undefined;
    const inputs = whole ?? [
      { Put: { Item: putItem(entry, write.put, life), ...whenUndivided(now) } },
    ];
    steps.push(...inputs.map((input) => ({ input, entry })));
  }
  return steps;
}
