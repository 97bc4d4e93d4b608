/** `budget` and the store: what is kept in it, how seldom it is asked, and what becomes of requests without it. */
import assert from "node:assert/strict";
import { openMemoryStore } from "../../src/storage/memory.ts";
import type { Store } from "../../src/storage/store.ts";
import { FakeClock } from "../fake_clock.ts";
import { startHarness } from "../harness.ts";
import { settled } from "../wait.ts";
import {
  ask,
  bill,
  keyOf,
  MILL,
  ownId,
  send,
  spentOf,
  startHoldingBedrock,
  withBudget,
} from "./budget_bench.ts";

const DAY = "2026-11-23/day";

Deno.test("what was spent outlives a restart, and the next gateway goes on from it", async () => {
  const clock = new FakeClock();
  const store = openMemoryStore({ clock });
  const keys: string[] = [];
  for (let turn = 0; turn < 3; turn++) {
    await withBudget("{ daily_usd: 0.002 }", async ({ harness }) => {
      keys.push(harness.key);
      bill(harness, 0, 200);
      const { status, type } = await send(harness, { key: keys[0] });
      assert.deepEqual([status, type], turn < 2 ? [200, undefined] : [429, "billing_error"]);
    }, { clock, store });
  }
});

Deno.test("a gateway that crashed leaves its requests' part to the others half a minute later", async () => {
  const clock = new FakeClock();
  const store = openMemoryStore({ clock });
  const settings = "{ overall: { daily_usd: 0.01 } }";
  const bedrock = startHoldingBedrock();
  const config = `plugins: [ { use: auth }, { use: budget, with: ${settings} } ]\n`;
  const lost = new Proxy(store, {
    get: (target, name) => {
      const member = Reflect.get(target, name);
      return typeof member !== "function" ? member : (...given: unknown[]) => {
        if (isLost) return Promise.reject(new Error("The machine is gone"));
        return Reflect.apply(member, target, given);
      };
    },
  });
  let isLost = false;
  const crashing = await startHarness({
    clock,
    simulatorClock: clock,
    store: lost,
    config,
    endpoint: bedrock.url,
  });
  try {
    const pending = send(crashing, { body: ask(32_000) });
    await settled(() => bedrock.arrived === 1);
    isLost = true;
    await withBudget(settings, async ({ harness }) => {
      assert.equal((await send(harness)).type, "rate_limit_error");
      clock.advance(30_000);
      assert.equal((await send(harness)).type, "rate_limit_error");
      clock.advance(10_000);
      assert.equal((await send(harness)).status, 200);
    }, { clock, store });
    bedrock.open();
    await pending;
    isLost = false;
  } finally {
    await crashing.close();
    await bedrock.close();
  }
});

Deno.test("the end of an answer waits until what it cost is noted", async () => {
  const clock = new FakeClock();
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const { promise: open, resolve: release } = Promise.withResolvers<void>();
  const store = new Proxy(openMemoryStore({ clock }), {
    get: (target, name) => {
      const member = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return name !== "apply" ? member.bind(target) : async (...given: unknown[]) => {
        ask();
        await open;
        return await Reflect.apply(member, target, given);
      };
    },
  });
  await withBudget("{ daily_usd: 1 }", async ({ harness }) => {
    bill(harness, 9, 100);
    let ended = false;
    const answer = send(harness).finally(() => ended = true);
    await asked;
    try {
      // An end that did not wait would be here before the answers to what is asked after it.
      for (let n = 0; n < 20; n++) await (await fetch(`${harness.url}/health`)).text();
      assert.equal(ended, false);
    } finally {
      release();
    }
    assert.equal((await answer).status, 200);
  }, { clock, store });
});

/** A store whose ways can be cut, and whose calls for pools are counted. */
function switchable(clock: FakeClock) {
  const store = openMemoryStore({ clock });
  const state = { isDown: false, pools: 0 };
  const proxy = new Proxy(store, {
    get: (target, name) => {
      const member = Reflect.get(target, name);
      return typeof member !== "function" ? member : (...given: unknown[]) => {
        const [key] = given;
        if (Array.isArray(key) && /^plugin\.budget\/\d/.test(String(key[0]))) state.pools++;
        const isKeys = Array.isArray(key) && key[0] === "keys";
        if (state.isDown && !isKeys) return Promise.reject(new Error("The store is down"));
        return Reflect.apply(member, target, given);
      };
    },
  });
  return { store: proxy as Store, state };
}

for (const policy of ["open", "closed"] as const) {
  Deno.test(`a store that is down: ${policy}, and said in the log once a minute`, async () => {
    const clock = new FakeClock();
    const { store, state } = switchable(clock);
    await withBudget(
      `{ daily_usd: 0.01, store_down: ${policy} }`,
      async ({ harness }) => {
        state.isDown = true;
        for (let n = 0; n < 4; n++) {
          if (policy === "open") bill(harness, 9, 9);
          const sent = await send(harness);
          if (policy === "open") assert.equal(sent.status, 200);
          else {
            assert.deepEqual([sent.status, sent.type], [503, "api_error"]);
            assert.equal(sent.headers.get("retry-after"), "5");
            assert.match(sent.message, /store must say what is left of its budget/);
            assert.doesNotMatch(sent.message, /is down/);
          }
          clock.advance(21_000);
        }
        const told = harness.log.map((line) => JSON.parse(line))
          .filter(({ message }) => /the store does not say what is left/.test(String(message)));
        assert.equal(told.length, 2); // at 0 and at 63 s
        const wanted = policy === "open" ? "let in all the same" : "refused";
        assert.equal(told[0].properties.policy, wanted);
        assert.match(told[0].properties.cause, /The store is down/);
        assert.equal(harness.simulator.requests.length, policy === "open" ? 4 : 0);
        state.isDown = false;
        clock.advance(1_000);
        bill(harness, 0, 200);
        assert.equal((await send(harness)).status, 200);
        // What came meanwhile could not be posted without a journal: that a machine keeps.
        assert.equal(await spentOf(store, DAY, `key ${await ownId(harness)}`), MILL);
      },
      { clock, store },
    );
  });
}

/** A store that does not answer what is asked of pools, until it is told to. */
function hanging(clock: FakeClock) {
  const store = openMemoryStore({ clock });
  const state = { asked: 0, answer: () => {} };
  const answered = new Promise<void>((resolve) => state.answer = resolve);
  const proxy = new Proxy(store, {
    get: (target, name) => {
      const member = Reflect.get(target, name);
      return typeof member !== "function" ? member : (...given: unknown[]) => {
        if (name !== "get" || !String(given[0]).startsWith("plugin.budget/")) {
          return Reflect.apply(member, target, given);
        }
        state.asked++;
        return answered.then(() => Reflect.apply(member, target, given));
      };
    },
  });
  return { store: proxy as Store, state };
}

Deno.test("a store that hangs is as one that is down, a second later", async () => {
  const clock = new FakeClock();
  const { store, state } = hanging(clock);
  await withBudget("{ daily_usd: 0.01 }", async ({ harness }) => {
    const pending = send(harness);
    await settled(() => state.asked > 0);
    clock.advance(1_000);
    const { status } = await pending;
    state.answer();
    assert.equal(status, 503);
  }, { clock, store });
});

Deno.test("what is granted to a request whose client has gone goes back", async () => {
  const clock = new FakeClock();
  const { store, state } = hanging(clock);
  await withBudget("{ daily_usd: 0.01 }", async ({ harness }) => {
    const gone = new AbortController();
    const pending = fetch(`${harness.url}/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": harness.key },
      body: JSON.stringify(ask(32_000)), // more than there is: it would be alone
      signal: gone.signal,
    }).catch((error) => error);
    await settled(() => state.asked > 0);
    gone.abort();
    await pending;
    await harness.gateway.services.uses.free; // it has ended
    state.answer();
    bill(harness, 0, 200);
    assert.equal((await send(harness, { body: ask(32_000) })).status, 200);
  }, { clock, store });
});

Deno.test("while its part lasts a gateway does not ask the store: 200 requests in a minute cost some calls", async () => {
  const clock = new FakeClock();
  const { store, state } = switchable(clock);
  const settings = "{ monthly_usd: 100, user: { daily_usd: 50 }, overall: { weekly_usd: 1000 } }";
  await withBudget(settings, async ({ harness }) => {
    const key = await keyOf(harness, { user: "ann" });
    for (let n = 0; n < 300; n++) {
      if (n === 100) state.pools = 0; // until then it learns how much it needs
      bill(harness, 9, 100);
      assert.equal((await send(harness, { key })).status, 200);
      clock.advance(300);
    }
  }, { clock, store });
  assert.ok(state.pools < 60, `${state.pools} calls for three pools`);
});
