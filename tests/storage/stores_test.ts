import assert from "node:assert/strict";
import { openDenoKvStore } from "../../src/storage/deno_kv.ts";
import { openMemoryStore } from "../../src/storage/memory.ts";
import { prefixedStore } from "../../src/storage/prefixed.ts";
import { openLocalStore } from "../dynamodb_local.ts";
import { FakeClock } from "../fake_clock.ts";
import { storeContract } from "../store_contract.ts";

storeContract("memory", (clock) => Promise.resolve(openMemoryStore({ clock })));
storeContract("deno_kv", (clock) => openDenoKvStore({ path: ":memory:", clock }));
storeContract("dynamodb", (clock) => openLocalStore(clock));
storeContract("dynamodb with a prefix", (clock) => openLocalStore(clock, "team/"));
storeContract(
  "prefixed",
  (clock) => Promise.resolve(prefixedStore(openMemoryStore({ clock }), "mine")),
);

Deno.test("deno_kv: two handles on one file see each other's writes, and share its counters", async () => {
  const folder = await Deno.makeTempDir();
  const clock = new FakeClock();
  const path = `${folder}/keys.db`;
  const server = await openDenoKvStore({ path, clock });
  const command = await openDenoKvStore({ path, clock });
  try {
    await command.put(["keys", "a"], { name: "new" });
    assert.deepEqual((await server.get(["keys", "a"]))?.value, { name: "new" });
    const adds = Array.from(
      { length: 40 },
      (_, n) => (n % 2 ? server : command).add(["c", "n"], { n: 1 }),
    );
    await Promise.all(adds);
    assert.deepEqual(await server.add(["c", "n"], {}), { n: 40 });
  } finally {
    await server.close();
    await command.close();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("deno_kv: a file that cannot be opened is an error that says what to do", async () => {
  await assert.rejects(
    openDenoKvStore({ path: "/proc/no/such/folder/keys.db", clock: new FakeClock() }),
    /Cannot open the store \/proc\/no\/such\/folder\/keys\.db: .* Set store\.path to a file in a folder/,
  );
});

Deno.test("deno_kv: a value over its limit is refused by name", async () => {
  const store = await openDenoKvStore({ path: ":memory:", clock: new FakeClock() });
  try {
    await assert.rejects(
      store.put(["p", "big"], "x".repeat(70_000)),
      /Cannot store p\/big as it must be at most/,
    );
  } finally {
    await store.close();
  }
});

Deno.test("prefixed: a plugin sees its own entries and nobody else's", async () => {
  const store = openMemoryStore({ clock: new FakeClock() });
  const mine = prefixedStore(store, "mine");
  const other = prefixedStore(store, "other");
  await store.put(["keys", "secret"], 1);
  await other.put(["keys", "secret"], 2);
  assert.equal(await mine.get(["keys", "secret"]), undefined);
  await mine.put(["keys", "secret"], 3);
  assert.equal((await store.get(["keys", "secret"]))?.value, 1);
  assert.equal((await other.get(["keys", "secret"]))?.value, 2);
  await mine.close();
  assert.equal((await store.get(["keys", "secret"]))?.value, 1);
});
