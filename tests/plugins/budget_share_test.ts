/** `budget` with many requests at a time, on one gateway and on eight that share a store. */
import assert from "node:assert/strict";
import { openMemoryStore } from "../../src/storage/memory.ts";
import type { Store } from "../../src/storage/store.ts";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, startHarness } from "../harness.ts";
import { settled } from "../wait.ts";
import {
  ask,
  bill,
  CENT,
  type HoldingBedrock,
  MILL,
  ownId,
  send,
  type Sent,
  spentOf,
  startHoldingBedrock,
  withBudget,
} from "./budget_bench.ts";

const DAY = "2026-11-23/day";

/** How many ended how. */
function tally(sent: readonly Sent[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status, type } of sent) {
    const name = type ?? String(status);
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

interface Race {
  readonly bedrock: HoldingBedrock;
  readonly gateways: readonly [Harness, ...Harness[]];
  readonly store: Store;
  readonly clock: FakeClock;
  /** Sends a hundred requests at once; Bedrock answers, with a mill each, when all that are let in are there. */
  hundred(body: unknown): Promise<Record<string, number>>;
}

/** So many gateways on one store, in front of one Bedrock. */
async function race(
  count: number,
  settings: string,
  run: (race: Race) => Promise<void>,
): Promise<void> {
  const clock = new FakeClock();
  const store = openMemoryStore({ clock });
  const bedrock = startHoldingBedrock();
  const config = `plugins: [ { use: auth }, { use: budget, with: ${settings} } ]\n`;
  const options = { clock, simulatorClock: clock, store, config, endpoint: bedrock.url };
  const gateways: [Harness, ...Harness[]] = [await startHarness(options)];
  try {
    while (gateways.length < count) gateways.push(await startHarness(options));
    const { key } = gateways[0];
    const hundred = async (body: unknown) => {
      bedrock.hold();
      let refused = 0;
      const requests = Array.from({ length: 100 }, async (_, n) => {
        const sent = await send(gateways[n % count] as Harness, { key, body });
        if (sent.status !== 200) refused++;
        return sent;
      });
      await settled(() => bedrock.arrived + refused === 100);
      bedrock.open();
      return tally(await Promise.all(requests));
    };
    await run({ bedrock, gateways, store, clock, hundred });
  } finally {
    bedrock.open();
    for (const gateway of gateways) await gateway.close();
    await bedrock.close();
  }
}

for (const count of [1, 8]) {
  const where = count === 1 ? "one gateway" : `${count} gateways on one store`;

  Deno.test(`a hundred requests at once against a cent, on ${where}: those that fit go on, none overspends`, () =>
    race(count, "{ daily_usd: 0.01 }", async ({ gateways: [gateway], store, clock, hundred }) => {
      // Each may cost 18,948 + 200 × 5,000 = 1,018,948: nine fit into 10,000,000.
      const first = await hundred(ask(200));
      assert.deepEqual(first, { 200: 9, rate_limit_error: 91 });
      const scope = `key ${await ownId(gateway)}`;
      assert.equal(await spentOf(store, DAY, scope), 9 * MILL);
      // A mill is left, into which none fits: one is let in alone, and spends it.
      clock.advance(1_000);
      assert.deepEqual(await hundred(ask(200)), { 200: 1, rate_limit_error: 99 });
      assert.equal(await spentOf(store, DAY, scope), CENT);
      clock.advance(1_000);
      assert.deepEqual(await hundred(ask(200)), { billing_error: 100 });
      assert.equal(await spentOf(store, DAY, scope), CENT);
    }));

  Deno.test(`a hundred that ask for 32,000 tokens of output, as Claude Code does, on ${where}: one at a time`, () =>
    race(count, "{ overall: { monthly_usd: 0.01 } }", async ({ store, clock, hundred }) => {
      // Each may cost 160,018,948: sixteen cents.
      let spent = 0;
      for (let turn = 0; spent < CENT; turn++) {
        assert.ok(turn < 11, "a cent is ten mills");
        const told = await hundred(ask(32_000));
        assert.deepEqual(told, { 200: 1, rate_limit_error: 99 });
        spent += MILL;
        assert.equal(await spentOf(store, "2026-11-01/month", "overall"), spent);
        clock.advance(1_000);
      }
      assert.deepEqual(await hundred(ask(32_000)), { billing_error: 100 });
    }));
}

Deno.test("one request overspends, and no other: what a request may cost is known to five percent", () =>
  withBudget("{ daily_usd: 0.01 }", async ({ harness, store }) => {
    bill(harness, 5_000, 900); // 9,500,000
    await send(harness);
    bill(harness, 9, 100_000); // half a dollar, which max_tokens forbids: no reservation can be above it
    assert.equal((await send(harness)).status, 200);
    assert.equal((await send(harness)).type, "billing_error");
    const scope = `key ${await ownId(harness)}`;
    assert.equal(await spentOf(store, DAY, scope), 9_500_000 + 500_009_000);
  }));

Deno.test("who is refused for now is told why, to come again in 2 s, and then is let in", () =>
  race(1, "{ daily_usd: 0.01 }", async ({ bedrock, gateways: [gateway], clock }) => {
    const first = send(gateway, { body: ask(32_000) });
    await settled(() => bedrock.arrived === 1);
    const refused = await send(gateway);
    assert.deepEqual([refused.status, refused.type], [429, "rate_limit_error"]);
    assert.equal(refused.headers.get("retry-after"), "2");
    assert.equal(refused.headers.get("x-should-retry"), null);
    assert.equal(
      refused.message,
      "Cannot admit this request yet as requests under way hold the rest of the daily budget of this key, " +
        "$0.01, until they end: try again in 2 s",
    );
    bedrock.open();
    assert.equal((await first).status, 200);
    clock.advance(2_000);
    assert.equal((await send(gateway)).status, 200);
  }));

Deno.test("reserve_output_tokens: more are let in at a time, and each may overspend by the rest", () =>
  race(
    1,
    "{ daily_usd: 0.01, reserve_output_tokens: 196 }",
    async ({ gateways: [gateway], store, hundred }) => {
      // 18,948 + 196 × 5,000 = 998,948 of 10,000,000 each: ten
      assert.deepEqual(await hundred(ask(32_000)), { 200: 10, rate_limit_error: 90 });
      assert.equal(await spentOf(store, DAY, `key ${await ownId(gateway)}`), CENT);
    },
  ));

Deno.test("an answer that comes after midnight is paid by the day its request came in", () =>
  race(1, "{ daily_usd: 0.01 }", async ({ bedrock, gateways: [gateway], store, clock }) => {
    clock.advance(Date.parse("2026-11-23T23:59:59Z") - clock.now());
    const late = send(gateway);
    await settled(() => bedrock.arrived === 1);
    clock.advance(2_000);
    bedrock.open();
    assert.equal((await late).status, 200);
    const scope = `key ${await ownId(gateway)}`;
    assert.equal(await spentOf(store, DAY, scope), MILL);
    assert.equal(await spentOf(store, "2026-11-24/day", scope), 0);
  }));

Deno.test("at 80 % the log warns once, whichever gateway comes first", () =>
  race(3, "{ overall: { daily_usd: 0.01 } }", async ({ bedrock, gateways, clock }) => {
    bedrock.open();
    const { key } = gateways[0];
    for (let n = 0; n < 9; n++) {
      assert.equal((await send(gateways[n % 3] as Harness, { key })).status, 200);
      clock.advance(1_000);
    }
    const told = gateways.flatMap(({ log }) => log).filter((line) =>
      line.includes("budget of {scope}")
    );
    assert.equal(told.length, 1, told.join("\n"));
  }));
