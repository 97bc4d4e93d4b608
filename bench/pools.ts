/**
 * What a budget costs: one key's pool at its replicas in simulated time, by the program's own code.
 * @module
 */
import { Sharing } from "../src/sharing/shared.ts";
import { between, seededRandom } from "../src/simulator/random.ts";
import { openMemoryStore } from "../src/storage/memory.ts";
import { SimulatedClock, SimulatedReplica } from "../tests/sharing/simulated.ts";
import { entrySize, readUnits, writeUnits } from "./dynamodb_units.ts";

/** What came of it. */
export interface PoolCost {
  /** Read units a request. */
  readonly read: number;
  /** Write units a request, without those of postings. */
  readonly write: number;
  /** Bytes of the pool's entry, at most. */
  readonly bytes: number;
  /** Of requests, the share that was let in. */
  readonly admitted: number;
}

const WARM_UP_MS = 60_000;
const REQUESTS = 6_000;
const REQUEST_MS = 5_000;
const CAPACITY = 100_000_000_000_000;
/** Nano-dollars that a request may cost, and does. */
const [MOST, COST] = [60_000_000, 12_345_678];

/** Simulates a key that is asked for so often, at so many replicas. */
export async function poolCost(perSecond: number, spread: number): Promise<PoolCost> {
  const random = seededRandom(1);
  const clock = new SimulatedClock();
  const store = openMemoryStore({ clock });
  const units = { read: 0, write: 0 };
  let bytes = 0;
  const pools = Array.from({ length: spread }, () => {
    const replica = new SimulatedReplica({
      clock,
      store,
      random,
      onWrite: (key, value) => {
        bytes = Math.max(bytes, entrySize(key, value));
        units.write += writeUnits(entrySize(key, value));
      },
      onRead: (key, value) => void (units.read += readUnits(entrySize(key, value ?? null))),
    });
    const sharing = new Sharing(replica.store, clock).of("budget");
    return () => sharing.pool(["2026-11-01/month", "key key_7f3k2m9x1c"]);
  });
  let [asked, admitted, postings] = [0, 0, 0];
  const request = async () => {
    const pool = (pools[between(random, 0, spread - 1)] ?? pools[0]!)();
    asked++;
    const granted = await pool.take(MOST, { capacity: CAPACITY });
    if (typeof granted !== "number") return;
    admitted++;
    await new Promise<void>((resolve) => void clock.after(REQUEST_MS, resolve));
    const { key: [partition, sort], add = {} } = pool.spend(granted, COST);
    const write = { key: [`plugin.budget/${partition}`, sort] as const, add };
    await store.apply(`${postings++}`, [write], { expiresAt: clock.now() + WARM_UP_MS });
  };
  const pass = async (ms: number) => {
    for (const end = clock.monotonic() + ms; clock.monotonic() < end;) {
      void request();
      await clock.pass(-Math.log(1 - random()) * 1_000 / perSecond);
    }
  };
  await pass(WARM_UP_MS);
  Object.assign(units, { read: 0, write: 0 });
  [asked, admitted] = [0, 0];
  await pass(1_000 * REQUESTS / perSecond);
  const { read, write } = units;
  return { read: read / asked, write: write / asked, bytes, admitted: admitted / asked };
}
