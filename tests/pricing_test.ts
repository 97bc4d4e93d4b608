/**
 * What requests are billed, told by the records of `usage`. Every sum is worked out by hand from plugins/pricing.yaml:
 * dollars a million tokens are nano-dollars a token times 1,000.
 */
import assert from "node:assert/strict";
import { parseScript, type Script } from "../src/simulator/simulator.ts";
import { openMemoryStore } from "../src/storage/memory.ts";
import { prefixedStore } from "../src/storage/prefixed.ts";
import { FakeClock } from "./fake_clock.ts";
import { type Harness, withHarness } from "./harness.ts";

const HAIKU = "claude-haiku-4-5"; // 1 in, 5 out, 0.1 read, 1.25 written for 5 minutes, 2 for an hour
const QWEN = "qwen.qwen3-32b-v1:0"; // 0.15 in, 0.6 out

interface Recorded {
  readonly outcome: string;
  readonly model: string | null;
  readonly base_model: string | null;
  readonly tier: string | null;
  readonly nano_usd: number;
  readonly listed: boolean | null;
  readonly estimated: boolean;
  readonly input_tokens: number;
  readonly output_tokens: number;
}

/** The records of what `run` did, oldest first. */
async function recorded(
  run: (harness: Harness, clock: FakeClock) => Promise<void>,
  config: string = "",
): Promise<{ records: Recorded[]; log: readonly string[] }> {
  const clock = new FakeClock();
  const store = openMemoryStore({ clock });
  let log: readonly string[] = [];
  const yaml = `plugins: [ { use: auth }, { use: usage } ]\n${config}`;
  await withHarness({ clock, simulatorClock: clock, store, config: yaml }, async (harness) => {
    log = harness.log;
    await run(harness, clock);
  });
  const records: Recorded[] = [];
  const day = new Date(clock.now()).toISOString().slice(0, 10);
  for await (const { value } of prefixedStore(store, "usage").list<Recorded>(`records/${day}`)) {
    records.push(value);
  }
  return { records, log };
}

function ask(model: string, more: Record<string, unknown> = {}) {
  return { model, max_tokens: 100, messages: [{ role: "user", content: "hi" }], ...more };
}

/** An answer of Claude on InvokeModel. */
function claude(usage: Record<string, unknown>, headers: Record<string, string> = {}) {
  return parseScript({
    headers,
    json: {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "claude",
      content: [{ type: "text", text: "hello" }],
      stop_reason: "end_turn",
      stop_sequence: null,
      usage,
    },
  });
}

/** An answer of Converse. */
function converse(usage: Record<string, unknown>, more: Record<string, unknown> = {}) {
  return parseScript({
    json: {
      metrics: { latencyMs: 5 },
      output: { message: { role: "assistant", content: [{ text: "hello" }] } },
      stopReason: "end_turn",
      usage,
      ...more,
    },
  });
}

/** Bills one answer that does not stream. */
async function billed(
  script: Script,
  body: Record<string, unknown>,
  config: string = "",
): Promise<Recorded> {
  const { records } = await recorded(async (harness) => {
    harness.simulator.script(script);
    const response = await harness.post(body);
    assert.equal(response.status, 200, await response.text());
  }, config);
  assert.equal(records.length, 1);
  return records[0] as Recorded;
}

Deno.test("input and output are billed by the model's price", async () => {
  const record = await billed(claude({ input_tokens: 1_000, output_tokens: 200 }), ask(HAIKU));
  // 1,000 × 1,000 + 200 × 5,000
  assert.equal(record.nano_usd, 2_000_000);
  assert.deepEqual([record.listed, record.estimated, record.tier], [true, false, "default"]);
});

Deno.test("cache reads and writes are billed by kind and life", async () => {
  const usage = {
    input_tokens: 10,
    output_tokens: 3,
    cache_read_input_tokens: 70_000,
    cache_creation_input_tokens: 900,
    cache_creation: { ephemeral_5m_input_tokens: 500, ephemeral_1h_input_tokens: 400 },
  };
  const record = await billed(claude(usage), ask(HAIKU));
  // 10 × 1,000 + 3 × 5,000 + 70,000 × 100 + 500 × 1,250 + 400 × 2,000
  assert.equal(record.nano_usd, 10_000 + 15_000 + 7_000_000 + 625_000 + 800_000);
});

Deno.test("cache writes that are not told by life are those of five minutes", async () => {
  const usage = { input_tokens: 1, output_tokens: 1, cache_creation_input_tokens: 8 };
  // 1 × 1,000 + 1 × 5,000 + 8 × 1,250
  assert.equal((await billed(claude(usage), ask(HAIKU))).nano_usd, 16_000);
});

Deno.test("Converse's cache details are billed by their lives", async () => {
  const usage = {
    inputTokens: 10,
    outputTokens: 4,
    totalTokens: 7_370,
    cacheReadInputTokens: 5,
    cacheWriteInputTokens: 7_351,
    cacheDetails: [{ ttl: "1h", inputTokens: 7_000 }, { ttl: "5m", inputTokens: 351 }],
  };
  const config = `models: { aliases: { mine: { model: ${HAIKU}, route: converse } } }\n`;
  const record = await billed(converse(usage), ask("mine"), config);
  // 10 × 1,000 + 4 × 5,000 + 5 × 100 + 351 × 1,250 + 7,000 × 2,000
  assert.equal(record.nano_usd, 10_000 + 20_000 + 500 + 438_750 + 14_000_000);
});

const TIERS: readonly (readonly [tier: string, converse: number, invoke: number])[] = [
  // Qwen: 1,001 × 150 + 1 × 600 = 150,750. Haiku: 1,001 × 1,000 + 1 × 5,000 = 1,006,000
  ["flex", 75_375, 503_000],
  ["priority", 263_813, 1_760_500], // 263,812.5 rounded
  ["default", 150_750, 1_006_000],
  ["reserved", 150_750, 1_006_000],
];

for (const [tier, onConverse, onInvoke] of TIERS) {
  Deno.test(`the tier ${tier} is billed as it served, whichever was asked for`, async () => {
    const asked = `tiers: { default: ${tier === "flex" ? "priority" : "flex"} }\n`;
    const usage = { inputTokens: 1_001, outputTokens: 1, totalTokens: 1_002 };
    const answer = converse(usage, { serviceTier: { type: tier } });
    const onQwen = await billed(answer, ask(QWEN), asked);
    assert.deepEqual([onQwen.tier, onQwen.nano_usd], [tier, onConverse]);
    const headers = { "x-amzn-bedrock-service-tier": tier };
    const message = claude({ input_tokens: 1_001, output_tokens: 1 }, headers);
    const onHaiku = await billed(message, ask(HAIKU), asked);
    assert.deepEqual([onHaiku.tier, onHaiku.nano_usd], [tier, onInvoke]);
  });
}

Deno.test("a fallback is billed by the price of the model that served", async () => {
  const { records } = await recorded(
    async (harness) => {
      harness.simulator.script(parseScript({
        status: 503,
        headers: { "x-amzn-errortype": "ServiceUnavailableException:" },
        json: { message: "down" },
      }));
      harness.simulator.script(converse({ inputTokens: 7, outputTokens: 3, totalTokens: 10 }));
      assert.equal((await (await harness.post(ask("main"))).json()).usage.output_tokens, 3);
    },
    `limits: { retries: 0 }\nmodels: { aliases: { main: { model: ${HAIKU}, fallback: ["${QWEN}"] } } }\n`,
  );
  const [{ model, base_model, nano_usd } = {}] = records as Partial<Recorded>[];
  // 7 × 150 + 3 × 600, and not 7 × 1,000 + 3 × 5,000
  assert.deepEqual([model, base_model, nano_usd], ["main", QWEN, 2_850]);
});

Deno.test("a model without a price is billed the default, and told once", async () => {
  const { records, log } = await recorded(async (harness) => {
    for (const model of ["sim.echo", "sim.echo", "sim.count-3"]) {
      harness.simulator.script(converse({ inputTokens: 7, outputTokens: 3, totalTokens: 10 }));
      await (await harness.post(ask(model))).text();
    }
  });
  // 7 × 5,000 + 3 × 25,000
  assert.deepEqual(records.map(({ nano_usd, listed }) => [nano_usd, listed]), [
    [110_000, false],
    [110_000, false],
    [110_000, false],
  ]);
  const told = log.filter((line) => line.includes("has no price and is billed the default"));
  assert.deepEqual(told.map((line) => JSON.parse(line).properties.model).sort(), [
    "sim.count-3",
    "sim.echo",
  ]);
  assert.match(told[0] ?? "", /the file that 'pricing' in config\.yaml names/);
});

const START = {
  type: "message_start",
  message: {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude",
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: 40, output_tokens: 1 },
  },
};
const PARTS = [
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "x".repeat(400) } },
];
const END = [
  { type: "content_block_stop", index: 0 },
  {
    type: "message_delta",
    delta: { stop_reason: "end_turn", stop_sequence: null },
    usage: { output_tokens: 77 },
  },
  { type: "message_stop" },
];

Deno.test("a streamed answer is billed by its last figures", async () => {
  const { records } = await recorded(async (harness) => {
    harness.simulator.script(parseScript({ anthropic: [START, ...PARTS, ...END] }));
    await (await harness.post(ask(HAIKU, { stream: true }))).text();
  });
  // 40 × 1,000 + 77 × 5,000
  assert.deepEqual(records.map(({ nano_usd, estimated }) => [nano_usd, estimated]), [
    [425_000, false],
  ]);
});

/** Events, and then nothing more for ever. */
function stalling(anthropic: readonly unknown[]): Script {
  const { stream } = parseScript({ anthropic });
  return {
    status: 200,
    headers: {},
    stream: (route, random) => [...stream?.(route, random) ?? [], { kind: "stall" }],
  };
}

/** Reads a stream until `wanted`, and leaves. */
async function leaveAfter(wanted: string, response: Response): Promise<void> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  let text = "";
  while (!text.includes(wanted)) {
    const { done, value } = await reader.read();
    assert.ok(!done, `the stream ended before ${wanted}`);
    text += new TextDecoder().decode(value);
  }
  await reader.cancel();
}

Deno.test("an aborted stream is billed by the least it can have used, where the final figure never came", async () => {
  const { records } = await recorded(async (harness) => {
    harness.simulator.script(stalling([START, ...PARTS]));
    await leaveAfter("xxx", await harness.post(ask(HAIKU, { stream: true })));
    await harness.simulator.waitFor(({ aborted }) => aborted);
  });
  const [record] = records;
  assert.deepEqual([record?.outcome, record?.estimated, record?.input_tokens], [
    "aborted",
    true,
    40,
  ]);
  // 400 bytes of text are 100 tokens, and a floor is not above; what holds the text is taken off within 8 bytes.
  const { output_tokens = 0, nano_usd } = record ?? {};
  assert.ok(output_tokens >= 98 && output_tokens <= 100, String(output_tokens));
  assert.equal(nano_usd, 40 * 1_000 + output_tokens * 5_000);
});

Deno.test("an aborted stream whose final figure had come is billed by it", async () => {
  const { records } = await recorded(async (harness) => {
    harness.simulator.script(stalling([START, ...PARTS, ...END.slice(0, 2)]));
    await leaveAfter("message_delta", await harness.post(ask(HAIKU, { stream: true })));
    await harness.simulator.waitFor(({ aborted }) => aborted);
  });
  const facts = records.map(({ outcome, nano_usd, estimated }) => [outcome, nano_usd, estimated]);
  assert.deepEqual(facts, [["aborted", 425_000, false]]); // 40 × 1,000 + 77 × 5,000
});

Deno.test("a count of tokens costs nothing and leaves no record", async () => {
  const { records } = await recorded(async (harness) => {
    const response = await fetch(`${harness.url}/v1/messages/count_tokens`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": harness.key },
      body: JSON.stringify(ask(HAIKU)),
    });
    assert.equal(response.status, 200);
    await response.body?.cancel();
  });
  assert.deepEqual(records, []);
});
