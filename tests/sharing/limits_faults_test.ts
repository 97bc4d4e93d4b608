/** Limits that replicas share when something is amiss: the store, a replica, a limit that changes. */
import assert from "node:assert/strict";
import { asyncProperty, constantFrom, integer, record } from "fast-check";
import { between } from "../../src/simulator/random.ts";
import { checkAsyncProperty } from "../seed.ts";
import type { SimulatedReplica } from "./simulated.ts";
import { allowed, burst, open, run, sum } from "./world.ts";

const LIMIT = 600;
const MINUTE = 60_000;

/** Ten times the limit, by all replicas together. */
function tenfold(count: number, limit = LIMIT) {
  return { perMinute: () => 10 * limit / count, limit: () => limit };
}

Deno.test("while the store is down replicas share by halves, and pay for it when it answers; told once a minute", async () => {
  const world = open(2, { seed: 1 });
  const { replicas } = world;
  const before = await run({ ...world, ...tenfold(2), ms: MINUTE });
  for (const replica of replicas) replica.fault = "down";
  const down = await run({ ...world, ...tenfold(2), ms: 3 * MINUTE });
  for (const count of down) assert.ok(count >= 880 && count <= 930, `${down} in three minutes`);
  for (const replica of replicas) {
    replica.fault = "none";
    assert.ok(replica.log.length >= 3 && replica.log.length <= 4, replica.log.join("\n"));
    assert.match(replica.log[0] ?? "", /^The store does not answer: limits are counted by each/);
  }
  const after = await run({ ...world, ...tenfold(2), ms: MINUTE });
  const total = sum(before) + sum(down) + sum(after);
  const most = allowed(LIMIT, 5 * MINUTE);
  assert.ok(total <= most * 1.02 && total >= most * 0.97, `${total} of ${most}`);
});

Deno.test("what was taken of a bucket while the store was down is paid when it answers", async () => {
  const world = open(2, { seed: 1 });
  const { clock, replicas } = world;
  await run({ ...world, perMinute: () => 60, limit: () => LIMIT, ms: 15_000 });
  const first = sum(await burst(world, replicas, { count: 150, limit: LIMIT }));
  assert.equal(first, 300);
  for (const replica of replicas) replica.fault = "down";
  await clock.pass(2_000);
  const alone = await burst(world, replicas, { count: 700, limit: LIMIT });
  for (const count of alone) assert.ok(count >= 130 && count <= 245, String(alone)); // half of what each last heard of
  for (const replica of replicas) replica.fault = "none";
  await clock.pass(2_000);
  const after = await burst(world, replicas, { count: 700, limit: LIMIT });
  // Seven seconds and more have passed since: some 80 have refilled.
  const admitted = first + sum(alone) + sum(after);
  assert.ok(admitted > 600 && admitted <= Math.max(690, first + sum(alone) + 20), String(after));
});

Deno.test("a replica that starts while the store is down has the limit to itself", async () => {
  const world = open(1, { seed: 1 });
  const [replica] = world.replicas as [SimulatedReplica];
  replica.fault = "down";
  const [admitted] = await run({ ...world, ...tenfold(1), ms: MINUTE });
  const most = allowed(LIMIT, MINUTE);
  assert.ok(admitted! <= most && admitted! >= most * 0.98, `${admitted} of ${most}`);
});

Deno.test("a replica that is cut off keeps to its share, the others to the limit", async () => {
  const world = open(4, { seed: 1 });
  const [cut] = world.replicas as [SimulatedReplica];
  await run({ ...world, ...tenfold(4), ms: MINUTE });
  cut.fault = "down";
  const [alone = 0, ...others] = await run({ ...world, ...tenfold(4), ms: 3 * MINUTE });
  assert.ok(alone <= 3 * LIMIT / 4 * 1.05, String(alone));
  assert.ok(sum(others) <= 3 * LIMIT * 1.02 && sum(others) >= 3 * LIMIT * 0.95, String(others));
});

Deno.test("no request waits longer than a second for a store that hangs, and only the first ones wait", async () => {
  const world = open(2, { seed: 1 });
  const { clock, replicas } = world;
  for (const replica of replicas) replica.fault = "hangs";
  let longest = 0;
  let waited = 0;
  for (const { limits } of replicas) {
    const take = limits.take.bind(limits);
    limits.take = (claims) => {
      const startedAt = clock.monotonic();
      const taken = take(claims);
      if (!(taken instanceof Promise)) return taken;
      waited++;
      return taken.finally(() => longest = Math.max(longest, clock.monotonic() - startedAt));
    };
  }
  await run({ ...world, perMinute: () => 1_200, limit: () => LIMIT, ms: 30_000 });
  assert.ok(longest <= 1_000, `${longest} ms`);
  assert.ok(waited > 0 && waited < 80, `${waited} requests`); // twenty a second come to each
  for (const replica of replicas) replica.fault = "none";
  await run({ ...world, perMinute: () => 1_200, limit: () => LIMIT, ms: MINUTE });
  const before = replicas.map(({ writes }) => writes);
  await run({ ...world, perMinute: () => 1_200, limit: () => LIMIT, ms: MINUTE });
  for (const [at, { writes }] of replicas.entries()) assert.ok(writes > (before[at] ?? 0) + 10);
});

Deno.test("whatever becomes of calls and answers, replicas that hear of one another again are within the limit", () =>
  checkAsyncProperty(
    asyncProperty(
      record({ seed: integer({ min: 0 }), limit: constantFrom(60, 600, 3_000) }),
      async ({ seed, limit }) => {
        const world = open(4, { seed, skewMs: 300 });
        const { random, replicas } = world;
        let total = sum(await run({ ...world, ...tenfold(4, limit), ms: 30_000 }));
        let ms = 30_000;
        for (let phase = 0; phase < 12; phase++) {
          const fault = (["none", "down", "deaf"] as const)[between(random, 0, 2)] ?? "none";
          const all = random() < 0.5;
          for (const replica of replicas) {
            replica.fault = all || (fault === "deaf" && random() < 0.5) ? fault : "none";
          }
          const length = between(random, 500, 8_000);
          total += sum(await run({ ...world, ...tenfold(4, limit), ms: length }));
          ms += length;
        }
        // Who was cut off has admitted by its share beside the others: it pays when it is back.
        for (const replica of replicas) replica.fault = "none";
        total += sum(await run({ ...world, ...tenfold(4, limit), ms: 30_000 }));
        ms += 30_000;
        assert.ok(total <= allowed(limit, ms) * 1.02, `${total} of ${allowed(limit, ms)}`);
      },
    ),
    20,
  ));

Deno.test("what a crashed replica held is made good by the refill: the others have the whole limit", async () => {
  const world = open(4, { seed: 1 });
  await run({ ...world, ...tenfold(4), ms: MINUTE });
  const perMinute = (at: number) => at === 0 ? 0 : 10 * LIMIT / 3;
  (world.replicas[0] as SimulatedReplica).fault = "hangs"; // it says and takes nothing any more
  const admitted = await run({ ...world, perMinute, limit: () => LIMIT, ms: 3 * MINUTE });
  assert.ok(sum(admitted) >= 3 * LIMIT * 0.97, String(admitted));
});

Deno.test("what an idle replica held is back within half a minute, what a closed one held at once", async () => {
  const world = open(2, { seed: 1 });
  const { clock, replicas, store } = world;
  const [one, two] = replicas as [SimulatedReplica, SimulatedReplica];
  assert.deepEqual(await burst(world, [one], { count: 1, limit: LIMIT }), [1]);
  await clock.pass(25_000);
  assert.deepEqual(await burst(world, [two], { count: 700, limit: LIMIT }), [LIMIT]);
  await clock.pass(2 * MINUTE);
  assert.deepEqual(await burst(world, [one], { count: 1, limit: LIMIT }), [1]);
  const closed = one.limits.close();
  await clock.pass(100);
  await closed;
  const kept = await store.get<{ buckets: Record<string, { leased: number[] }> }>([
    "buckets",
    "key one",
  ]);
  assert.deepEqual(kept?.value.buckets["requests"]?.leased, [0, 0]);
});

for (const [from, to] of [[600, 1_800], [1_800, 600], [60, 240], [240, 60]] as const) {
  Deno.test(`a limit that changes from ${from} to ${to} while it is used holds once all replicas know it`, async () => {
    const world = open(4, { seed: from, skewMs: 300 });
    const { clock } = world;
    const startedAt = clock.monotonic();
    // Replicas hear of it one after the other, within two seconds.
    const known = world.replicas.map((_, at) => 2 * MINUTE + at * 600);
    const limit = (at: number) => clock.monotonic() - startedAt < (known[at] ?? 0) ? from : to;
    const perMinute = () => 10 * Math.max(from, to) / 4;
    await run({ ...world, perMinute, limit, ms: 2 * MINUTE });
    const first = sum(await run({ ...world, perMinute, limit, ms: MINUTE + 2_000 }));
    const second = sum(await run({ ...world, perMinute, limit, ms: 2 * MINUTE }));
    // What was used stays used: a raised limit has its difference at once, a lowered one is first paid back.
    const due = to > from ? 2 * to - from : Math.max(0, 2 * to - from);
    assert.ok(
      first <= due + Math.max(from, to) * 0.08 + 4 && first >= due - to * 0.08 - 4,
      `${first}, due ${due}`,
    );
    assert.ok(second <= 2 * to * 1.02 + 1, `${second} of ${2 * to}`);
    if (to > from) assert.ok(second >= 2 * to * 0.95, `${second} of ${2 * to}`);
  });
}
