/** What `budget` counts as spent: nano-dollars worked out by hand from plugins/pricing.yaml. */
import assert from "node:assert/strict";
import { parseScript, type Script } from "../../src/simulator/simulator.ts";
import { settled } from "../wait.ts";
import {
  answerOf,
  ask,
  HAIKU,
  keyOf,
  ownId,
  send,
  spentOf,
  startHoldingBedrock,
  withBudget,
} from "./budget_bench.ts";

const QWEN = "qwen.qwen3-32b-v1:0"; // 150 in, 600 out, a token, in nano-dollars
const DOWN = parseScript({
  status: 503,
  headers: { "x-amzn-errortype": "ServiceUnavailableException:" },
  json: { message: "down" },
});

function claude(usage: Record<string, unknown>, headers: Record<string, string> = {}): Script {
  return parseScript({ headers, json: answerOf(usage) });
}

function converse(inputTokens: number, outputTokens: number, tier?: string): Script {
  return parseScript({
    json: {
      metrics: { latencyMs: 5 },
      output: { message: { role: "assistant", content: [{ text: "hello" }] } },
      stopReason: "end_turn",
      usage: { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens },
      ...(tier === undefined ? {} : { serviceTier: { type: tier } }),
    },
  });
}

interface Case {
  readonly what: string;
  readonly scripts: readonly Script[];
  readonly model?: string;
  readonly more?: Record<string, unknown>;
  readonly config?: string;
  readonly nano: number;
}

const CASES: readonly Case[] = [
  {
    what: "writes of five minutes and of an hour, and reads, by their prices",
    scripts: [claude({
      input_tokens: 10,
      output_tokens: 3,
      cache_read_input_tokens: 70_000,
      cache_creation_input_tokens: 900,
      cache_creation: { ephemeral_5m_input_tokens: 500, ephemeral_1h_input_tokens: 400 },
    })],
    // 10 × 1,000 + 3 × 5,000 + 70,000 × 100 + 500 × 1,250 + 400 × 2,000
    nano: 10_000 + 15_000 + 7_000_000 + 625_000 + 800_000,
  },
  {
    what: "writes that are not told by life, as those of five minutes",
    scripts: [claude({ input_tokens: 1, output_tokens: 1, cache_creation_input_tokens: 8 })],
    nano: 1_000 + 5_000 + 10_000, // 8 × 1,250
  },
  {
    what: "the tier that served, and not the one that was asked for",
    scripts: [claude({ input_tokens: 100, output_tokens: 10 }, {
      "x-amzn-bedrock-service-tier": "priority",
    })],
    config: "tiers: { default: flex }\n",
    nano: 262_500, // (100 × 1,000 + 10 × 5,000) × 1.75
  },
  {
    what: "the default tier, where the client wants no other and so none is asked for",
    scripts: [claude({ input_tokens: 100, output_tokens: 10 })],
    more: { service_tier: "standard_only" },
    config: "tiers: { default: flex }\n",
    nano: 150_000, // 100 × 1,000 + 10 × 5,000
  },
  {
    what: "the default tier, where the route has no other",
    scripts: [claude({ input_tokens: 100, output_tokens: 10 })],
    config: "tiers: { default: flex }\nmodels: { claude_route: mantle }\n",
    nano: 150_000,
  },
  {
    what: "flex by half",
    scripts: [converse(1_000, 100, "flex")],
    model: QWEN,
    config: "tiers: { default: flex }\n",
    nano: 105_000, // (1,000 × 150 + 100 × 600) × 0.5
  },
  {
    what: "a fallback, by the price of the model that served",
    scripts: [DOWN, converse(7, 3)],
    model: "main",
    config:
      `limits: { retries: 0 }\nmodels: { aliases: { main: { model: ${HAIKU}, fallback: ["${QWEN}"] } } }\n`,
    nano: 2_850, // 7 × 150 + 3 × 600
  },
  {
    what: "a model without a price, by the default",
    scripts: [converse(7, 3)],
    model: "sim.echo",
    nano: 110_000, // 7 × 5,000 + 3 × 25,000
  },
];

for (const { what, scripts, model = HAIKU, more, config = "", nano } of CASES) {
  Deno.test(`counted are ${what}`, () =>
    withBudget("{ overall: { weekly_usd: 1 } }", async ({ harness, store }) => {
      for (const script of scripts) harness.simulator.script(script);
      const sent = await send(harness, { body: { ...ask(), ...more, model } });
      assert.equal(sent.status, 200, sent.message);
      assert.equal(await spentOf(store, "2026-11-23/week", "overall"), nano);
    }, { config }));
}

const START = {
  type: "message_start",
  message: {
    ...answerOf({ input_tokens: 40, output_tokens: 1 }),
    content: [],
    stop_reason: null,
  },
};
const TEXT = [
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

Deno.test("a streamed answer is counted by its last figures, before its last byte", () =>
  withBudget("{ daily_usd: 1 }", async ({ harness, store }) => {
    harness.simulator.script(parseScript({ anthropic: [START, ...TEXT, ...END] }));
    await (await harness.post({ ...ask(), stream: true })).text();
    const scope = `key ${await ownId(harness)}`;
    assert.equal(await spentOf(store, "2026-11-23/day", scope), 40 * 1_000 + 77 * 5_000);
  }));

Deno.test("a streamed answer of Converse is counted by the tier that its last frame tells", () =>
  withBudget("{ daily_usd: 1 }", async ({ harness, store }) => {
    const usage = { inputTokens: 1_000, outputTokens: 100, totalTokens: 1_100 };
    const delta = { contentBlockIndex: 0, delta: { text: "hello" } };
    harness.simulator.script(parseScript({
      frames: [
        { event: "messageStart", json: { role: "assistant" } },
        { event: "contentBlockDelta", json: delta },
        { event: "contentBlockStop", json: { contentBlockIndex: 0 } },
        { event: "messageStop", json: { stopReason: "end_turn" } },
        { event: "metadata", json: { usage, serviceTier: { type: "default" } } },
      ],
    }));
    await (await harness.post({ ...ask(), model: QWEN, stream: true })).text();
    const scope = `key ${await ownId(harness)}`;
    assert.equal(await spentOf(store, "2026-11-23/day", scope), 1_000 * 150 + 100 * 600);
  }, { config: "tiers: { default: flex }\n" }));

Deno.test("a stream that its client leaves is counted by the least it can have used", () =>
  withBudget("{ daily_usd: 1 }", async ({ harness, store }) => {
    const { stream } = parseScript({ anthropic: [START, ...TEXT] });
    harness.simulator.script({
      status: 200,
      headers: {},
      stream: (route, random) => [...stream?.(route, random) ?? [], { kind: "stall" }],
    });
    const response = await harness.post({ ...ask(), stream: true });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    for (let text = ""; !text.includes("xxx");) {
      text += new TextDecoder().decode((await reader.read()).value);
    }
    await reader.cancel();
    await harness.simulator.waitFor(({ aborted }) => aborted);
    await harness.gateway.services.background.settled();
    // 40 tokens of input, and of 400 letters 100 tokens at four a token; what holds them is taken off within 8 bytes
    const spent = await spentOf(store, "2026-11-23/day", `key ${await ownId(harness)}`);
    assert.ok(spent >= 40_000 + 98 * 5_000 && spent <= 40_000 + 100 * 5_000, String(spent));
  }));

Deno.test("what Bedrock refuses, fails at, or is not asked costs nothing, and gives back what it held", () =>
  withBudget(
    // 18,948 and 100 × 5,000 fit once: what is not given back would be missing
    "{ daily_usd: 0.0006 }",
    async ({ harness, store }) => {
      for (
        const [model, status] of [
          ["claude-nobody", 404],
          [HAIKU, 400],
          [HAIKU, 529],
          ["claude-nobody", 404],
        ] as const
      ) {
        if (status === 400) {
          harness.simulator.script(parseScript({
            status,
            headers: { "x-amzn-errortype": "ValidationException:" },
            json: { message: "no" },
          }));
        } else if (status === 529) harness.simulator.script(DOWN);
        assert.equal((await send(harness, { body: { ...ask(), model } })).status, status);
      }
      harness.simulator.script(claude({ input_tokens: 20, output_tokens: 100 }));
      assert.equal((await send(harness)).status, 200); // 20 × 1,000 + 100 × 5,000
      const scope = `key ${await ownId(harness)}`;
      assert.equal(await spentOf(store, "2026-11-23/day", scope), 520_000);
    },
    { config: "limits: { retries: 0 }\n" },
  ));

Deno.test("an answer out of the cache costs nothing", () =>
  withBudget("{ overall: { daily_usd: 1 } }", async ({ harness, store }) => {
    harness.simulator.script(claude({ input_tokens: 20, output_tokens: 100 }));
    for (const wanted of ["miss", "hit"]) {
      const sent = await send(harness, { body: { ...ask(), temperature: 0 } });
      assert.deepEqual([sent.status, sent.headers.get("x-outcrop-cache")], [200, wanted]);
    }
    assert.equal(await spentOf(store, "2026-11-23/day", "overall"), 520_000);
  }, { plugins: ", { use: response_cache }" }));

/**
 * How many of three requests at a time fit into 1,200,000. On Haiku each may cost 18,948 + 100 × 5,000 = 518,948; at
 * priority 1.75 times as much; on Qwen 9 / 0.95 × 150 + 100 × 600 = 61,422.
 */
const RESERVED: readonly {
  readonly what: string;
  readonly model: string;
  readonly tier?: "priority" | "flex";
  readonly usd?: number;
  readonly fit: number;
}[] = [
  { what: "at the model's price", model: HAIKU, fit: 2 },
  // 2 × (9 / 0.95 × 1,000 + 100 × 5,000) = 1,018,948 would fit, 2 × 518,948 = 1,037,896 does not
  {
    what: "as if its input were written to the cache for an hour",
    model: HAIKU,
    usd: 0.00103,
    fit: 1,
  },
  { what: "at the price of the key's own tier", model: HAIKU, tier: "priority", fit: 1 },
  {
    what: "at the default tier's where that is dearer: flex may be refused",
    model: HAIKU,
    tier: "flex",
    fit: 2,
  },
  { what: "at the price of a cheap model", model: QWEN, fit: 3 },
  { what: "at the price of the dearest fallback", model: "cheap", fit: 2 },
];

for (const { what, model, tier, fit, usd = 0.0012 } of RESERVED) {
  Deno.test(`reserved is ${what}`, async () => {
    const bedrock = startHoldingBedrock();
    const config =
      `limits: { retries: 0 }\nmodels: { aliases: { cheap: { model: ${QWEN}, fallback: ["${HAIKU}"] } } }\n`;
    try {
      await withBudget(`{ overall: { daily_usd: ${usd} } }`, async ({ harness }) => {
        const key = await keyOf(harness, tier === undefined ? {} : { tier });
        let refused = 0;
        const requests = Array.from({ length: 3 }, async () => {
          const sent = await send(harness, { key, body: { ...ask(), model } });
          if (sent.type === "rate_limit_error") refused++;
        });
        await settled(() => bedrock.arrived + refused === 3);
        const { arrived } = bedrock;
        bedrock.open();
        assert.equal(arrived, fit);
        await Promise.all(requests);
      }, { config, endpoint: bedrock.url });
    } finally {
      await bedrock.close();
    }
  });
}
