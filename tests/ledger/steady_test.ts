/** How often the ledger calls the store while it is used: by time, not by requests. */
import assert from "node:assert/strict";
import { postingOf } from "../../bench/posting.ts";
import { openDenoKvStore } from "../../src/storage/deno_kv.ts";
import { openMemoryStore } from "../../src/storage/memory.ts";
import { MOST_WRITES, type Store, type StoreWrite } from "../../src/storage/store.ts";
import type { FakeClock } from "../fake_clock.ts";
import { until, withLedgers } from "./fixture.ts";

const SECONDS = 4;
const STEP_MS = 25;

interface Counted {
  readonly store: Store;
  /** How many batches reached it. */
  readonly batches: () => number;
  /** Why it refused some. */
  readonly refusals: readonly unknown[];
}

/** Counts the batches that reach a store. */
function counted(inner: Store): Counted {
  let batches = 0;
  const refusals: unknown[] = [];
  const store = new Proxy(inner, {
    get(target, name) {
      const member = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return name !== "apply" ? member.bind(target) : async (...given: unknown[]) => {
        batches++;
        try {
          return await Reflect.apply(member, target, given);
        } catch (error) {
          refusals.push(error);
          throw error;
        }
      };
    },
  });
  return { store, batches: () => batches, refusals };
}

/** Batches in four seconds, in which so many requests end every second. */
async function batchesAt(
  perSecond: number,
  { open, of = (n) => postingOf(n) }: {
    readonly open: (clock: FakeClock) => Promise<Store>;
    readonly of?: (n: number) => StoreWrite[];
  },
): Promise<number> {
  let [found, end] = [0, () => Promise.resolve()];
  await withLedgers(async (bench) => {
    const { store, batches } = counted(await open(bench.clock));
    const ledger = await bench.open(bench.folder(), { store });
    let posted = 0;
    for (let ms = 0; ms < 1_000 * SECONDS; ms += STEP_MS) {
      const due = Math.floor(perSecond * (ms + STEP_MS) / 1_000);
      const noted = Array.from({ length: due - posted }, (_, n) => ledger.post(of(posted + n)));
      posted = due;
      await Promise.all(noted);
      bench.clock.advance(STEP_MS);
      await new Promise((resolve) => setTimeout(resolve, 0)); // the store answers between two of them
    }
    await ledger.settled();
    found = batches();
    const records = () => Array.fromAsync(store.list("plugin.usage/records/2026-11-23"));
    const wanted = of(0).some(({ put }) => put !== undefined) ? posted : 0;
    await until(async () => (await records()).length === wanted);
    end = () => store.close();
  });
  await end(); // the ledger is closed by now
  return found;
}

const STORES: Readonly<Record<string, (clock: FakeClock) => Promise<Store>>> = {
  memory: (clock) => Promise.resolve(openMemoryStore({ clock })),
  deno_kv: (clock) => openDenoKvStore({ path: ":memory:", clock }),
};

/** What DynamoDB takes. */
async function small(clock: FakeClock): Promise<Store> {
  const batchLimits = { writes: MOST_WRITES, sums: MOST_WRITES, keyBytes: Infinity };
  const inner = await STORES["memory"]!(clock);
  return new Proxy(inner, {
    get(target, name) {
      const member = Reflect.get(target, name);
      if (name === "batchLimits") return batchLimits;
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

/** Four a second; and at the end what is under way, what came meanwhile, and what is left. */
const MOST = 4 * SECONDS + 3;

for (const [name, open] of Object.entries(STORES)) {
  Deno.test(`${name}: postings cost four batches a second at most, of 10 requests a second or 1,000`, async () => {
    for (const perSecond of [10, 1_000]) {
      const batches = await batchesAt(perSecond, { open });
      assert.ok(batches <= MOST, `${batches} batches of ${perSecond} requests a second`);
    }
  });
}

Deno.test("a store of small batches: one of 48 records, and of sums alone four a second", async () => {
  const records = await batchesAt(1_000, { open: small });
  assert.ok(records >= 1_000 * SECONDS / 48, `${records} batches`);
  assert.ok(records <= 1_000 * SECONDS / 48 + MOST, `${records} batches`);
  const sums = (n: number) => postingOf(n).filter(({ add }) => add !== undefined);
  const batches = await batchesAt(1_000, { open: small, of: sums });
  assert.ok(batches <= MOST, `${batches} batches`);
});

const ENDS: Readonly<Record<string, (n: number) => StoreWrite[]>> = {
  "of many keys": (n) => postingOf(n, `key_${n}`),
  "with long names": (n) =>
    postingOf(n).map((write) => ({
      ...write,
      key: [write.key[0], write.key[1].padEnd(250, "é").padEnd(700, String(n % 7))],
    })),
};

for (const [what, of] of Object.entries(ENDS)) {
  Deno.test(`deno_kv: of requests ${what} at the same time, no batch is larger than it takes`, async () => {
    await withLedgers(async (bench) => {
      const { store, batches, refusals } = counted(await STORES["deno_kv"]!(bench.clock));
      const ledger = await bench.open(bench.folder(), { store });
      await Promise.all(Array.from({ length: 600 }, (_, n) => ledger.post(of(n))));
      await ledger.settled();
      assert.deepEqual(refusals, []);
      const records = await Array.fromAsync(store.list("plugin.usage/records/2026-11-23"));
      assert.equal(records.length, 600);
      assert.ok(batches() >= 2 && batches() < 60, `${batches()} batches`);
      await ledger.close();
      await store.close();
    });
  });
}
