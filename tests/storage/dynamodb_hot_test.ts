/** Counters of the DynamoDB store that many write at once: kept in parts, read as one. */
import assert from "node:assert/strict";
import { openDynamoDbStore } from "../../src/storage/dynamodb.ts";
import type { Store, StoreKey } from "../../src/storage/store.ts";
import { type Call, refusal, startFront } from "../dynamodb/front.ts";
import { freshTable } from "../dynamodb_local.ts";
import { FakeClock } from "../fake_clock.ts";

const HOT: StoreKey = ["p", "hot"];

interface Setting {
  /** Two processes on one table. */
  readonly stores: readonly [Store, Store];
  readonly clock: FakeClock;
  /** Writes that reached the entry's own item. */
  readonly onItem: () => number;
  /** Adds once by each store, in a batch of its own. */
  readonly addByEach: () => Promise<void>;
}

/** Two stores whose transactions on the entry's own item meet others, until they keep away from it. */
async function withHeat(work: (setting: Setting) => Promise<void>): Promise<void> {
  const table = await freshTable();
  let writes = 0;
  const before = ({ operation, body }: Call) => {
    if (operation !== "TransactWriteItems") return undefined;
    const items: Record<string, { Key?: { sk: { S: string } } }>[] = JSON.parse(body).TransactItems;
    const at = items.findIndex(({ Update }) => Update?.Key?.sk.S === HOT[1]);
    if (at < 0) return undefined;
    writes++;
    const Code = (index: number) => ({ Code: index === at ? "TransactionConflict" : "None" });
    return refusal("TransactionCanceledException", {
      CancellationReasons: items.map((_, index) => Code(index)),
    });
  };
  const front = startFront({ upstream: table.endpoint ?? "", before });
  const clock = new FakeClock();
  const open = () => openDynamoDbStore({ ...table, endpoint: front.url, prefix: "", clock });
  const stores = [await open(), await open()] as const;
  let batches = 0;
  const addByEach = async () => {
    for (const store of stores) {
      const expiresAt = clock.now() + 60_000;
      const adds = [{ key: HOT, add: { n: 1 }, expiresAt }];
      assert.equal(await store.apply(`batch ${batches++}`, adds, { expiresAt }), true);
    }
  };
  try {
    await stores[0].add(HOT, { n: 100 }, { expiresAt: clock.now() + 60_000 });
    await work({ stores, clock, onItem: () => writes, addByEach });
  } finally {
    for (const store of stores) await store.close();
    await front.close();
  }
}

async function listed(store: Store): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const { value } of store.list(HOT[0])) values.push(value);
  return values;
}

Deno.test("dynamodb: writers keep away from an entry on which they meet, and no reader sees it", () =>
  withHeat(async ({ stores, onItem, addByEach, clock }) => {
    for (let round = 0; round < 5; round++) await addByEach();
    assert.equal(onItem(), 6, "three tries of each store");
    const [one, other] = stores;
    assert.deepEqual((await one.get(HOT))?.value, { n: 110 });
    assert.deepEqual(await listed(other), [{ n: 110 }]);
    assert.deepEqual(await one.add(HOT, { n: 1 }), { n: 111 });
    assert.deepEqual(await other.add(HOT, { m: 1 }, { sums: false }), {});
    assert.equal((await one.get(HOT))?.expiresAt, clock.now() + 60_000);
    assert.deepEqual((await one.get(HOT))?.value, { n: 111, m: 1 });
  }));

Deno.test("dynamodb: a hot entry is put over by its version, which any addition changes", () =>
  withHeat(async ({ stores: [one, other], addByEach }) => {
    const cold = await one.get(HOT);
    await addByEach();
    const before = await one.get(HOT);
    await addByEach();
    for (const version of [cold?.version ?? "", before?.version ?? ""]) {
      assert.equal(await one.put(HOT, { n: 0 }, { when: { version } }), undefined);
    }
    const now = await other.get(HOT);
    assert.deepEqual(now?.value, { n: 104 });
    const puts = [one, other].map((store) =>
      store.put(HOT, { n: 7 }, { when: { version: now?.version ?? "" } })
    );
    const versions = (await Promise.all(puts)).filter((version) => version !== undefined);
    assert.equal(versions.length, 1);
    assert.equal((await one.get(HOT))?.version, versions[0]);
    await addByEach();
    assert.deepEqual((await one.get(HOT))?.value, { n: 9 });
  }));

Deno.test("dynamodb: a hot entry is put over without conditions, alone and in a batch, and loses nothing after", () =>
  withHeat(async ({ stores: [one, other], addByEach, clock }) => {
    await addByEach();
    await one.put(HOT, { n: 10 });
    await addByEach();
    assert.deepEqual((await other.get(HOT))?.value, { n: 12 });
    const batch = [{ key: HOT, put: { n: 20 } }];
    await one.apply("over", batch, { expiresAt: clock.now() + 1_000 });
    await addByEach();
    assert.deepEqual((await other.get(HOT))?.value, { n: 22 });
    await one.put(HOT, "text");
    assert.equal((await other.get(HOT))?.value, "text");
  }));

Deno.test("dynamodb: a hot entry is removed whole, and begins anew without its parts", () =>
  withHeat(async ({ stores: [one, other], addByEach, clock }) => {
    await addByEach();
    const version = (await one.get(HOT))?.version ?? "";
    await addByEach();
    assert.equal(await one.delete(HOT, { version }), false);
    assert.equal(await one.delete(HOT), true);
    assert.equal(await other.get(HOT), undefined);
    await one.add(HOT, { n: 1 });
    clock.advance(2_000); // by then everybody looks again
    await addByEach();
    assert.deepEqual((await other.get(HOT))?.value, { n: 3 });
    const whole = (await one.get(HOT))?.version ?? "";
    assert.equal(await one.delete(HOT, { version: whole }), true);
    assert.deepEqual(await listed(one), []);
  }));

Deno.test("dynamodb: a hot entry ends at its time, parts and all", () =>
  withHeat(async ({ stores: [one], addByEach, clock }) => {
    await addByEach();
    clock.advance(60_000);
    assert.equal(await one.get(HOT), undefined);
    assert.deepEqual(await one.add(HOT, { n: 1 }), { n: 1 });
  }));
