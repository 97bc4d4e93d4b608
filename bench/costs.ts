/**
 * What a request costs in the store: units and dollars of DynamoDB, for the fleets of docs/scale.md. Leases and
 * budgets come from simulations, batches from the ledger's own code, their units from what the store sends.
 * @module
 */
import { BatchFill } from "../src/ledger/batch.ts";
import { GATHER_MS } from "../src/ledger/poster.ts";
import { between, seededRandom } from "../src/simulator/random.ts";
import { type Units, unitsOf } from "./dynamodb_units.ts";
import type { LeaseRow } from "./lease_table.ts";
import { poolCost } from "./pools.ts";
import { postingOf } from "./posting.ts";

/** Dollars of DynamoDB on demand in us-east-1: https://aws.amazon.com/dynamodb/pricing/on-demand/ */
export const PRICES = { millionWrites: 0.625, millionReads: 0.125, gbMonth: 0.25 } as const;
/** Write units a second that one partition takes. */
export const PARTITION_WRITES = 1_000;

/** One line: a fleet, and what a request costs there. */
export interface CostRow {
  /** Requests of all replicas. */
  readonly "req/s": number;
  /** Its name in the table of leases. */
  readonly fleet: string;
  /** Requests that share a transaction. */
  readonly "requests a batch": string;
  /** Milliseconds that a batch may take, as one replica sends one after the other. */
  readonly "ms for a batch": number;
  /** Write units a request: record, sums, what the budget spends. */
  readonly "postings, write": string;
  /** Write and read units a request for a budget's parts. */
  readonly "budget, write": string;
  /** The same of limits. */
  readonly "limits, write": string;
  /** Write units a request: when keys were last used. */
  readonly "keys, write": string;
  /** Read units a request: budgets, limits, keys. */
  readonly "all reads": string;
  /** Dollars of a million requests: units, and a month of what was written. */
  readonly "$ a million": string;
  /** Bytes of a budget's entry. */
  readonly "budget's bytes": number;
  /** Write units a second of the table. */
  readonly "write units/s": number;
  /** Of them, in the partition that holds the day's records. */
  readonly "of the day's records": number;
}

/** Fleets of the table of leases, by name and rate. */
const FLEETS: readonly (readonly [fleet: string, perSecond: number])[] = [
  ["two machines", 10],
  ["busy keys", 1_000],
  ["keys on all replicas", 100_000],
  ["keys on two replicas", 100_000],
];
const BATCHES = 200;

/** Postings of one replica, cut into batches as the ledger cuts them. */
async function batches(
  { perSecond, keys, budgetBytes }: {
    readonly perSecond: number;
    readonly keys: number;
    readonly budgetBytes: number;
  },
): Promise<Units & { requests: number }> {
  const random = seededRandom(1);
  // The first waits for those that come in the time after it, or until they are enough.
  const waiting = Math.max(1, Math.round(1 + perSecond * GATHER_MS / 1_000));
  let requests = 0;
  const sizeOf = (partition: string) => partition.startsWith("plugin.budget/") ? budgetBytes : 0;
  const units = await unitsOf(sizeOf, async (store) => {
    for (let at = 0; at < BATCHES; at++) {
      const fill = new BatchFill(store.batchLimits);
      for (let number = 0; number < waiting && !fill.isFull; number++) {
        const writes = postingOf(requests + number, `key_${between(random, 0, keys - 1)}`);
        fill.take({ number, writes, size: 0 });
      }
      requests += fill.count;
      await store.apply(crypto.randomUUID(), fill.writes, { expiresAt: Date.now() + 60_000 });
    }
  });
  return { ...units, requests };
}

/** Calls a second of one key at one replica that is asked for so often: verdicts are renewed a second after the last. */
function keyCalls(perSecond: number): { readonly reads: number; readonly writes: number } {
  return { reads: 1 / (1 + 1 / perSecond), writes: 1 / (60 + 1 / perSecond) };
}

async function costOf(row: LeaseRow): Promise<CostRow> {
  const { "req/s": perSecond, replicas, keys, "replicas a key": spread } = row;
  const ofKey = perSecond / keys;
  const pool = await poolCost(ofKey, spread);
  if (pool.admitted < 1) throw new Error("Cannot tell what a budget costs as it must let all in");
  const own = { perSecond: perSecond / replicas, keys: keys * spread / replicas };
  const { requests, write, put, partitions } = await batches({ ...own, budgetBytes: pool.bytes });
  const key = keyCalls(ofKey / spread);
  const [keyReads, keyWrites] = [key.reads, key.writes].map((calls) => calls * spread / ofKey);
  const limits = [row["write units a request"], row["read units a request"]].map(Number);
  const writes = write / requests + pool.write + limits[0]! + keyWrites!;
  const reads = pool.read + limits[1]! + keyReads!;
  const records = [...partitions].reduce(
    (sum, [name, units]) => sum + (name.startsWith("plugin.usage/records/") ? units : 0),
    0,
  );
  const dollars = writes * PRICES.millionWrites + reads * PRICES.millionReads +
    put / requests * 1e6 / 1e9 * PRICES.gbMonth;
  return {
    "req/s": perSecond,
    fleet: row.fleet,
    "requests a batch": (requests / BATCHES).toFixed(1),
    "ms for a batch": Math.round(1_000 * requests / BATCHES / own.perSecond),
    "postings, write": (write / requests).toFixed(2),
    "budget, write": pool.write.toFixed(2),
    "limits, write": limits[0]!.toFixed(2),
    "keys, write": keyWrites!.toFixed(2),
    "all reads": reads.toFixed(2),
    "$ a million": dollars.toFixed(2),
    "budget's bytes": pool.bytes,
    "write units/s": Math.round(writes * perSecond),
    "of the day's records": Math.round(records / requests * perSecond),
  };
}

/** The first so many lines of the table, or all, from that of leases. */
export async function costTable(
  leases: readonly LeaseRow[],
  lines: number = FLEETS.length,
): Promise<CostRow[]> {
  const rows: CostRow[] = [];
  for (const [fleet, perSecond] of FLEETS.slice(0, lines)) {
    const row = leases.find((one) => one.fleet === fleet && one["req/s"] === perSecond);
    if (row === undefined) {
      throw new Error(`Cannot find '${fleet}' as bench/leases.json must have it`);
    }
    rows.push(await costOf(row));
  }
  return rows;
}
