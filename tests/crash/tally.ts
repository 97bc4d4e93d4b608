/**
 * What clients saw against what the store holds.
 * @module
 */
import { prefixedStore } from "../../src/storage/prefixed.ts";
import type { Store } from "../../src/storage/store.ts";
import { type CountedRecord, rollupOf } from "../../plugins/usage.ts";
import { spanOf } from "../../src/sharing/span.ts";
import type { Seen } from "./load.ts";

/** The figures; lost, doubled, misspent and wrong must be 0. */
export interface Tally {
  /** Answers that a client saw to their end. */
  readonly replies: number;
  /** Answers that were cut. */
  readonly cut: number;
  /** Records in the store. */
  readonly records: number;
  /** Requests in the sums. */
  readonly summed: number;
  /** Replies without a record, and requests of records that are in no sum. */
  readonly lost: number;
  /** Records of one request beyond the first, and requests of sums that have no record. */
  readonly doubled: number;
  /** Nano-dollars by which what budgets say is spent is more or less than what the records cost. */
  readonly misspent: number;
  /** Counters of sums that are not those of the records, and replies whose record tells other tokens. */
  readonly wrong: number;
}

type StoredRecord = CountedRecord & { readonly id: string };

const DAY_MS = 86_400_000;

/** The days on which something may have been asked. */
function days(): string[] {
  return [-1, 0, 1].map((n) => new Date(Date.now() + n * DAY_MS).toISOString().slice(0, 10));
}

async function listed<T>(store: Store, kind: string): Promise<[string, T][]> {
  const usage = prefixedStore(store, "usage");
  const all: [string, T][] = [];
  for (const day of days()) {
    for await (const { key, value } of usage.list<T>(`${kind}/${day}`)) all.push([key[1], value]);
  }
  return all;
}

/** What the budget of everybody says was spent this month. */
async function spent(store: Store): Promise<number> {
  const { name } = spanOf("month", Date.now());
  const entry = await prefixedStore(store, "budget").get<{ spent: number }>([name, "overall"]);
  return entry?.value.spent ?? 0;
}

/** Compares. */
export async function tallyOf(store: Store, seen: readonly Seen[]): Promise<Tally> {
  const records = (await listed<StoredRecord>(store, "records")).map(([, record]) => record);
  const byId = new Map(records.map((record) => [record.id, record]));
  const sums = new Map(await listed<Record<string, number>>(store, "rollup"));
  const wanted = new Map<string, Record<string, number>>();
  for (const record of records) {
    const { key, add } = rollupOf(record);
    const sum = wanted.get(key[1]) ?? {};
    for (const [name, n] of Object.entries(add)) sum[name] = (sum[name] ?? 0) + n;
    wanted.set(key[1], sum);
  }
  let [lost, doubled, wrong] = [0, records.length - byId.size, 0];
  for (const place of new Set([...sums.keys(), ...wanted.keys()])) {
    const [is, should] = [sums.get(place) ?? {}, wanted.get(place) ?? {}];
    const over = (is.requests ?? 0) - (should.requests ?? 0);
    lost += Math.max(0, -over);
    doubled += Math.max(0, over);
    for (const name of new Set([...Object.keys(is), ...Object.keys(should)])) {
      if ((is[name] ?? 0) !== (should[name] ?? 0)) wrong++;
    }
  }
  const complete = seen.filter((one) => one.complete && one.id !== null);
  for (const { id, status, outputTokens } of complete) {
    const record = byId.get(id ?? "");
    if (record === undefined) lost++;
    else if (status === 200 && record.output_tokens !== outputTokens) wrong++;
  }
  const cost = records.reduce((sum, { nano_usd }) => sum + nano_usd, 0);
  return {
    misspent: Math.abs(await spent(store) - cost),
    replies: complete.length,
    cut: seen.filter((one) => !one.complete && one.id !== null).length,
    records: records.length,
    summed: [...sums.values()].reduce((sum, { requests = 0 }) => sum + requests, 0),
    lost,
    doubled,
    wrong,
  };
}
