/**
 * What every store promises, as tests: see `src/storage/store.ts`.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Entry, JsonValue, ListOptions, Store } from "../src/storage/store.ts";
import { batchContract } from "./batch_contract.ts";
import { countersContract } from "./counters_contract.ts";
import { FakeClock } from "./fake_clock.ts";
import { checkAsyncProperty } from "./seed.ts";

/** Opens an empty store on a clock. */
export type OpenStore = (clock: FakeClock) => Promise<Store>;

async function collect<T>(entries: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const entry of entries) all.push(entry);
  return all;
}

async function sorts(store: Store, options?: ListOptions): Promise<string[]> {
  return (await collect(store.list("p", options))).map(({ key }) => key[1]);
}

/** Registers the suite for one kind of store. */
export function storeContract(name: string, open: OpenStore): void {
  const test = (what: string, run: (store: Store, clock: FakeClock) => Promise<void>) => {
    Deno.test(`${name}: ${what}`, async () => {
      const clock = new FakeClock();
      const store = await open(clock);
      try {
        await run(store, clock);
      } finally {
        await store.close();
      }
    });
  };

  test("get() gives what put() wrote, and undefined for what is not there", async (store) => {
    assert.equal(await store.get(["p", "a"]), undefined);
    const version = await store.put(["p", "a"], { n: 1, list: [null, true, "ü"] });
    const entry = await store.get(["p", "a"]);
    assert.deepEqual(entry, { key: ["p", "a"], value: { n: 1, list: [null, true, "ü"] }, version });
    assert.equal(await store.get(["q", "a"]), undefined);
  });

  test("values come back as copies of the writer's own", async (store) => {
    const value = { inner: { n: 1 } };
    await store.put(["p", "a"], value);
    value.inner.n = 2;
    const first = await store.get<typeof value>(["p", "a"]);
    assert.equal(first?.value.inner.n, 1);
    if (first !== undefined) first.value.inner.n = 3;
    assert.equal((await store.get<typeof value>(["p", "a"]))?.value.inner.n, 1);
  });

  test("any JSON comes back equal", async (store) => {
    await checkAsyncProperty(
      fc.asyncProperty(fc.jsonValue(), async (json) => {
        const value = JSON.parse(JSON.stringify(json)) as JsonValue; // -0 is no JSON number
        await store.put(["p", "json"], value);
        assert.deepEqual((await store.get(["p", "json"]))?.value, value);
      }),
      50,
    );
  });

  test("put() with a version writes only over that version", async (store) => {
    const first = await store.put(["p", "a"], 1);
    assert.ok(first !== undefined);
    const second = await store.put(["p", "a"], 2, { when: { version: first } });
    assert.ok(second !== undefined && second !== first);
    assert.equal(await store.put(["p", "a"], 3, { when: { version: first } }), undefined);
    assert.equal((await store.get(["p", "a"]))?.value, 2);
    assert.equal(await store.put(["p", "none"], 1, { when: { version: first } }), undefined);
  });

  test("put() when absent writes once, whoever comes first of fifty", async (store) => {
    const puts = Array.from({ length: 50 }, (_, n) => store.put(["p", "a"], n, { when: "absent" }));
    const versions = await Promise.all(puts);
    assert.equal(versions.filter((version) => version !== undefined).length, 1);
    const winner = versions.findIndex((version) => version !== undefined);
    assert.equal((await store.get(["p", "a"]))?.value, winner);
  });

  test("of fifty writers that hold one version exactly one succeeds", async (store) => {
    const version = await store.put(["p", "a"], -1);
    assert.ok(version !== undefined);
    const puts = Array.from(
      { length: 50 },
      (_, n) => store.put(["p", "a"], n, { when: { version } }),
    );
    assert.equal((await Promise.all(puts)).filter((done) => done !== undefined).length, 1);
  });

  test("delete() removes what is there, under its condition", async (store) => {
    const first = await store.put(["p", "a"], 1);
    const second = await store.put(["p", "a"], 2);
    assert.ok(first !== undefined && second !== undefined);
    assert.equal(await store.delete(["p", "a"], { version: first }), false);
    assert.equal(await store.delete(["p", "a"], { version: second }), true);
    assert.equal(await store.delete(["p", "a"]), false);
    assert.equal(await store.get(["p", "a"]), undefined);
  });

  test("add() loses nothing among fifty at once, below zero too", async (store) => {
    const deltas = Array.from({ length: 50 }, (_, n) => n - 20);
    await Promise.all(deltas.map((n) => store.add(["p", "count"], { n, ones: 1 })));
    const wanted = deltas.reduce((sum, n) => sum + n, 0);
    assert.deepEqual(await store.add(["p", "count"], {}), { n: wanted, ones: 50 });
    assert.deepEqual((await store.get(["p", "count"]))?.value, { n: wanted, ones: 50 });
  });

  test("add() refuses what is no safe integer", async (store) => {
    await assert.rejects(store.add(["p", "count"], { n: 0.5 }), RangeError);
    await store.add(["p", "count"], { n: Number.MAX_SAFE_INTEGER });
    await assert.rejects(store.add(["p", "count"], { n: 1 }), RangeError);
    assert.deepEqual(await store.add(["p", "count"], { n: -1 }), {
      n: Number.MAX_SAFE_INTEGER - 1,
    });
  });

  test("counters can be put over by their version, and added to again", async (store, clock) => {
    const expiresAt = clock.now() + 60_000;
    await store.add(["p", "count"], { n: 1 }, { expiresAt });
    const first = await store.get(["p", "count"]);
    assert.ok(first !== undefined);
    await store.add(["p", "count"], { n: 1 });
    const late = { when: { version: first.version }, expiresAt };
    assert.equal(await store.put(["p", "count"], { n: 9 }, late), undefined);
    const second = await store.get(["p", "count"]);
    assert.ok(second !== undefined);
    const when = { version: second.version };
    assert.ok(await store.put(["p", "count"], { n: 5, "a/b": 2 }, { when, expiresAt }));
    const writes = [{ key: ["p", "count"] as const, add: { n: 1, "a/b": -3, "c.d": 4 } }];
    await store.apply("batch", writes, { expiresAt });
    assert.deepEqual((await store.get(["p", "count"]))?.value, { n: 6, "a/b": -1, "c.d": 4 });
    assert.equal((await store.get(["p", "count"]))?.expiresAt, expiresAt);
    assert.deepEqual(await store.add(["p", "count"], { n: 1 }), { n: 7, "a/b": -1, "c.d": 4 });
  });

  test("an entry is gone when its time has come, for every call", async (store, clock) => {
    const expiresAt = clock.now() + 1_000;
    const version = await store.put(["p", "a"], 1, { expiresAt });
    assert.ok(version !== undefined);
    assert.equal((await store.get(["p", "a"]))?.expiresAt, expiresAt);
    clock.advance(999);
    assert.equal((await store.get(["p", "a"]))?.value, 1);
    clock.advance(1);
    assert.equal(await store.get(["p", "a"]), undefined);
    assert.deepEqual(await sorts(store), []);
    assert.equal(await store.put(["p", "a"], 2, { when: { version } }), undefined);
    assert.equal(await store.delete(["p", "a"]), false);
    assert.ok(await store.put(["p", "a"], 3, { when: "absent" }) !== undefined);
    assert.equal((await store.get(["p", "a"]))?.expiresAt, undefined);
  });

  test("add() keeps the first end of a counter, and begins anew after it", async (store, clock) => {
    const end = clock.now() + 1_000;
    await store.add(["p", "count"], { n: 5 }, { expiresAt: end });
    await store.add(["p", "count"], { n: 5 }, { expiresAt: end + 60_000 });
    assert.equal((await store.get(["p", "count"]))?.expiresAt, end);
    clock.advance(1_000);
    assert.deepEqual(await store.add(["p", "count"], { n: 1 }), { n: 1 });
  });

  test("list() is in order of UTF-8 bytes, where UTF-16 units would be wrong", async (store) => {
    const wanted = ["A", "a", "a!", "ab", "é", "\u{ffff}", "🌍", "🌍a"];
    for (const sort of wanted.toReversed()) await store.put(["p", sort], sort);
    await store.put(["other", "a"], 1);
    assert.deepEqual(await sorts(store), wanted);
    assert.deepEqual(await sorts(store, { reverse: true }), wanted.toReversed());
  });

  test("list() takes from, to, prefix, limit and reverse together", async (store) => {
    for (const sort of ["a", "b1", "b2", "b3", "c"]) await store.put(["p", sort], 1);
    assert.deepEqual(await sorts(store, { from: "b1", to: "b3" }), ["b1", "b2"]);
    assert.deepEqual(await sorts(store, { prefix: "b" }), ["b1", "b2", "b3"]);
    assert.deepEqual(await sorts(store, { prefix: "b", reverse: true, limit: 2 }), ["b3", "b2"]);
    assert.deepEqual(await sorts(store, { limit: 2 }), ["a", "b1"]);
    assert.deepEqual(await sorts(store, { prefix: "b", from: "b2" }), ["b2", "b3"]);
    assert.deepEqual(await sorts(store, { to: "b1", reverse: true }), ["a"]);
    assert.deepEqual(await sorts(store, { limit: 0 }), []);
    assert.deepEqual(await sorts(store, { prefix: "zz" }), []);
  });

  test("a key with an empty part, or too long a one, is refused", async (store) => {
    await assert.rejects(store.get(["", "a"]), RangeError);
    await assert.rejects(store.put(["p", ""], 1), RangeError);
    await assert.rejects(store.put(["p", "é".repeat(600)], 1), RangeError);
    await assert.rejects(store.put(["p", "half \ud83c"], 1), RangeError);
  });

  test("random calls do what a plain map does", async (store) => {
    const sort = fc.constantFrom("a", "b", "c");
    const call = fc.oneof(
      fc.record({ op: fc.constant("put" as const), sort, n: fc.integer() }),
      fc.record({ op: fc.constant("absent" as const), sort, n: fc.integer() }),
      fc.record({ op: fc.constant("delete" as const), sort }),
      fc.record({ op: fc.constant("get" as const), sort }),
    );
    let round = 0;
    await checkAsyncProperty(
      fc.asyncProperty(fc.array(call, { maxLength: 20 }), async (calls) => {
        const partition = `model${round++}`;
        const model = new Map<string, number>();
        for (const one of calls) {
          const key = [partition, one.sort] as const;
          if (one.op === "put") {
            await store.put(key, one.n);
            model.set(one.sort, one.n);
          } else if (one.op === "absent") {
            const done = await store.put(key, one.n, { when: "absent" });
            assert.equal(done === undefined, model.has(one.sort));
            if (!model.has(one.sort)) model.set(one.sort, one.n);
          } else if (one.op === "delete") {
            assert.equal(await store.delete(key), model.delete(one.sort));
          } else {
            assert.equal((await store.get(key))?.value, model.get(one.sort));
          }
        }
        const listed = await collect<Entry>(store.list(partition));
        assert.deepEqual(
          listed.map(({ key, value }) => [key[1], value]),
          [...model].sort(([a], [b]) => a < b ? -1 : 1),
        );
      }),
      40,
    );
  });

  batchContract(test);
  countersContract(test);

  test("after close() every call rejects", async (store) => {
    await store.ping();
    await store.close();
    await assert.rejects(store.get(["p", "a"]));
    await assert.rejects(store.put(["p", "a"], 1));
    await assert.rejects(store.delete(["p", "a"]));
    await assert.rejects(store.add(["p", "a"], { n: 1 }));
    await assert.rejects(store.apply("batch", [], { expiresAt: 1 }));
    await assert.rejects(collect(store.list("p")));
    await assert.rejects(store.ping());
  });
}
