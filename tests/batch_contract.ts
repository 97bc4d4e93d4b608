/**
 * What every store promises of batches, as tests: the part of `store_contract.ts` on `apply`.
 * @module
 */
import assert from "node:assert/strict";
import { MOST_WRITES, type StoreWrite } from "../src/storage/store.ts";
import type { ContractTest } from "./counters_contract.ts";

/** Registers the tests. */
export function batchContract(test: ContractTest): void {
  test("apply() writes all of a batch, once for its id", async (store, clock) => {
    const writes = [
      { key: ["p", "a"] as const, put: { n: 1 }, expiresAt: clock.now() + 5_000 },
      { key: ["p", "count"] as const, add: { n: 2 } },
    ];
    const expiresAt = clock.now() + 10_000;
    await store.add(["p", "count"], { n: 1 });
    assert.equal(await store.apply("batch", writes, { expiresAt }), true);
    assert.equal(await store.apply("batch", writes, { expiresAt }), false);
    assert.equal(await store.apply("other", writes.slice(1), { expiresAt }), true);
    assert.deepEqual((await store.get(["p", "a"]))?.value, { n: 1 });
    assert.equal((await store.get(["p", "a"]))?.expiresAt, clock.now() + 5_000);
    assert.deepEqual((await store.get(["p", "count"]))?.value, { n: 5 });
    clock.advance(10_000);
    assert.equal(await store.apply("batch", writes.slice(1), { expiresAt: expiresAt * 2 }), true);
    assert.deepEqual((await store.get(["p", "count"]))?.value, { n: 7 });
  });

  test(
    "apply() of one id by twenty at once happens once; of twenty ids, each once",
    async (store, clock) => {
      const batch = [{ key: ["p", "count"] as const, add: { n: 1 } }];
      const options = { expiresAt: clock.now() + 1_000 };
      const apply = (id: string) => store.apply(id, batch, options);
      const same = await Promise.all(Array.from({ length: 20 }, () => apply("one")));
      assert.equal(same.filter((applied) => applied).length, 1);
      await Promise.all(Array.from({ length: 20 }, (_, n) => apply(`id ${n}`)));
      assert.deepEqual((await store.get(["p", "count"]))?.value, { n: 21 });
    },
  );

  test("apply() writes nothing of a batch in which one write cannot be", async (store, clock) => {
    const options = { expiresAt: clock.now() + 1_000 };
    await store.add(["p", "full"], { n: Number.MAX_SAFE_INTEGER });
    const writes = [
      { key: ["p", "a"] as const, put: 1 },
      { key: ["p", "full"] as const, add: { n: 1 } },
    ];
    await assert.rejects(store.apply("batch", writes, options), RangeError);
    assert.equal(await store.get(["p", "a"]), undefined);
    const twice = [writes[0], writes[0]].filter((write) => write !== undefined);
    await assert.rejects(store.apply("batch", twice, options), RangeError);
    assert.equal(await store.apply("batch", writes.slice(0, 1), options), true);
  });

  test(
    "apply() takes a batch of as many writes and sums as it says, and no larger one",
    async (store, clock) => {
      const options = { expiresAt: clock.now() + 1_000 };
      const { writes: most, sums } = store.batchLimits;
      assert.ok(most >= MOST_WRITES && sums >= MOST_WRITES && most >= sums);
      const writes = Array.from({ length: most + 1 }, (_, n): StoreWrite => {
        const key = ["p", `${n}`] as const;
        return n < sums ? { key, add: { n } } : { key, put: n };
      });
      await assert.rejects(store.apply("batch", writes, options), RangeError);
      const added = writes.map(({ key }): StoreWrite => ({ key, add: { n: 1 } }));
      await assert.rejects(store.apply("batch", added.slice(0, sums + 1), options), RangeError);
      assert.equal(await store.apply("batch", writes.slice(0, most), options), true);
      assert.deepEqual((await store.get(["p", `${sums - 1}`]))?.value, { n: sums - 1 });
      if (most > sums) assert.equal((await store.get(["p", `${most - 1}`]))?.value, most - 1);
    },
  );

  test("apply() takes a batch of the longest keys, as many as it says", async (store, clock) => {
    const options = { expiresAt: clock.now() + 1_000 };
    const { writes: most, keyBytes } = store.batchLimits;
    assert.ok(keyBytes >= 1_024 * MOST_WRITES);
    const bytes = 964; // a view's prefix is to fit, too
    const sort = (n: number) => "é🌍".repeat(160) + String(n).padStart(3, "0");
    const writes = Array.from(
      { length: Math.min(most, Math.floor(keyBytes / bytes)) + 1 },
      (_, n) => ({
        key: ["p", sort(n)] as const,
        put: n,
      }),
    );
    assert.equal(new TextEncoder().encode(`p${sort(0)}`).byteLength, bytes);
    await assert.rejects(store.apply("batch", writes, options), RangeError);
    assert.equal(await store.apply("batch", writes.slice(1), options), true);
    assert.equal((await store.get(["p", sort(1)]))?.value, 1);
  });
}
