/** Slots of `rate_limit`: given back once, however the request ends, and never when none was taken. */
import assert from "node:assert/strict";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, withHarness } from "../harness.ts";
import { pluginSource } from "../pipeline/plugins.ts";

const CLAUDE = "claude-haiku-4-5";
const QWEN = "qwen.qwen3-32b-v1:0";

function ask(mark: string, { stream = false, model = CLAUDE } = {}) {
  const messages = [{ role: "user", content: `[[sim:${mark}]]` }];
  return { model, max_tokens: 50, stream, messages };
}

/** A plugin behind `rate_limit` that misbehaves in the hook that `x-later` names. */
const LATER = `setup: () => ({
  onRequest(ctx) {
    if (ctx.headers.get("x-later") === "refuses in onRequest") ctx.reject("permission_error", "Not today");
    if (ctx.headers.get("x-later") === "fails in onRequest") throw new Error("Cannot go on");
  },
  onCall(ctx) {
    if (ctx.headers.get("x-later") === "refuses in onCall") ctx.reject("permission_error", "Not today");
    if (ctx.headers.get("x-later") === "fails in onCall") throw new Error("Cannot go on");
  },
  onEvent(event, ctx) {
    if (ctx.headers.get("x-later") === "fails in onEvent") throw new Error("Cannot go on");
  },
  onComplete(ctx) {
    if (ctx.headers.get("x-later") === "fails in onComplete") throw new Error("Cannot go on");
  },
})`;

async function withLimits(
  settings: string,
  run: (harness: Harness) => Promise<void>,
): Promise<void> {
  const base = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${base}/later.ts`, pluginSource("later", LATER));
    const limit = `{ use: rate_limit, with: ${settings} }`;
    const config = `plugins: [ { use: auth }, ${limit}, { use: ./later.ts } ]\n` +
      "limits: { retries: 0 }\n";
    const clock = new FakeClock();
    await withHarness({ clock, simulatorClock: clock, config, base }, run);
  } finally {
    await Deno.remove(base, { recursive: true });
  }
}

/** A request under way: its answer has begun, and does not end by itself. */
async function hold(harness: Harness, key: string = harness.key) {
  const response = await harness.post(ask("stall-mid", { stream: true }), { "x-api-key": key });
  assert.equal(response.status, 200);
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  await reader.read();
  return {
    async leave() {
      const gone = harness.simulator.requests.filter(({ aborted }) => aborted).length;
      await reader.cancel();
      await harness.simulator.waitFor(() =>
        harness.simulator.requests.filter(({ aborted }) => aborted).length > gone
      );
    },
  };
}

async function statusOf(harness: Harness, key: string = harness.key): Promise<number> {
  const response = await harness.post(ask("agent"), { "x-api-key": key });
  await response.body?.cancel();
  return response.status;
}

/** Of the two slots both are free: two requests fit, and not a third. */
async function bothFree(harness: Harness): Promise<void> {
  const held = [await hold(harness), await hold(harness)];
  assert.equal(await statusOf(harness), 429);
  for (const one of held) await one.leave();
}

Deno.test("a request too many is refused with retry-after 1, and admitted once a slot is free", () =>
  withLimits("{ concurrency: 2 }", async (harness) => {
    const [first, second] = [await hold(harness), await hold(harness)];
    const refused = await harness.post(ask("agent"));
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "1"]);
    const { error } = await refused.json();
    assert.equal(error.type, "rate_limit_error");
    assert.match(
      error.message,
      /^Cannot admit this request as the requests at the same time of this key are limited to 2: try again in 1 s, or ask/,
    );
    await first?.leave();
    assert.equal(await statusOf(harness), 200);
    assert.equal(await statusOf(harness), 200);
    await second?.leave();
  }));

Deno.test("a refused request gives back no slot, for it took none", () =>
  withLimits("{ concurrency: 1 }", async (harness) => {
    const held = await hold(harness);
    for (let round = 0; round < 3; round++) assert.equal(await statusOf(harness), 429);
    await held.leave();
    assert.equal(await statusOf(harness), 200);
  }));

Deno.test("a slot is taken in all scopes or in none", () =>
  withLimits("{ concurrency: 2, user: { concurrency: 1 } }", async (harness) => {
    const { keys } = harness.gateway;
    const [one, two] = await Promise.all([
      keys.create({ name: "one", user: "ann" }),
      keys.create({ name: "two", user: "ann" }),
    ]);
    const held = await hold(harness, one.key);
    for (let round = 0; round < 3; round++) assert.equal(await statusOf(harness, two.key), 429);
    await keys.update(two.record.id, { user: null });
    const clock = harness.gateway.services.clock as FakeClock;
    clock.advance(2_000);
    // The refusals by the user's limit left both slots of the key itself alone.
    const own = [await hold(harness, two.key), await hold(harness, two.key)];
    assert.equal(await statusOf(harness, two.key), 429);
    for (const each of [held, ...own]) await each.leave();
  }));

Deno.test("a request refused for its tokens gives its slot back", () =>
  withLimits("{ concurrency: 2, output_tokens_per_minute: 120 }", async (harness) => {
    const held = [await hold(harness), await hold(harness)]; // 50 each are reserved: 20 are left
    await held[0]?.leave();
    const clock = harness.gateway.services.clock as FakeClock;
    clock.advance(15_000); // 30 more
    assert.equal(await statusOf(harness), 200);
    const body = { ...ask("agent"), max_tokens: 4_096 };
    for (let round = 0; round < 3; round++) {
      const refused = await harness.post(body);
      assert.equal(refused.status, 429);
      assert.match((await refused.json()).error.message, /output tokens per minute/);
    }
    await held[1]?.leave();
    clock.advance(60_000);
    await bothFree(harness);
  }));

for (const model of [CLAUDE, QWEN]) {
  for (const stream of [false, true]) {
    const shape = `${stream ? "streamed" : "whole"}, ${model}`;
    const ends = ["agent", "error-400-ValidationException", "fail-first", "cut-mid"];
    Deno.test(`the slot is back before the client sees the end, good or bad (${shape})`, () =>
      withLimits("{ concurrency: 2 }", async (harness) => {
        for (const mark of ends) {
          for (let round = 0; round < 3; round++) {
            await (await harness.post(ask(mark, { stream, model }))).text();
          }
        }
        await bothFree(harness);
      }));

    Deno.test(`a client that leaves before the answer gives its slot back (${shape})`, () =>
      withLimits("{ concurrency: 2 }", async (harness) => {
        const gone = new AbortController();
        const pending = fetch(`${harness.url}/v1/messages`, {
          method: "POST",
          headers: { "content-type": "application/json", "x-api-key": harness.key },
          body: JSON.stringify(ask("stall", { stream, model })),
          signal: gone.signal,
        });
        const rejected = assert.rejects(pending, { name: "AbortError" });
        await harness.simulator.waitFor(({ finished }) => !finished);
        gone.abort();
        await harness.simulator.waitFor(({ aborted }) => aborted);
        await rejected;
        await harness.gateway.services.background.settled();
        await bothFree(harness);
      }));
  }
}

for (const hook of ["onRequest", "onCall", "onEvent", "onComplete"]) {
  for (
    const what of /onEvent|onComplete/.test(hook) ? ["fails"] : ["refuses", "fails"]
  ) {
    for (const stream of [false, true]) {
      const shape = stream ? "streamed" : "whole";
      Deno.test(`a later plugin that ${what} in ${hook} leaves no slot taken (${shape})`, () =>
        withLimits("{ concurrency: 2 }", async (harness) => {
          for (let round = 0; round < 3; round++) {
            const headers = { "x-later": `${what} in ${hook}` };
            const response = await harness.post(ask("agent", { stream }), headers);
            const text = await response.text();
            if (hook !== "onComplete") assert.match(text, /permission_error|api_error/);
          }
          await bothFree(harness);
        }));
    }
  }
}

Deno.test("a body that is none, and a model that is unknown, leave no slot taken", () =>
  withLimits("{ concurrency: 2 }", async (harness) => {
    for (const body of ["{", "{}", { ...ask("agent"), model: "nobody-knows-it" }]) {
      for (let round = 0; round < 3; round++) {
        const response = await harness.post(body);
        assert.ok(response.status === 400 || response.status === 404, String(response.status));
        await response.body?.cancel();
      }
    }
    await bothFree(harness);
  }));
