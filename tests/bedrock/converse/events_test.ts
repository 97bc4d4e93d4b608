/** Converse's stream as Anthropic's events, with Anthropic's SDK as the referee. */
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { ApiError } from "../../../src/anthropic/error.ts";
import type { WireEvent } from "../../../src/anthropic/event.ts";
import { foldEvents } from "../../../src/anthropic/fold.ts";
import { encodeBatch } from "../../../src/anthropic/sse.ts";
import type { AnthropicEvent } from "../../../src/anthropic/types.ts";
import { ConverseDecoder } from "../../../src/bedrock/converse/events.ts";
import { isSyntheticSignature } from "../../../src/bedrock/converse/signature.ts";
import { decode, FIXTURES, frame, messageOf, optionsOf, type Scripted } from "./fixtures.ts";

const START: Scripted = ["messageStart", { role: "assistant" }];
const STOP: Scripted = ["messageStop", { stopReason: "end_turn" }];
const METADATA: Scripted = ["metadata", { usage: { inputTokens: 5, outputTokens: 6 } }];

function delta(contentBlockIndex: number, value: unknown): Scripted {
  return ["contentBlockDelta", { contentBlockIndex, delta: value }];
}

function stop(contentBlockIndex: number): Scripted {
  return ["contentBlockStop", { contentBlockIndex }];
}

function toolStart(contentBlockIndex: number, toolUseId: string): Scripted {
  return ["contentBlockStart", {
    contentBlockIndex,
    start: { toolUse: { toolUseId, name: "run" } },
  }];
}

function input(contentBlockIndex: number, part: string): Scripted {
  return delta(contentBlockIndex, { toolUse: { input: part } });
}

function values(events: readonly WireEvent[]): AnthropicEvent[] {
  return events.map(({ text }) => JSON.parse(text));
}

/** Asserts that blocks open and close one after the other, numbered from 0, and nothing else is out of place. */
function assertWellFormed(events: readonly AnthropicEvent[]): void {
  assert.deepEqual(
    [events[0]?.type, ...events.slice(-2).map(({ type }) => type)],
    ["message_start", "message_delta", "message_stop"],
  );
  let next = 0;
  let open: number | undefined;
  for (const event of events.slice(1, -2)) {
    if (event.type === "content_block_start") {
      assert.equal(open, undefined);
      assert.equal(event.index, next);
      open = next++;
      continue;
    }
    assert.ok(event.type === "content_block_delta" || event.type === "content_block_stop");
    assert.equal(event.index, open);
    if (event.type === "content_block_stop") open = undefined;
  }
  assert.equal(open, undefined);
}

/** What Anthropic's SDK makes of the events. */
async function sdkMessage(events: readonly WireEvent[]): Promise<Record<string, unknown>> {
  const client = new Anthropic({
    apiKey: "none",
    maxRetries: 0,
    fetch: () =>
      Promise.resolve(
        new Response(encodeBatch(events), { headers: { "content-type": "text/event-stream" } }),
      ),
  });
  const stream = client.messages.stream({
    model: "qwen",
    max_tokens: 1,
    messages: [{ role: "user", content: "hi" }],
  });
  return JSON.parse(JSON.stringify(await stream.finalMessage()));
}

for (const fixture of FIXTURES) {
  Deno.test(`ConverseDecoder streams ${fixture.name}`, async () => {
    const events = decode(fixture.frames, fixture.stopSequences);
    const wanted = messageOf(fixture);
    assertWellFormed(values(events));
    assert.deepEqual(foldEvents(values(events)), wanted);
    const { id, content, stop_reason, stop_sequence, usage } = await sdkMessage(events);
    assert.deepEqual(
      { id, content, stop_reason, stop_sequence },
      {
        id: wanted.id,
        content: wanted.content,
        stop_reason: wanted.stop_reason,
        stop_sequence: wanted.stop_sequence,
      },
    );
    const counted = usage as Record<string, unknown>;
    assert.equal(counted.input_tokens, wanted.usage.input_tokens);
    assert.equal(counted.output_tokens, wanted.usage.output_tokens);
    assert.equal(counted.cache_read_input_tokens, wanted.usage.cache_read_input_tokens);
  });
}

Deno.test("ConverseDecoder begins with a whole usage of zeros, as SDKs read it at once", () => {
  const [event] = values(decode([START, STOP, METADATA]));
  assert.ok(event?.type === "message_start");
  assert.deepEqual(event.message.content, []);
  assert.deepEqual(event.message.usage, {
    input_tokens: 0,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
    output_tokens: 0,
    output_tokens_details: null,
    server_tool_use: null,
    service_tier: "standard",
    inference_geo: null,
    speed: null,
  });
});

Deno.test("ConverseDecoder ends the message only when the usage has come", () => {
  const decoder = new ConverseDecoder(optionsOf());
  const events: WireEvent[] = [];
  for (const [type, value] of [START, delta(0, { text: "x" }), stop(0), STOP]) {
    decoder.push(frame(type, value), events);
  }
  assert.equal(events.at(-1)?.type, "content_block_stop");
  decoder.push(frame(...METADATA), events);
  const [end, last] = values(events.slice(-2));
  assert.ok(end?.type === "message_delta");
  assert.equal(end.usage.input_tokens, 5);
  assert.equal(end.usage.output_tokens, 6);
  assert.equal(last?.type, "message_stop");
  const count = events.length;
  decoder.push(frame(...METADATA), events);
  decoder.end(events);
  assert.equal(events.length, count);
});

Deno.test("ConverseDecoder ends the message without usage when that never comes", () => {
  const events = values(decode([START, delta(0, { text: "x" }), stop(0), STOP]));
  assertWellFormed(events);
  assert.equal(foldEvents(events)?.stop_reason, "end_turn");
});

Deno.test("ConverseDecoder opens and closes blocks whose stop never comes", () => {
  const frames = [START, delta(0, { text: "a" }), delta(1, { text: "b" }), STOP, METADATA];
  const events = values(decode(frames));
  assertWellFormed(events);
  assert.deepEqual(foldEvents(events)?.content, [
    { type: "text", text: "a" },
    { type: "text", text: "b" },
  ]);
});

Deno.test("ConverseDecoder streams the input of a tool without arguments, where clients look for it", () => {
  const events = values(decode([START, toolStart(0, "t"), stop(0), STOP, METADATA]));
  assert.deepEqual(events[2], {
    type: "content_block_delta",
    index: 0,
    delta: { type: "input_json_delta", partial_json: "{}" },
  });
});

Deno.test("ConverseDecoder begins the message by itself when messageStart is missing", () => {
  assertWellFormed(values(decode([delta(0, { text: "a" }), stop(0), STOP, METADATA])));
});

Deno.test("ConverseDecoder keeps text that it held back before what follows, where stops are missing", () => {
  const frames = [START, delta(0, { text: "a <" }), toolStart(1, "t"), stop(1), STOP, METADATA];
  const events = values(decode(frames, ["<x>"]));
  assertWellFormed(events);
  assert.deepEqual(foldEvents(events)?.content, [
    { type: "text", text: "a <" },
    { type: "tool_use", id: "t", name: "run", input: {} },
  ]);
});

Deno.test("ConverseDecoder meets no stop sequence across two blocks", () => {
  const frames = [START, delta(0, { text: "a<" }), delta(1, { text: "x>b" }), STOP, METADATA];
  const folded = foldEvents(values(decode(frames, ["<x>"])));
  assert.deepEqual(folded?.content, [
    { type: "text", text: "a<" },
    { type: "text", text: "x>b" },
  ]);
  assert.equal(folded?.stop_reason, "end_turn");
});

Deno.test("ConverseDecoder lets the stop of another block close nothing", () => {
  const frames = [
    START,
    delta(0, { text: "x" }),
    toolStart(1, "t"),
    stop(0),
    input(1, '{"a":1}'),
    stop(1),
    STOP,
    METADATA,
  ];
  assert.deepEqual(foldEvents(values(decode(frames)))?.content[1]?.input, { a: 1 });
});

Deno.test("ConverseDecoder signs reasoning that has no signature with one that is told apart", () => {
  const frames = [START, delta(0, { reasoningContent: { text: "why" } }), stop(0), STOP, METADATA];
  const [block] = foldEvents(values(decode(frames)))?.content ?? [];
  assert.ok(isSyntheticSignature(String(block?.signature)));
  assert.ok(!isSyntheticSignature("c2ln"));
});

const FAILURES: Record<string, { frames: Scripted[]; says: RegExp }> = {
  "a stream that ends before the message does": {
    frames: [START, delta(0, { text: "x" }), stop(0)],
    says: /ended before the message did/,
  },
  "an empty stream": { frames: [], says: /ended before the message did/ },
  "output that the model malformed": {
    frames: [START, ["messageStop", { stopReason: "malformed_model_output" }]],
    says: /malformed_model_output/,
  },
  "a tool call that the model malformed": {
    frames: [START, ["messageStop", { stopReason: "malformed_tool_use" }]],
    says: /malformed_tool_use/,
  },
  "a tool call that another interrupts": {
    frames: [START, toolStart(0, "a"), toolStart(1, "b"), input(1, "{}"), stop(1), STOP, METADATA],
    says: /in pieces/,
  },
  "a tool's input after its end": {
    frames: [START, toolStart(0, "a"), input(0, '{"a":1}'), stop(0), input(0, "}"), STOP, METADATA],
    says: /in pieces/,
  },
  "a tool's input in the block of another": {
    frames: [START, toolStart(0, "a"), input(1, '{"a":1}'), stop(0), STOP, METADATA],
    says: /in pieces/,
  },
  "a tool's input without a tool": {
    frames: [START, input(0, '{"a":1}'), STOP, METADATA],
    says: /in pieces/,
  },
};

for (const [what, { frames, says }] of Object.entries(FAILURES)) {
  Deno.test(`ConverseDecoder fails with an api_error, and ends no message, for ${what}`, () => {
    const decoder = new ConverseDecoder(optionsOf());
    const events: WireEvent[] = [];
    assert.throws(
      () => {
        for (const [type, value] of frames) decoder.push(frame(type, value), events);
        decoder.end(events);
      },
      (error) =>
        error instanceof ApiError && error.type === "api_error" && says.test(error.message),
    );
    assert.ok(events.every(({ type }) => type !== "message_stop"));
  });
}

Deno.test("ConverseDecoder fails with an api_error for an event that is no JSON", () => {
  const broken = { ...frame("contentBlockDelta", {}), payload: new TextEncoder().encode("{") };
  const decoder = new ConverseDecoder(optionsOf());
  assert.throws(() => decoder.push(broken, []), ApiError);
});
