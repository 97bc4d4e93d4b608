/**
 * What every store promises of counters, as tests: the part of `store_contract.ts` on what they are made of.
 * @module
 */
import assert from "node:assert/strict";
import type { Store } from "../src/storage/store.ts";
import type { FakeClock } from "./fake_clock.ts";

/** Registers one test on a store of its own. */
export type ContractTest = (
  what: string,
  run: (store: Store, clock: FakeClock) => Promise<void>,
) => void;

/** Registers the tests. */
export function countersContract(test: ContractTest): void {
  test(
    "add() adds to counters, however they came there, and to nothing else",
    async (store, clock) => {
      await store.put(["p", "count"], { n: 5 });
      assert.deepEqual(await store.add(["p", "count"], { n: 1, m: 2 }), { n: 6, m: 2 });
      for (const value of ["text", [1], null, { n: 1, name: "a" }, { n: 0.5 }]) {
        const expiresAt = clock.now() + 60_000;
        const version = await store.put(["p", "other"], value, { expiresAt });
        await assert.rejects(store.add(["p", "other"], { n: 1 }), TypeError);
        const entry = { key: ["p", "other"], value, version, expiresAt };
        assert.deepEqual(await store.get(["p", "other"]), entry);
      }
    },
  );

  test("add() without sums returns none, and adds all the same", async (store) => {
    assert.deepEqual(await store.add(["p", "count"], { n: 1 }, { sums: false }), {});
    assert.deepEqual(await store.add(["p", "count"], { n: 1 }), { n: 2 });
  });
}
