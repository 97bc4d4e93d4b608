/** Limits of `rate_limit` that hold for two gateways on one store, through HTTP. */
import assert from "node:assert/strict";
import { openMemoryStore } from "../../src/storage/memory.ts";
import type { Store } from "../../src/storage/store.ts";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, withHarness } from "../harness.ts";

const MODEL = "claude-haiku-4-5";

function ask(text: string = "hi", stream: boolean = false) {
  return { model: MODEL, max_tokens: 50, stream, messages: [{ role: "user", content: text }] };
}

interface Pair {
  readonly one: Harness;
  readonly two: Harness;
  readonly clock: FakeClock;
  /** A key that both know. */
  readonly key: string;
  /** Lets time pass; what falls due in it comes to its end. */
  pass(ms: number): Promise<void>;
}

async function withPair(
  settings: string,
  run: (pair: Pair) => Promise<void>,
  wrap: (store: Store) => Store = (store) => store,
): Promise<void> {
  const clock = new FakeClock();
  const store = wrap(openMemoryStore({ clock }));
  const config = `plugins: [ { use: auth }, { use: rate_limit, with: ${settings} } ]\n`;
  const options = { clock, simulatorClock: clock, config, store };
  await withHarness(options, (one) =>
    withHarness(options, async (two) => {
      const { key } = await one.gateway.keys.create({ name: "of both", user: "ann" });
      for (const { secrets } of [one, two]) secrets.add(key);
      const pass = async (ms: number) => {
        clock.advance(ms);
        await new Promise((resolve) => setTimeout(resolve));
      };
      await run({ one, two, clock, key, pass });
    }));
}

async function send(harness: Harness, key: string): Promise<number> {
  const response = await harness.post(ask(), { "x-api-key": key });
  await response.body?.cancel();
  return response.status;
}

Deno.test("requests per minute are those of both gateways together", () =>
  withPair("{ requests_per_minute: 10 }", async ({ one, two, clock, key, pass }) => {
    const statuses: number[] = [];
    for (let round = 0; round < 8; round++) {
      statuses.push(await send(one, key), await send(two, key));
      await pass(0);
    }
    assert.equal(statuses.filter((status) => status === 200).length, 10, statuses.join(" "));
    assert.equal(statuses.filter((status) => status === 429).length, 6);
    // What is left of either's lease when it is idle is the other's too.
    for (let second = 0; second < 90; second++) await pass(1_000);
    let admitted = 0;
    for (let round = 0; round < 12; round++) if (await send(two, key) === 200) admitted++;
    assert.equal(admitted, 10);
    assert.ok(clock.monotonic() < 120_000);
  }));

Deno.test("a user's tokens per minute are shared by both gateways, and a debt is owed by both", () =>
  withPair(
    "{ user: { output_tokens_per_minute: 100 } }",
    async ({ one, two, key, pass }) => {
      assert.equal(await send(one, key), 200); // reserves 50, and is billed what the simulator says
      await pass(0);
      const statuses = [await send(two, key)];
      await pass(0);
      for (let round = 0; round < 20; round++) {
        statuses.push(await send(one, key), await send(two, key));
        await pass(0);
      }
      assert.ok(statuses.includes(429), statuses.join(" "));
      assert.deepEqual(statuses.slice(-2), [429, 429]);
    },
  ));

Deno.test("requests at the same time are those of both gateways together", () =>
  withPair("{ concurrency: 2 }", async ({ one, two, key, pass }) => {
    const hold = async (harness: Harness) => {
      const response = await harness.post(ask("[[sim:stall-mid]]", true), { "x-api-key": key });
      assert.equal(response.status, 200);
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      await reader.read();
      return reader;
    };
    const held = [await hold(one), await hold(two)];
    assert.equal(await send(one, key), 429);
    assert.equal(await send(two, key), 429);
    await held[0]?.cancel();
    await one.simulator.waitFor(({ aborted }) => aborted);
    for (let step = 0; step < 20; step++) await pass(100);
    assert.equal(await send(two, key), 200);
    await held[1]?.cancel();
    await two.simulator.waitFor(({ aborted }) => aborted);
  }));

const ALL =
  "{ requests_per_minute: 60000, input_tokens_per_minute: 10000000, output_tokens_per_minute: 10000000, concurrency: 1000 }";

Deno.test("a known key's requests read and write nothing in the store, but some times a second beside them", () => {
  const calls: string[] = [];
  const counting = (store: Store) =>
    new Proxy(store, {
      get: (target, name) => {
        const member = Reflect.get(target, name);
        return typeof member !== "function" ? member : (...given: unknown[]) => {
          calls.push(String(name));
          return Reflect.apply(member, target, given);
        };
      },
    });
  return withPair(ALL, async ({ one, two, key, pass }) => {
    for (let request = 0; request < 50; request++) {
      assert.equal(await send(request % 2 === 0 ? one : two, key), 200);
      await pass(20);
    }
    assert.equal(await send(one, key), 200); // may find that it is time to look at the key again
    calls.length = 0;
    for (let request = 0; request < 20; request++) assert.equal(await send(one, key), 200);
    assert.deepEqual(calls, []); // no time has passed
    for (let request = 0; request < 100; request++) {
      assert.equal(await send(one, key), 200);
      await pass(20);
    }
    assert.ok(calls.length <= 20, `${calls.length} calls in two seconds: ${calls.join(" ")}`);
  }, counting);
});

Deno.test("while the store is down limits go on by this gateway's own count, told in one line a minute", () => {
  let down = false;
  const failing = (store: Store) =>
    new Proxy(store, {
      get: (target, name) => {
        const member = Reflect.get(target, name);
        return typeof member !== "function"
          ? member
          : (...given: unknown[]) =>
            down && name !== "close"
              ? Promise.reject(new Error("The store is down"))
              : Reflect.apply(member, target, given);
      },
    });
  return withPair(
    "{ requests_per_minute: 20, concurrency: 3 }",
    async ({ one, two, key, pass }) => {
      assert.equal(await send(one, key), 200);
      await pass(0);
      down = true;
      const statuses: number[] = [];
      for (let request = 0; request < 30; request++) {
        statuses.push(await send(one, key));
        await pass(10);
      }
      assert.equal(statuses.filter((status) => status === 200).length, 19, statuses.join(" "));
      assert.equal(statuses.filter((status) => status === 429).length, 11);
      // The process has one log: that of the gateway opened last.
      const told = two.log.filter((line) => line.includes("limits are counted by each replica"));
      assert.equal(told.length, 1);
      down = false;
      for (let second = 0; second < 70; second++) await pass(1_000);
      assert.equal(await send(one, key), 200);
    },
    failing,
  );
});
