/** What `rate_limit` makes of the real figures: reservations are settled by what is billed, or given back. */
import assert from "node:assert/strict";
import { estimateTokens } from "../../src/anthropic/estimate.ts";
import { parseScript } from "../../src/simulator/simulator.ts";
import type { Happening } from "../../src/simulator/stream.ts";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, withHarness } from "../harness.ts";
import { pluginSource } from "../pipeline/plugins.ts";

const CLAUDE = "claude-haiku-4-5";
const QWEN = "qwen.qwen3-32b-v1:0";

/** "hi" is nine input tokens by estimate: 4 for the request, 4 for the message, 0.94 for the word. */
function ask(text: string = "hi", { stream = false, model = CLAUDE } = {}) {
  return { model, max_tokens: 50, stream, messages: [{ role: "user" as const, content: text }] };
}

interface Counts {
  readonly input: number;
  readonly output: number;
  readonly written?: number;
  readonly read?: number;
}

interface Shape {
  readonly stream?: boolean;
  readonly model?: string;
  /** What happens after the first three events, in place of the others. */
  readonly then?: readonly Happening[];
}

/** An answer of one word that is billed so. */
function answer(harness: Harness, counts: Counts, shape: Shape = {}): void {
  const { stream = false, model = CLAUDE, then } = shape;
  const { input, output, written = 0, read = 0 } = counts;
  const usage = {
    input_tokens: input,
    output_tokens: output,
    cache_creation_input_tokens: written,
    cache_read_input_tokens: read,
  };
  const message = { id: "msg_1", type: "message", role: "assistant", model: CLAUDE };
  const json = model === QWEN
    ? {
      output: { message: { role: "assistant", content: [{ text: "ok" }] } },
      stopReason: "end_turn",
      usage: { inputTokens: input, outputTokens: output, totalTokens: input + output },
      metrics: { latencyMs: 1 },
    }
    : {
      ...message,
      content: [{ type: "text", text: "ok" }],
      stop_reason: "end_turn",
      stop_sequence: null,
      usage,
    };
  const nothingYet = { content: [], stop_reason: null, stop_sequence: null };
  const start = { ...message, ...nothingYet, usage: { ...usage, output_tokens: 1 } };
  const anthropic = [
    { type: "message_start", message: start },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "ok" } },
    { type: "content_block_stop", index: 0 },
    {
      type: "message_delta",
      delta: { stop_reason: "end_turn", stop_sequence: null },
      usage: { output_tokens: output },
    },
    { type: "message_stop" },
  ];
  const script = parseScript(stream ? { anthropic } : { json });
  harness.simulator.script(
    then === undefined ? script : {
      ...script,
      stream: (...how) => [...script.stream?.(...how).slice(0, 3) ?? [], ...then],
    },
  );
}

/** 1,000 of both kinds, so that 60 ms refill one; requests that fail are not tried again. */
async function withLimits(
  run: (harness: Harness, clock: FakeClock) => Promise<void>,
  after: { readonly base: string; readonly use: string } = { base: Deno.cwd(), use: "" },
): Promise<void> {
  const clock = new FakeClock();
  const limits = "{ input_tokens_per_minute: 1000, output_tokens_per_minute: 1000 }";
  const config = `plugins: [ { use: auth }, { use: rate_limit, with: ${limits} }${after.use} ]\n` +
    "limits: { retries: 0 }\n";
  const options = { clock, simulatorClock: clock, config, base: after.base };
  await withHarness(options, (harness) => run(harness, clock));
}

/** What a further request leaves of input and output, its own nine and fifty put back. */
async function left(harness: Harness): Promise<[input: number, output: number]> {
  answer(harness, { input: 9, output: 50 });
  const response = await harness.post(ask());
  await response.body?.cancel();
  const remaining = (kind: string) =>
    Number(response.headers.get(`anthropic-ratelimit-${kind}-tokens-remaining`));
  return [remaining("input") + 9, remaining("output") + 50];
}

for (const stream of [false, true]) {
  const shape = stream ? "streamed" : "whole";

  Deno.test(`more used than reserved is debited (${shape})`, () =>
    withLimits(async (harness) => {
      answer(harness, { input: 400, output: 200 }, { stream });
      await (await harness.post(ask("hi", { stream }))).text();
      assert.deepEqual(await left(harness), [600, 800]);
    }));

  Deno.test(`less used than reserved is credited (${shape})`, () =>
    withLimits(async (harness) => {
      answer(harness, { input: 2, output: 7 }, { stream });
      const response = await harness.post(ask("hi", { stream }));
      assert.equal(response.headers.get("anthropic-ratelimit-input-tokens-remaining"), "991");
      assert.equal(response.headers.get("anthropic-ratelimit-output-tokens-remaining"), "950");
      await response.text();
      assert.deepEqual(await left(harness), [998, 993]);
    }));

  Deno.test(`what is written to the cache counts as input, what is read from it does not (${shape})`, () =>
    withLimits(async (harness) => {
      answer(harness, { input: 20, output: 50, written: 100, read: 5_000 }, { stream });
      await (await harness.post(ask("hi", { stream }))).text();
      assert.deepEqual(await left(harness), [880, 950]);
    }));

  Deno.test(`what is owed is paid by refill (${shape})`, () =>
    withLimits(async (harness, clock) => {
      answer(harness, { input: 1_500, output: 50 }, { stream });
      await (await harness.post(ask("hi", { stream }))).text();
      const refused = await harness.post(ask("hi", { stream })); // 500 owed and nine wanted: 30.54 s
      assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "31"]);
      assert.equal(refused.headers.get("anthropic-ratelimit-input-tokens-remaining"), "0");
      assert.equal(
        refused.headers.get("anthropic-ratelimit-input-tokens-reset"),
        "2026-11-23T12:01:30.000Z",
      );
      await refused.body?.cancel();
      clock.advance(30_539);
      const early = await harness.post(ask("hi", { stream }));
      assert.equal(early.status, 429);
      await early.body?.cancel();
      clock.advance(1);
      assert.equal((await left(harness))[0], 9);
    }));

  for (const model of [CLAUDE, QWEN]) {
    Deno.test(`a request that Bedrock refuses gives the reservation back (${shape}, ${model})`, () =>
      withLimits(async (harness) => {
        const body = ask("[[sim:error-400-ValidationException]]", { stream, model });
        const response = await harness.post(body);
        assert.equal(response.status, 400);
        assert.equal(
          response.headers.get("anthropic-ratelimit-input-tokens-remaining"),
          String(1_000 - estimateTokens(body)),
        );
        await response.body?.cancel();
        assert.deepEqual(await left(harness), [1_000, 1_000]);
      }));
  }
}

Deno.test("an answer of Converse settles the same", () =>
  withLimits(async (harness) => {
    answer(harness, { input: 300, output: 3 }, { model: QWEN });
    await (await harness.post(ask("hi", { model: QWEN }))).text();
    assert.deepEqual(await left(harness), [700, 997]);
  }));

/** A stream of Claude whose beginning tells 400 tokens of input and one of output, and what follows it. */
function begin(harness: Harness, then: readonly Happening[]): void {
  answer(harness, { input: 400, output: 50 }, { stream: true, then });
}

Deno.test("a stream that breaks settles by the least that can have been used", () =>
  withLimits(async (harness) => {
    begin(harness, []);
    const text = await (await harness.post(ask("hi", { stream: true }))).text();
    assert.match(text, /event: error/);
    assert.deepEqual(await left(harness), [600, 999]);
  }));

Deno.test("a bucket that refilled while the request ran is credited no more than it holds, and debited in full", () =>
  withLimits(async (harness, clock) => {
    begin(harness, [{ kind: "stall" }]);
    const response = await harness.post(ask("hi", { stream: true }));
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    clock.advance(9_000); // 150 tokens would come: both buckets are full, at 1,000
    await reader.cancel();
    await harness.simulator.waitFor(({ aborted }) => aborted);
    assert.deepEqual(await left(harness), [1_000 - (400 - 9), 1_000]);
  }));

Deno.test("a request without room for its tokens leaves those of the other kind alone", () =>
  withLimits(async (harness) => {
    answer(harness, { input: 9, output: 960 });
    await (await harness.post(ask())).text();
    const refused = await harness.post(ask()); // 40 left of 50
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "1"]);
    assert.equal(refused.headers.get("anthropic-ratelimit-input-tokens-remaining"), "991");
    assert.equal(refused.headers.get("anthropic-ratelimit-output-tokens-remaining"), "40");
    await refused.body?.cancel();
  }));

const REPLY = `{ message: { id: "msg_1", type: "message", role: "assistant", model: "m",
  content: [], stop_reason: "end_turn", stop_sequence: null, usage: { input_tokens: 500, output_tokens: 500 } } }`;
const LATER: Readonly<Record<string, readonly [body: string, status: number]>> = {
  refuses: [`return ctx.reject("permission_error", "Not today");`, 403],
  fails: [`throw new Error("Cannot go on");`, 500],
  replies: [`return ${REPLY};`, 200],
};

for (const [what, [source, status]] of Object.entries(LATER)) {
  Deno.test(`a later plugin that ${what} gives the reservation back`, async () => {
    const base = await Deno.makeTempDir();
    try {
      const hook = `onCall(ctx) { if (ctx.headers.has("x-later")) { ${source} } }`;
      await Deno.writeTextFile(
        `${base}/later.ts`,
        pluginSource("later", `setup: () => ({ ${hook} })`),
      );
      await withLimits(async (harness) => {
        const response = await harness.post(ask(), { "x-later": "yes" });
        assert.equal(response.status, status);
        assert.equal(response.headers.get("anthropic-ratelimit-input-tokens-remaining"), "991");
        await response.body?.cancel();
        assert.deepEqual(await left(harness), [1_000, 1_000]);
      }, { base, use: ", { use: ./later.ts }" });
    } finally {
      await Deno.remove(base, { recursive: true });
    }
  });
}
