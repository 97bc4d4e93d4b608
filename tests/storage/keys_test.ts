import assert from "node:assert/strict";
import { Keys } from "../../src/storage/keys.ts";
import { openMemoryStore } from "../../src/storage/memory.ts";
import type { Store, StoreKey } from "../../src/storage/store.ts";
import { FakeClock } from "../fake_clock.ts";

/** A store that counts what is read of keys. */
function counting(store: Store): { store: Store; reads: () => number } {
  let reads = 0;
  const counted: Store = Object.create(store, {
    get: {
      value: (key: StoreKey) => {
        reads++;
        return store.get(key);
      },
    },
    put: { value: store.put.bind(store) },
    list: { value: store.list.bind(store) },
  });
  return { store: counted, reads: () => reads };
}

async function open() {
  const clock = new FakeClock();
  const inner = openMemoryStore({ clock });
  const { store, reads } = counting(inner);
  const keys = await Keys.open(store, { clock });
  return { clock, inner, store, reads, keys };
}

Deno.test("create() gives a key that verify() knows", async () => {
  const { keys } = await open();
  const { record, key } = await keys.create({ name: "laptop", user: "ada" });
  assert.match(key, /^sk-oc-[0-9a-z]{10}-[0-9a-z]{42}$/);
  assert.match(record.id, /^key_[0-9a-z]{10}$/);
  assert.deepEqual(await keys.verify(key), { ok: true, key: record });
  assert.deepEqual(await keys.get(record.id), record);
  assert.equal(record.created_at, "2026-11-23T12:00:00.000Z");
});

Deno.test("a dump of the store holds no key, and no part of one's secret", async () => {
  const { keys, inner } = await open();
  const { key } = await keys.create({ name: "laptop" });
  const dump: string[] = [];
  for (const partition of ["keys", "meta"]) {
    for await (const entry of inner.list(partition)) dump.push(JSON.stringify(entry));
  }
  assert.equal(dump.length, 2);
  const secret = key.slice("sk-oc-0123456789-".length);
  assert.ok(!dump.join("\n").includes(secret.slice(0, 12)));
});

Deno.test("verify() refuses garbage without asking the store", async () => {
  const { keys, reads } = await open();
  const { key } = await keys.create({ name: "laptop" });
  const before = reads();
  const other = (letter: string) => letter === "0" ? "1" : "0";
  const flipped = key.slice(0, -1) + other(key.slice(-1));
  const mistyped = key.slice(0, 20) + other(key.charAt(20)) + key.slice(21);
  for (
    const text of [
      "",
      "sk-ant-api03-xyz",
      "sk-oc-",
      flipped,
      mistyped,
      key.toUpperCase(),
      `${key}0`,
      "x".repeat(9_999),
    ]
  ) {
    assert.deepEqual(
      await keys.verify(text),
      { ok: false, reason: "malformed" },
      text.slice(0, 40),
    );
  }
  assert.equal(reads(), before);
});

Deno.test("verify() refuses a key that another gateway made, or anybody else, without asking the store", async () => {
  const { keys, reads } = await open();
  const before = reads();
  for (let n = 0; n < 200; n++) {
    const other = await open();
    const { key } = await other.keys.create({ name: "theirs" });
    assert.deepEqual(await keys.verify(key), { ok: false, reason: "malformed" });
  }
  assert.equal(reads(), before);
});

Deno.test("verify() refuses a text that a key had once, and asks the store for it once in 2 s", async () => {
  const { keys, reads, clock } = await open();
  const { record, key } = await keys.create({ name: "laptop" });
  await keys.rotate(record.id, 0);
  clock.advance(1);
  const before = reads();
  for (let n = 0; n < 200; n++) {
    assert.deepEqual(await keys.verify(key), { ok: false, reason: "unknown" });
  }
  assert.equal(reads() - before, 1);
});

Deno.test("a known key is verified from memory, and asked for once by many at once", async () => {
  const { keys, reads, clock } = await open();
  const { key } = await keys.create({ name: "laptop" });
  const before = reads();
  await Promise.all(Array.from({ length: 20 }, () => keys.verify(key)));
  assert.equal(reads() - before, 1);
  clock.advance(999);
  await keys.verify(key);
  assert.equal(reads() - before, 1);
  clock.advance(1_001);
  await keys.verify(key);
  assert.equal(reads() - before, 2);
});

Deno.test("no request of a key in use waits for the store, which is read once a second at most", async () => {
  const { keys, reads, clock } = await open();
  const { key } = await keys.create({ name: "laptop" });
  await keys.verify(key);
  const before = reads();
  for (let request = 0; request < 200; request++) {
    clock.advance(50);
    const verdict = keys.verify(key);
    assert.ok(!(verdict instanceof Promise), `request ${request} waits`);
    assert.equal(verdict.ok, true);
    await new Promise((resolve) => setTimeout(resolve)); // the store answers between requests
  }
  assert.ok(reads() - before <= 10, `${reads() - before} reads in ten seconds`);
});

Deno.test("a key in use that is revoked is refused within 2 s, and its refusal waits for nothing", async () => {
  const { keys, store, clock } = await open();
  const { record, key } = await keys.create({ name: "laptop" });
  assert.equal((await keys.verify(key)).ok, true);
  await (await Keys.open(store, { clock })).revoke(record.id);
  clock.advance(1_500);
  assert.equal((await keys.verify(key)).ok, true);
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(keys.verify(key), { ok: false, reason: "revoked" });
});

Deno.test("a read ahead that fails leaves the verdict in force to its end, and is tried again", async () => {
  const { keys, inner, clock } = await open();
  const { key } = await keys.create({ name: "laptop" });
  let down = false;
  let tried = 0;
  const flaky: Store = Object.create(inner, {
    get: {
      value: (at: StoreKey) => {
        tried++;
        return down ? Promise.reject(new Error("The store is down")) : inner.get(at);
      },
    },
    put: { value: inner.put.bind(inner) },
  });
  const served = await Keys.open(flaky, { clock });
  assert.equal((await served.verify(key)).ok, true);
  down = true;
  const before = tried;
  for (const ms of [1_000, 400, 400]) {
    clock.advance(ms);
    assert.equal((await served.verify(key)).ok, true);
    await new Promise((resolve) => setTimeout(resolve));
  }
  assert.equal(tried - before, 3);
  clock.advance(200);
  await assert.rejects(async () => await served.verify(key), /store is down/);
});

Deno.test("a key revoked by another process is refused within 2 s", async () => {
  const { keys, store, clock } = await open();
  const { record, key } = await keys.create({ name: "laptop" });
  const command = await Keys.open(store, { clock });
  assert.equal((await keys.verify(key)).ok, true);
  assert.equal((await command.revoke(record.id))?.revoked_at, "2026-11-23T12:00:00.000Z");
  clock.advance(2_000);
  assert.deepEqual(await keys.verify(key), { ok: false, reason: "revoked" });
  assert.equal(await keys.count(), 0);
});

Deno.test("a key made by another process is accepted at once", async () => {
  const { keys, store, clock } = await open();
  const command = await Keys.open(store, { clock });
  const { key } = await command.create({ name: "new" });
  assert.equal((await keys.verify(key)).ok, true);
});

Deno.test("a key ends when its time has come", async () => {
  const { keys, clock } = await open();
  const expires_at = new Date(clock.now() + 60_000).toISOString();
  const { key } = await keys.create({ name: "short", expires_at });
  assert.equal((await keys.verify(key)).ok, true);
  clock.advance(62_000);
  assert.deepEqual(await keys.verify(key), { ok: false, reason: "expired" });
});

Deno.test("verify() rejects when the store does not answer, and takes that for no verdict", async () => {
  const { keys, inner, store, clock } = await open();
  const { key } = await keys.create({ name: "laptop" });
  let down = true;
  const flaky: Store = Object.create(store, {
    get: {
      value: (at: StoreKey) =>
        down ? Promise.reject(new Error("The store is down")) : inner.get(at),
    },
  });
  const secret = (await inner.get<string>(["meta", "key_secret"]))?.value ?? "";
  const served = await Keys.open(flaky, { clock, secret });
  await assert.rejects(async () => await served.verify(key), /store is down/);
  down = false;
  assert.equal((await served.verify(key)).ok, true);
});

Deno.test("the secret of the environment, not the store's, decides who is known", async () => {
  const { store, clock } = await open();
  const a = await Keys.open(store, { clock, secret: "one secret" });
  const b = await Keys.open(store, { clock, secret: "another secret" });
  const { key } = await a.create({ name: "laptop" });
  assert.equal((await a.verify(key)).ok, true);
  assert.deepEqual(await b.verify(key), { ok: false, reason: "malformed" });
});

Deno.test("verdicts on ten thousand keys are kept, and the oldest makes room for one more", async () => {
  const { keys, reads } = await open();
  const texts: string[] = [];
  for (let n = 0; n <= 10_000; n++) texts.push((await keys.create({ name: `key ${n}` })).key);
  const [first = "", second = ""] = texts;
  const costs = async (key: string) => {
    const before = reads();
    assert.equal((await keys.verify(key)).ok, true);
    return reads() - before;
  };
  for (const key of texts.slice(0, -1)) await keys.verify(key);
  assert.equal(await costs(first), 0);
  assert.equal(await costs(texts.at(-1) ?? ""), 1);
  assert.equal(await costs(second), 0);
  assert.equal(await costs(first), 1);
});
