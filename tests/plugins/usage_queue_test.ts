/** How `usage` writes: in the background, in batches, and through a store that is down. */
import assert from "node:assert/strict";
import { z } from "zod";
import { builtins } from "../../plugins/mod.ts";
import { Sharing } from "../../src/sharing/shared.ts";
import { DirectLedger } from "../../src/ledger/direct.ts";
import { openLog } from "../../src/log.ts";
import type { CompleteContext, Hooks, Host, Plugin } from "../../src/pipeline/plugin.ts";
import { openMemoryStore } from "../../src/storage/memory.ts";
import { matchesGlob } from "../../src/text/glob.ts";
import { prefixedStore } from "../../src/storage/prefixed.ts";
import type { Store } from "../../src/storage/store.ts";
import { FakeClock } from "../fake_clock.ts";
import { withHarness } from "../harness.ts";

const DAY = "2026-11-23"; // at which the fake clock begins, at noon

/** A store in memory that can be down, be slow, and counts writes. */
class Switchable {
  down = false;
  writes = 0;
  /** Writes wait for it. */
  gate: Promise<void> = Promise.resolve();
  readonly inner: Store;
  readonly store: Store;

  constructor(clock: FakeClock) {
    this.inner = openMemoryStore({ clock });
    const write = async <T>(work: () => Promise<T>): Promise<T> => {
      this.writes++;
      await this.gate;
      if (this.down) throw new Error("Cannot write as the database must answer: it does not");
      return await work();
    };
    this.store = {
      get: (key) => this.inner.get(key),
      put: (key, value, options) => write(() => this.inner.put(key, value, options)),
      delete: (key, when) => this.inner.delete(key, when),
      add: (key, deltas, options) => write(() => this.inner.add(key, deltas, options)),
      apply: (id, writes, options) => write(() => this.inner.apply(id, writes, options)),
      list: (partition, options) => this.inner.list(partition, options),
      ping: () => this.inner.ping(),
      close: () => this.inner.close(),
    };
  }

  async records(): Promise<string[]> {
    const list = prefixedStore(this.inner, "usage").list(`records/${DAY}`);
    return (await Array.fromAsync(list)).map(({ key }) => key[1].split("/")[1] ?? "");
  }

  async requests(): Promise<number> {
    const list = prefixedStore(this.inner, "usage").list<{ requests: number }>(`rollup/${DAY}`);
    return (await Array.fromAsync(list)).reduce((sum, { value }) => sum + value.requests, 0);
  }
}

interface Bench {
  readonly clock: FakeClock;
  readonly store: Switchable;
  readonly log: string[];
  readonly host: Host;
}

function bench(): Bench {
  const clock = new FakeClock();
  const store = new Switchable(clock);
  const log: string[] = [];
  const host: Host = {
    name: "usage",
    store: prefixedStore(store.store, "usage"),
    ledger: new DirectLedger(prefixedStore(store.store, "usage"), clock),
    shared: new Sharing(store.store, clock).of("usage"),
    keys: { verify: () => ({ ok: false, reason: "unknown" }), used: () => undefined },
    log: openLog({ level: "info", format: "json", write: (line) => log.push(line) }),
    clock,
    matchesGlob,
    memory: new Map(),
  };
  return { clock, store, log, host };
}

async function setUp(host: Host, settings: unknown = {}): Promise<Required<Hooks>> {
  const factory = builtins.usage;
  const plugin = factory?.({ define: (one) => one as Plugin, z }) as Plugin;
  return await plugin.setup(plugin.schema.parse(settings), host) as Required<Hooks>;
}

/** A request refused before its body was read. */
function refused(id: string, clock: FakeClock, model?: string): CompleteContext {
  return {
    id,
    endpoint: "messages",
    headers: new Headers(),
    startedAt: clock.now(),
    state: {},
    principal: { id: "key_1", name: "test" },
    body: undefined,
    model,
    outcome: "rejected",
    status: 401,
    error: { type: "authentication_error", message: "no" },
    usage: null,
    billed: null,
    stopReason: null,
    served: undefined,
    timings: { firstByteMs: null, totalMs: 1 },
    message: undefined,
    signal: new AbortController().signal,
  };
}

/** Lets what is under way go on to its end: turns of the event loop, not time. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 500; turn++) await new Promise((resolve) => setImmediate(resolve));
}

Deno.test("nothing is written while a request is answered, and all of it 250 ms after", async () => {
  const clock = new FakeClock();
  const store = new Switchable(clock);
  const config = "plugins: [ { use: auth }, { use: usage } ]\n";
  await withHarness(
    { clock, simulatorClock: clock, store: store.store, config },
    async (harness) => {
      const ids: string[] = [];
      for (let turn = 0; turn < 3; turn++) {
        const response = await harness.post("{");
        ids.push(response.headers.get("request-id") ?? "");
        await response.body?.cancel();
      }
      await harness.gateway.services.background.settled();
      clock.advance(249);
      await settled();
      assert.deepEqual([await store.records(), await store.requests()], [[], 0]);
      clock.advance(1);
      await settled();
      assert.deepEqual([(await store.records()).sort(), await store.requests()], [ids.sort(), 3]);
    },
  );
});

Deno.test("a hundred requests are written at once", async () => {
  const { clock, store, host } = bench();
  const hooks = await setUp(host);
  for (let n = 0; n < 99; n++) await hooks.onComplete(refused(`req_${n}`, clock));
  await settled();
  assert.equal(store.writes, 0);
  await hooks.onComplete(refused("req_99", clock));
  await settled();
  assert.deepEqual([(await store.records()).length, await store.requests()], [100, 100]);
  assert.equal(store.writes, 101); // a hundred records, and one sum of them all
  await hooks.close();
  assert.equal(clock.pending, 0);
});

for (const ids of [["req_1"], ["req_1", "req_2"]]) {
  Deno.test(`close() waits for what is being written, and for what came since (${ids.length})`, async () => {
    const { clock, store, host } = bench();
    const hooks = await setUp(host);
    const { promise, resolve } = Promise.withResolvers<void>();
    store.gate = promise;
    await hooks.onComplete(refused("req_1", clock));
    clock.advance(250);
    for (const id of ids.slice(1)) await hooks.onComplete(refused(id, clock));
    const closed = Promise.resolve(hooks.close());
    resolve();
    await closed;
    assert.deepEqual([await store.records(), await store.requests()], [ids, ids.length]);
    assert.equal(clock.pending, 0);
  });
}

Deno.test("records_days: 0 writes sums and no record", async () => {
  const { clock, store, host } = bench();
  const hooks = await setUp(host, { records_days: 0 });
  await hooks.onComplete(refused("req_1", clock));
  await hooks.close();
  assert.deepEqual([store.writes, await store.requests()], [1, 1]);
});

Deno.test("what a store that is down does not take is kept and tried again, and told once a minute", async () => {
  const { clock, store, host, log } = bench();
  const hooks = await setUp(host);
  store.down = true;
  for (let second = 0; second < 61; second++) {
    await hooks.onComplete(refused(`req_${String(second).padStart(2, "0")}`, clock));
    clock.advance(1_000);
    await settled();
  }
  const told = log.map((line) => JSON.parse(line)).filter(({ level }) => level === "ERROR");
  assert.deepEqual(told.map(({ message }) => message), [
    "Usage waits: the store did not take it",
    "Usage waits: the store did not take it",
  ]);
  assert.match(told[0].properties.cause, /the database must answer/);
  assert.deepEqual(await store.records(), []);
  store.down = false;
  clock.advance(1_000);
  await settled();
  assert.deepEqual([(await store.records()).length, await store.requests()], [61, 61]);
  assert.equal(clock.pending, 0);
});

Deno.test("while the store is down 10,000 records are kept, the newest, and every sum", async () => {
  const { clock, store, host, log } = bench();
  const hooks = await setUp(host);
  store.down = true;
  for (let n = 0; n < 10_003; n++) await hooks.onComplete(refused(`req_${n}`, clock));
  clock.advance(1_000);
  await settled();
  store.down = false;
  await hooks.close();
  const records = new Set(await store.records());
  assert.equal(records.size, 10_000);
  for (const gone of ["req_0", "req_1", "req_2"]) assert.ok(!records.has(gone), gone);
  for (const kept of ["req_3", "req_10002"]) assert.ok(records.has(kept), kept);
  assert.equal(await store.requests(), 10_003);
  assert.ok(log.some((line) => line.includes("Usage waits")));
});

Deno.test("names made up without end do not fill the memory, and no request is lost", async () => {
  const { clock, store, host } = bench();
  const hooks = await setUp(host, { records_days: 0 });
  store.down = true;
  for (let n = 0; n < 10_050; n++) await hooks.onComplete(refused("req_1", clock, `made-up-${n}`));
  store.down = false;
  await hooks.close();
  const list = prefixedStore(store.inner, "usage").list(`rollup/${DAY}`);
  assert.equal((await Array.fromAsync(list)).length, 10_001);
  assert.equal(await store.requests(), 10_050);
});

Deno.test("figures out of their mind do not stop what comes after them", async () => {
  const { clock, store, host } = bench();
  const hooks = await setUp(host);
  const usage = { input_tokens: 1e300, output_tokens: 1.5 };
  const price = { estimated: false, cost_usd: Infinity, nano_usd: Infinity, listed: true };
  await hooks.onComplete({ ...refused("req_1", clock), billed: { usage, ...price } });
  await hooks.onComplete(refused("req_2", clock));
  await hooks.close();
  assert.deepEqual([await store.records(), await store.requests()], [["req_1", "req_2"], 2]);
});

Deno.test("close() tells what a store that stays down has not taken", async () => {
  const { clock, store, host, log } = bench();
  const hooks = await setUp(host);
  store.down = true;
  await hooks.onComplete(refused("req_1", clock));
  await hooks.close();
  const last = JSON.parse(log.at(-1) ?? "{}");
  assert.equal(last.message, "Usage is lost with this process: the store did not take it");
  assert.deepEqual([last.properties.records, last.properties.sums], [1, 1]);
  assert.equal(clock.pending, 0);
});

Deno.test("a reload loses nothing that waits", async () => {
  const { clock, store, host } = bench();
  const before = await setUp(host);
  store.down = true;
  await before.onComplete(refused("req_1", clock));
  const after = await setUp(host, { records_days: 1 });
  await before.close();
  store.down = false;
  await after.onComplete(refused("req_2", clock));
  clock.advance(1_000);
  await settled();
  assert.deepEqual([await store.records(), await store.requests()], [["req_1", "req_2"], 2]);
  await after.close();
});
