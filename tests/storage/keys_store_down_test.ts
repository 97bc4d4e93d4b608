/** Keys while the store does not answer. */
import assert from "node:assert/strict";
import { Keys } from "../../src/storage/keys.ts";
import { openMemoryStore } from "../../src/storage/memory.ts";
import type { Store, StoreKey } from "../../src/storage/store.ts";
import { FakeClock } from "../fake_clock.ts";

const VALID_MS = 900_000;

/** A store whose reads fail, or hang, and are counted. */
function flaky(clock: FakeClock) {
  const inner = openMemoryStore({ clock });
  const state = { mood: "up" as "up" | "down" | "hangs", reads: 0 };
  const get = (at: StoreKey) => {
    state.reads++;
    if (state.mood === "down") return Promise.reject(new Error("The store is down"));
    return state.mood === "hangs" ? new Promise(() => {}) : inner.get(at);
  };
  const store: Store = Object.create(inner, {
    get: { value: get },
    put: { value: inner.put.bind(inner) },
  });
  return { store, state };
}

async function open() {
  const clock = new FakeClock();
  const { store, state } = flaky(clock);
  const keys = await Keys.open(store, { clock, validWhileDownMs: VALID_MS });
  return { clock, state, keys };
}

/** Lets what is asked be answered. */
function answered(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

Deno.test("a known key is taken for as long as is configured, and then not", async () => {
  const { clock, state, keys } = await open();
  const { key } = await keys.create({ name: "laptop" });
  await keys.verify(key);
  state.mood = "down";
  for (let ms = 0; ms < VALID_MS - 5_000; ms += 5_000) {
    clock.advance(5_000);
    assert.equal((await keys.verify(key)).ok, true, `after ${ms} ms`);
    await answered();
  }
  clock.advance(5_000);
  await answered();
  await assert.rejects(async () => await keys.verify(key), /store is down/);
  state.mood = "up";
  assert.equal((await keys.verify(key)).ok, true);
});

Deno.test("a revoked key that is known stays refused, and an unknown one outside", async () => {
  const { clock, state, keys } = await open();
  const { record, key } = await keys.create({ name: "laptop" });
  const { key: never } = await keys.create({ name: "never seen" });
  await keys.revoke(record.id);
  assert.deepEqual(await keys.verify(key), { ok: false, reason: "revoked" });
  state.mood = "down";
  clock.advance(60_000);
  assert.deepEqual(await keys.verify(key), { ok: false, reason: "revoked" });
  await assert.rejects(async () => await keys.verify(never), /store is down/);
});

Deno.test("what was to end while the store is down ends: a key, and the old text of one", async () => {
  const { clock, state, keys } = await open();
  const expires_at = new Date(clock.now() + 60_000).toISOString();
  const ending = await keys.create({ name: "ending", expires_at });
  const rotated = await keys.create({ name: "rotated" });
  const renewed = await keys.rotate(rotated.record.id, 60_000);
  const all = [ending.key, rotated.key, renewed?.key ?? ""];
  for (const key of all) assert.equal((await keys.verify(key)).ok, true);
  state.mood = "down";
  clock.advance(59_000);
  for (const key of all) assert.equal((await keys.verify(key)).ok, true);
  clock.advance(1_000);
  const verdicts = await Promise.all(all.map((key) => keys.verify(key)));
  assert.deepEqual(verdicts.map((verdict) => verdict.ok || verdict.reason), [
    "expired",
    "expired",
    true,
  ]);
});

Deno.test("one request waits a second for a store that hangs, and no other; it is asked once a second", async () => {
  const { clock, state, keys } = await open();
  const made = await Promise.all([1, 2, 3].map((n) => keys.create({ name: `key ${n}` })));
  for (const { key } of made) await keys.verify(key);
  const [first = "", ...others] = made.map(({ key }) => key);
  state.mood = "hangs";
  clock.advance(2_000);
  const before = state.reads;
  const waiting = Promise.resolve(keys.verify(first));
  clock.advance(999);
  let ended = false;
  void waiting.then(() => ended = true);
  await answered();
  assert.equal(ended, false);
  clock.advance(1);
  assert.equal((await waiting).ok, true);
  for (let ms = 0; ms < 10_000; ms += 100) {
    for (const key of others) {
      const verdict = keys.verify(key);
      assert.ok(!(verdict instanceof Promise) && verdict.ok);
    }
    clock.advance(100);
  }
  assert.ok(state.reads - before <= 3, `${state.reads - before} reads`); // each of three hangs still
});

Deno.test("when the store is back a revocation is in force within 2 s", async () => {
  const { clock, state, keys } = await open();
  const { record, key } = await keys.create({ name: "laptop" });
  await keys.verify(key);
  state.mood = "down";
  for (let second = 0; second < 30; second++) {
    clock.advance(1_000);
    assert.equal((await keys.verify(key)).ok, true);
    await answered();
  }
  state.mood = "up";
  await keys.revoke(record.id);
  clock.advance(1_000);
  await keys.verify(key); // asks
  await answered();
  clock.advance(1_000);
  assert.deepEqual(await keys.verify(key), { ok: false, reason: "revoked" });
});
