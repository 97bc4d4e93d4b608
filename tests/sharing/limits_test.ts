/** Limits that replicas share: how much all of them admit together, and what it costs, in simulated time. */
import assert from "node:assert/strict";
import { asyncProperty, constantFrom, integer, record } from "fast-check";
import { between } from "../../src/simulator/random.ts";
import { checkAsyncProperty } from "../seed.ts";
import { allowed, burst, open, run, sum } from "./world.ts";

const LIMITS = [20, 60, 240, 600, 3_000];

Deno.test("eight replicas at ten times the limit admit at most 2 % more, and hardly less; none starves", () =>
  checkAsyncProperty(
    asyncProperty(
      record({ seed: integer({ min: 0 }), limit: constantFrom(...LIMITS) }),
      async ({ seed, limit }) => {
        const world = open(8, { seed, skewMs: 300, latencyMs: 80 });
        const ms = limit < 100 ? 600_000 : 180_000;
        const admitted = await run({
          ...world,
          perMinute: () => 10 * limit / 8,
          limit: () => limit,
          ms,
        });
        const share = sum(admitted) / allowed(limit, ms);
        assert.ok(share <= 1.02, `${share} of what ${limit} a minute allow: ${admitted}`);
        assert.ok(share >= 0.95, `${share} of what ${limit} a minute allow: ${admitted}`);
        const mean = sum(admitted) / 8;
        assert.ok(Math.min(...admitted) > mean / 3, `a replica starves: ${admitted}`);
      },
    ),
    12,
  ));

Deno.test("of eight replicas with random demand, none of which may be at any, all together stay within the limit", () =>
  checkAsyncProperty(
    asyncProperty(
      record({ seed: integer({ min: 0 }), limit: constantFrom(...LIMITS) }),
      async ({ seed, limit }) => {
        const world = open(8, { seed, skewMs: 300, latencyMs: 60 });
        const { random } = world;
        let total = 0;
        // Over each stretch of time, however demand comes and goes: a full bucket and what refills.
        let most = 0;
        const startedAt = world.clock.monotonic();
        let level = 0;
        let at = startedAt;
        const onAdmitted = () => {
          const now = world.clock.monotonic();
          level = Math.max(0, level - limit * (now - at) / 60_000) + 1;
          at = now;
          most = Math.max(most, level);
          total++;
        };
        for (let phase = 0; phase < 8; phase++) {
          const pace = world.replicas.map(() => random() < 0.5 ? 0 : random() * limit);
          const ms = between(random, 1_000, 40_000);
          await run({
            ...world,
            perMinute: (at) => pace[at] ?? 0,
            limit: () => limit,
            ms,
            onAdmitted,
          });
        }
        assert.ok(total > 0);
        assert.ok(most <= limit * 1.02, `${most} at a time of ${limit}`);
      },
    ),
    20,
  ));

for (const limit of [1, 3, 7, 60, 1_000]) {
  Deno.test(`a lone replica gets its whole limit of ${limit} a minute, and no more`, async () => {
    const world = open(1, { seed: limit });
    const ms = limit < 10 ? 1_800_000 : 300_000;
    const pace = Math.max(10 * limit, 600);
    const [admitted] = await run({ ...world, perMinute: () => pace, limit: () => limit, ms });
    const most = Math.floor(allowed(limit, ms));
    // The last one may be due just when the time is over.
    assert.ok(
      admitted === most || admitted === most - 1 || (limit === 1_000 && admitted! > most * 0.998),
      `${admitted} of ${most}`,
    );
  });
}

Deno.test("a burst of a whole minute's worth is admitted at once, and what comes after is refused", async () => {
  const world = open(1, { seed: 1 });
  assert.deepEqual(await burst(world, world.replicas, { count: 650, limit: 600 }), [600]);
});

Deno.test("who was alone goes beyond its lease by a 200th of a minute's worth at most, when another has taken all", async () => {
  const limit = 3_000;
  const world = open(2, { seed: 1, latencyMs: 160 });
  const { replicas, clock } = world;
  const [alone, other] = replicas as [typeof replicas[0], typeof replicas[0]];
  await run({ ...world, perMinute: (at) => at === 0 ? 600 : 0, limit: () => limit, ms: 20_000 });
  const startedAt = clock.monotonic();
  const [ofOther = 0] = await burst(world, [other], { count: 2 * limit, limit });
  assert.ok(ofOther > limit * 0.9, `${ofOther}: the other has taken what there was`);
  const [ofAlone = 0] = await burst(world, [alone], { count: 2 * limit, limit });
  const refilled = limit * (clock.monotonic() - startedAt) / 60_000;
  const most = limit * (1 + 1 / 200) + refilled;
  assert.ok(ofOther + ofAlone <= most, `${ofOther} and ${ofAlone} of ${most}`);
});

Deno.test("what replicas hold is part of the bucket: it is full with them, and not fuller", async () => {
  const world = open(8, { seed: 1 });
  for (const pace of [600, 60]) {
    await run({ ...world, perMinute: () => pace, limit: () => 6_000, ms: 9_000 });
  }
  const admitted = sum(await burst(world, world.replicas, { count: 2_000, limit: 6_000 }));
  // 100 refill in the second of it; who came first holds some for what comes next.
  assert.ok(admitted > 5_500 && admitted <= 6_110, String(admitted));
});

Deno.test("in the steady state no request waits for the store, which is called some times a second", async () => {
  const world = open(4, { seed: 1 });
  await run({ ...world, perMinute: () => 6_000, limit: () => 60_000, ms: 10_000 });
  for (const replica of world.replicas) {
    replica.reads = 0;
    replica.writes = 0;
  }
  let waited = 0;
  let requests = 0;
  for (const { limits } of world.replicas) {
    const take = limits.take.bind(limits);
    limits.take = (claims) => {
      const taken = take(claims);
      requests++;
      if (taken instanceof Promise) waited++;
      return taken;
    };
  }
  await run({ ...world, perMinute: () => 6_000, limit: () => 60_000, ms: 20_000 });
  assert.ok(requests > 7_000);
  assert.equal(waited, 0);
  for (const { reads, writes } of world.replicas) {
    assert.ok(reads <= 20 && writes <= 20, `${reads} reads, ${writes} writes in 20 s`);
  }
});
