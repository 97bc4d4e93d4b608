/** `outcrop usage verify`: sums and budgets against the records they are made of. */
import assert from "node:assert/strict";
import { sumRules } from "../../src/cli/sum_rules.ts";
import { fixSum, isThinned, type Verified, verifySums } from "../../src/cli/verify_sums.ts";
import { recordPartition } from "../../plugins/usage.ts";
import { spanOf } from "../../src/sharing/span.ts";
import { openDenoKvStore } from "../../src/storage/deno_kv.ts";
import { systemClock } from "../../src/clock.ts";
import { openMemoryStore } from "../../src/storage/memory.ts";
import { prefixedStore } from "../../src/storage/prefixed.ts";
import type { Store } from "../../src/storage/store.ts";
import { FakeClock } from "../fake_clock.ts";
import { withHarness } from "../harness.ts";
import { inFolder, outcrop } from "./outcrop.ts";

const PLUGINS =
  "plugins: [ { use: auth }, { use: budget, with: { overall: { monthly_usd: 100 } } }, { use: usage } ]\n";
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

function ask(model: string) {
  return { model, max_tokens: 20, messages: [{ role: "user", content: "hi" }] };
}

/** Leaves six requests in a store of the folder. */
async function sixRequests(folder: string, plugins: string = PLUGINS): Promise<void> {
  await Deno.writeTextFile(
    `${folder}/config.yaml`,
    `store: { use: deno_kv, path: u.db }\n${plugins}`,
  );
  const store = await openDenoKvStore({ path: `${folder}/u.db`, clock: systemClock });
  await withHarness({ store, config: plugins }, async ({ post }) => {
    for (const model of ["claude-haiku-4-5", "qwen.qwen3-32b-v1:0"]) {
      for (let n = 0; n < 3; n++) await (await post(ask(model))).text();
    }
  });
  await store.close();
}

async function change(folder: string, work: (store: Store) => Promise<unknown>): Promise<void> {
  const store = await openDenoKvStore({ path: `${folder}/u.db`, clock: systemClock });
  await work(store);
  await store.close();
}

/** The sums by hour of the last two days. */
async function rollups(store: Store) {
  const usage = prefixedStore(store, "usage");
  const all = [];
  for (const at of [Date.now() - DAY_MS, Date.now()]) {
    const day = new Date(at).toISOString().slice(0, 10);
    all.push(...await Array.fromAsync(usage.list<Record<string, number>>(`rollup/${day}`)));
  }
  return all;
}

Deno.test("records that are spread over partitions are all found by usage verify", () =>
  inFolder(async (folder) => {
    const spread = PLUGINS.replace(
      "use: usage",
      "use: usage, with: { record_partitions: 64 }",
    );
    await sixRequests(folder, spread);
    const partitions = new Set<string>();
    await change(folder, async (store) => {
      const usage = prefixedStore(store, "usage");
      for (let at = 0; at < 128; at++) {
        const day = new Date(Date.now() - at % 2 * DAY_MS).toISOString().slice(0, 10);
        const partition = recordPartition(day, at >> 1);
        for await (const _ of usage.list(partition)) partitions.add(partition);
      }
    });
    assert.ok(partitions.size > 1, [...partitions].join());
    const { code, out, err } = await outcrop(["usage", "verify", "--since", "24h"], folder);
    assert.equal(code, 0, out + err);
  }));

Deno.test("usage verify shows what differs, --fix mends it, and then nothing differs", () =>
  inFolder(async (folder) => {
    await sixRequests(folder);
    const verify = (...more: string[]) =>
      outcrop(["usage", "verify", "--since", "24h", ...more], folder);
    const clean = await verify();
    assert.match(clean.out, /^All of \d+ sums are what the records say\n$/);
    assert.equal(clean.code, 0, clean.err);

    let cost = 0;
    await change(folder, async (store) => {
      const [one, other] = await rollups(store);
      assert.ok(one && other && one.value.requests === 3);
      cost = (one.value.nano_usd ?? 0) + (other.value.nano_usd ?? 0);
      const usage = prefixedStore(store, "usage");
      await usage.add(one.key, { requests: 2, nano_usd: 5 });
      await usage.delete(other.key);
      await prefixedStore(store, "budget").add(
        [spanOf("month", Date.now()).name, "overall"],
        { spent: 1_000 },
      );
    });
    const found = await verify("--json");
    assert.equal(found.code, 1);
    const told = JSON.parse(found.out);
    const rows: Record<string, unknown>[] = told.data;
    const difference = (sum: string, counter: string) =>
      rows.filter((row) => row.sum === sum && row.counter === counter)
        .map(({ stored, recorded }) => Number(stored) - Number(recorded)).sort();
    assert.deepEqual(difference("usage", "requests"), [-3, 2]);
    assert.equal(difference("usage", "nano_usd").length, 2);
    assert.deepEqual(difference("budget", "spent"), [1_000]);
    assert.deepEqual([told.different, told.fixed, told.changing], [3, 0, 0]);
    const table = (await verify()).out;
    assert.match(table, /^SUM +OF +COUNTER +STORED +RECORDED +DIFFERENCE\n/);
    assert.match(table, /3 of \d+ sums are not what the records say: --fix sets them/);

    const fixed = await verify("--fix", "--json");
    assert.equal(fixed.code, 0, fixed.err);
    assert.equal(JSON.parse(fixed.out).fixed, 3);
    const after = await verify("--json");
    assert.equal(after.code, 0);
    assert.deepEqual(JSON.parse(after.out).data, []);
    await change(folder, async (store) => {
      const sums = await rollups(store);
      assert.deepEqual(sums.map(({ value }) => value.requests), [3, 3]);
      assert.ok(sums.every(({ expiresAt = 0 }) => expiresAt > Date.now() + 399 * DAY_MS));
      const overall = [spanOf("month", Date.now()).name, "overall"] as const;
      const spent = await prefixedStore(store, "budget").get<{ spent: number }>(overall);
      assert.equal(spent?.value.spent, cost);
    });
  }));

Deno.test("usage verify says why it cannot, and its help has an example", () =>
  inFolder(async (folder) => {
    const write = (text: string) => Deno.writeTextFile(`${folder}/config.yaml`, text);
    const verify = (...more: string[]) => outcrop(["usage", "verify", ...more], folder);
    await write("store: { use: memory }\n");
    assert.match((await verify()).err, /Cannot verify usage as config\.yaml says 'store: memory'/);
    await write("store: { use: deno_kv }\nplugins: [{ use: usage, with: { records_days: 0 } }]\n");
    assert.match((await verify()).err, /set records_days of the plugin usage to more than 0/);
    const wrong = await verify("--since", "yesterday");
    assert.deepEqual([wrong.code, /--since: Cannot read a duration/.test(wrong.err)], [2, true]);
    assert.match((await verify("--help")).out, /Example:\n {2}outcrop usage verify --since 24h\n/);
  }));

const HOUR = Date.UTC(2026, 10, 23, 12);

/** A request as the plugins leave it in the store. */
async function leave(store: Store, at: number, nano_usd: number): Promise<void> {
  const record = {
    id: `req_${at}`,
    at: new Date(at).toISOString(),
    key_id: "key_1",
    user: null,
    team: "web",
    model: "m",
    input_tokens: 1,
    output_tokens: 1,
    cache_read_input_tokens: 0,
    cache_write_5m_tokens: 0,
    cache_write_1h_tokens: 0,
    nano_usd,
    outcome: "ok",
    estimated: false,
  };
  const [rollup, budget] = sumRules({ rollupDays: 400 });
  const usage = prefixedStore(store, "usage");
  await usage.put([`records/${record.at.slice(0, 10)}`, `${record.at}/${record.id}`], record);
  for (const { key, add } of rollup?.of(record) ?? []) await usage.add(key, add);
  for (const { key, add } of budget?.of(record) ?? []) {
    if (key[1] === "team web") await prefixedStore(store, "budget").add(key, add);
  }
}

function verified(
  store: Store,
  { start, recordedSince = 0, pause = () => Promise.resolve() }: {
    start: number;
    recordedSince?: number;
    pause?: () => Promise<void>;
  },
): Promise<Verified> {
  const rules = sumRules({ rollupDays: 400 });
  return verifySums(store, {
    rules,
    stretch: { start, end: HOUR + HOUR_MS },
    recordedSince,
    pause,
  });
}

Deno.test("sums whose records are gone in part are not judged", async () => {
  const store = openMemoryStore({ clock: new FakeClock() });
  await leave(store, HOUR - 10 * DAY_MS, 7);
  await leave(store, HOUR, 5);
  const day = new Date(HOUR - 10 * DAY_MS).toISOString().slice(0, 10);
  const usage = prefixedStore(store, "usage");
  const gone = await Array.fromAsync(usage.list(`records/${day}`));
  for (const { key } of gone) await usage.delete(key);
  const start = HOUR - 20 * DAY_MS;
  const all = await verified(store, { start });
  assert.deepEqual(all.differences.map(({ rule }) => rule.name), [
    "usage",
    "budget",
    "budget",
    "budget",
  ]);
  const young = await verified(store, { start, recordedSince: HOUR - 5 * DAY_MS });
  assert.deepEqual(young.differences, []);
  assert.equal(young.judged, 3); // the hour; the team's day, and the week that began on it
});

Deno.test("budgets that are about to be posted are no difference", async () => {
  const store = openMemoryStore({ clock: new FakeClock() });
  await leave(store, HOUR, 5);
  const budget = prefixedStore(store, "budget");
  const spans = (["day", "week", "month"] as const).map((period) => spanOf(period, HOUR).name);
  for (const name of spans) await budget.add([name, "team web"], { spent: -5, "held/x": 5 });
  const arrives = async () => {
    for (const name of spans) await budget.add([name, "team web"], { spent: 5, "held/x": -5 });
  };
  const { differences } = await verified(store, { start: HOUR, pause: arrives });
  assert.deepEqual(differences, []);
  const lost = await verified(store, { start: HOUR });
  assert.deepEqual(lost.differences, []);
});

Deno.test("where records were dropped sums above them are right, and those below are raised", async () => {
  const store = openMemoryStore({ clock: new FakeClock() });
  await leave(store, HOUR, 5);
  const usage = prefixedStore(store, "usage");
  const [sum] = await Array.fromAsync(usage.list<Record<string, number>>("rollup/2026-11-23"));
  assert.ok(sum);
  await usage.add(sum.key, { requests: 3, nano_usd: -4 });
  await store.add(["ledger/dropped", "plugin.usage/records/2026-11-23"], { n: 3 });
  const found = await verified(store, { start: HOUR });
  assert.deepEqual([...found.dropped], [["2026-11-23", 3]]);
  const [difference] = found.differences;
  assert.ok(difference && isThinned(difference, found));
  assert.equal(await fixSum(store, difference, true), true);
  const mended = await usage.get<Record<string, number>>(sum.key);
  assert.deepEqual([mended?.value.requests, mended?.value.nano_usd], [4, 5]);
  assert.deepEqual((await verified(store, { start: HOUR })).differences, []);
});

Deno.test("nothing is written over what has changed since it was read", async () => {
  const store = openMemoryStore({ clock: new FakeClock() });
  await leave(store, HOUR, 5);
  const usage = prefixedStore(store, "usage");
  const [sum] = await Array.fromAsync(usage.list("rollup/2026-11-23"));
  assert.ok(sum);
  await usage.add(sum.key, { requests: 1 });
  const { differences: [difference] } = await verified(store, { start: HOUR });
  assert.ok(difference);
  await usage.add(sum.key, { requests: 1 });
  assert.equal(await fixSum(store, difference, false), false);
  assert.equal((await usage.get<{ requests: number }>(sum.key))?.value.requests, 3);
});

Deno.test("a server that serves meanwhile makes no difference", async () => {
  const store = openMemoryStore({ clock: systemClock });
  await withHarness({ store, config: PLUGINS }, async ({ post }) => {
    let stopped = false;
    const load = Promise.all(Array.from({ length: 4 }, async () => {
      while (!stopped) await (await post(ask("claude-haiku-4-5"))).text();
    }));
    for (let turn = 0; turn < 20; turn++) {
      const now = Date.now();
      const found = await verifySums(store, {
        rules: sumRules({ rollupDays: 400 }),
        stretch: { start: now - HOUR_MS, end: now + HOUR_MS },
        recordedSince: 0,
        pause: () => new Promise((resolve) => setTimeout(resolve, 100)),
      });
      assert.deepEqual(found.differences, []);
    }
    stopped = true;
    await load;
  });
});
