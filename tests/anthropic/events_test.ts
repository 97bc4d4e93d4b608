/** Server-sent events, and a message as events and back. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { BrokenEvent, WireEvent } from "../../src/anthropic/event.ts";
import { expandMessage } from "../../src/anthropic/expand.ts";
import { foldEvents } from "../../src/anthropic/fold.ts";
import { encodeBatch } from "../../src/anthropic/sse.ts";
import { SseReader } from "../../src/anthropic/sse_reader.ts";
import type { AnthropicEvent, Message } from "../../src/anthropic/types.ts";
import { checkProperty } from "../seed.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const STREAM = [
  ": a comment\n",
  'event: message_start\ndata: {"type":"message_start","message":{"id":"m"}}\n\n',
  'event: ping\r\ndata: {"type": "ping"}\r\n\r\n',
  'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Grüße 🌍"}}\n\n',
  'event: novel\ndata: {"type":"novel",\ndata: "x":1}\n\n',
  "event: nothing\n\n",
  'event:message_stop\ndata:{"type":"message_stop"}\r\r',
].join("");
const WANTED = [
  ["message_start", '{"type":"message_start","message":{"id":"m"}}'],
  ["ping", '{"type": "ping"}'],
  [
    "content_block_delta",
    '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Grüße 🌍"}}',
  ],
  ["novel", '{"type":"novel",\n"x":1}\n'],
  ["message_stop", '{"type":"message_stop"}'],
];

function readInChunks(bytes: Uint8Array, cuts: readonly number[]): string[][] {
  const reader = new SseReader();
  const events: WireEvent[] = [];
  const edges = [0, ...cuts, bytes.byteLength];
  edges.slice(0, -1).forEach((start, index) =>
    reader.push(bytes.slice(start, edges[index + 1]), events)
  );
  return events.map(({ type, text }) => [type, text]);
}

Deno.test("SseReader gives the same events for every split of a stream", () => {
  const bytes = encoder.encode(STREAM);
  assert.deepEqual(readInChunks(bytes, []), WANTED);
  for (let cut = 0; cut <= bytes.byteLength; cut++) {
    assert.deepEqual(readInChunks(bytes, [cut]), WANTED, `cut at ${cut}`);
  }
  assert.deepEqual(
    readInChunks(bytes, Array.from({ length: bytes.byteLength - 1 }, (_, at) => at + 1)),
    WANTED,
  );
  checkProperty(
    fc.property(fc.array(fc.nat(bytes.byteLength), { maxLength: 10 }), (cuts) => {
      assert.deepEqual(readInChunks(bytes, cuts.toSorted((a, b) => a - b)), WANTED);
    }),
    50,
  );
});

Deno.test("encodeBatch() writes one chunk, from bytes, text and objects alike", () => {
  const bytes = WireEvent.fromBytes("a", encoder.encode('{"type":"a","n":1.0}'));
  const text = WireEvent.fromText("b", '{"type":"b"}');
  const object = WireEvent.from({ type: "message_stop" });
  const wanted =
    'event: a\ndata: {"type":"a","n":1.0}\n\nevent: b\ndata: {"type":"b"}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n';
  assert.equal(decoder.decode(encodeBatch([bytes, text, object])), wanted);
  assert.equal(
    decoder.decode(encodeBatch([text, object])),
    wanted.slice(wanted.indexOf("event: b")),
  );
});

Deno.test("encodeBatch() lets no event's name break out of its line", () => {
  const sly = WireEvent.fromText("a\n\ndata: injected", "{}");
  assert.ok(!decoder.decode(encodeBatch([sly])).includes("injected"));
});

const jsonObject = fc.dictionary(
  fc.string({ minLength: 1, maxLength: 6 }).filter((name) => name !== "__proto__"),
  fc.jsonValue({ maxDepth: 2 }),
  { maxKeys: 3 },
)
  .map((value) => JSON.parse(JSON.stringify(value)));
const citation = fc.record({ type: fc.constant("char_location"), cited_text: fc.string() });
const block = fc.oneof(
  fc.record({ type: fc.constant("text"), text: fc.string() }),
  fc.record({
    type: fc.constant("text"),
    text: fc.string(),
    citations: fc.array(citation, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({
    type: fc.constant("text"),
    text: fc.string(),
    citations: fc.constant(null),
    novel: fc.boolean(),
  }),
  fc.record({ type: fc.constant("thinking"), thinking: fc.string(), signature: fc.string() }),
  fc.record({ type: fc.constant("redacted_thinking"), data: fc.string() }),
  fc.record({
    type: fc.constant("tool_use"),
    id: fc.string(),
    name: fc.string(),
    input: jsonObject,
    caller: fc.constant({ type: "direct" }),
  }),
  fc.record({
    type: fc.constant("web_search_tool_result"),
    content: fc.array(jsonObject, { maxLength: 2 }),
  }),
);
const message: fc.Arbitrary<Message> = fc.record({
  id: fc.constant("msg_1"),
  type: fc.constant("message" as const),
  role: fc.constant("assistant" as const),
  model: fc.string(),
  content: fc.array(block, { maxLength: 5 }),
  stop_reason: fc.constantFrom("end_turn", "tool_use", "refusal"),
  stop_sequence: fc.option(fc.string()),
  stop_details: fc.option(jsonObject),
  container: fc.constant(null),
  usage: fc.record({
    input_tokens: fc.nat(),
    output_tokens: fc.nat(),
    service_tier: fc.constant("standard"),
  }),
  novel: fc.constant([1]),
}, {
  requiredKeys: ["id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"],
}) as fc.Arbitrary<Message>;

Deno.test("folding what a message expands to gives the message back", () => {
  checkProperty(
    fc.property(message, (generated) => {
      const given = JSON.parse(JSON.stringify(generated)) as Message;
      assert.deepEqual(foldEvents(expandMessage(given)), given);
    }),
    300,
  );
});

Deno.test("expandMessage() streams a tool's input as deltas, which is where Claude Code looks for it", () => {
  const events = expandMessage({
    id: "m",
    type: "message",
    role: "assistant",
    model: "x",
    content: [{ type: "tool_use", id: "t", name: "n", input: {} }],
    stop_reason: "tool_use",
    stop_sequence: null,
    usage: { input_tokens: 1, output_tokens: 1 },
  });
  assert.deepEqual(events[2], {
    type: "content_block_delta",
    index: 0,
    delta: { type: "input_json_delta", partial_json: "{}" },
  });
});

const START: AnthropicEvent = {
  type: "message_start",
  message: {
    id: "m",
    type: "message",
    role: "assistant",
    model: "x",
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: 1, output_tokens: 0 },
  },
};
const DONE: AnthropicEvent[] = [
  {
    type: "message_delta",
    delta: { stop_reason: "end_turn", stop_sequence: null },
    usage: { output_tokens: 3 },
  },
  { type: "message_stop" },
];

Deno.test("foldEvents() takes cumulative usage, and passes over pings", () => {
  const folded = foldEvents([START, { type: "ping" }, ...DONE]);
  assert.deepEqual(folded?.usage, { input_tokens: 1, output_tokens: 3 });
  assert.equal(folded?.stop_reason, "end_turn");
});

const UNKNOWN: Record<string, AnthropicEvent[]> = {
  "a delta of a kind it does not know": [
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    { type: "content_block_delta", index: 0, delta: { type: "novel_delta" } },
  ],
  "a delta for a block that was not started": [{
    type: "content_block_delta",
    index: 3,
    delta: { type: "text_delta", text: "x" },
  }],
  "input that is no JSON": [
    {
      type: "content_block_start",
      index: 0,
      content_block: { type: "tool_use", id: "t", name: "n", input: {} },
    },
    {
      type: "content_block_delta",
      index: 0,
      delta: { type: "input_json_delta", partial_json: '{"a":' },
    },
    { type: "content_block_stop", index: 0 },
  ],
};

for (const [what, events] of Object.entries(UNKNOWN)) {
  Deno.test(`foldEvents() gives no message rather than a wrong one for ${what}`, () => {
    assert.equal(foldEvents([START, ...events, ...DONE]), undefined);
  });
}

Deno.test("foldEvents() gives no message that has not ended", () => {
  assert.equal(foldEvents([START, DONE[0] as AnthropicEvent]), undefined);
});

const BROKEN = [
  "",
  "null",
  "[]",
  '"text"',
  '{"type":"message_start"}',
  '{"type":"message_start","message":null}',
  '{"type":"content_block_start","index":0}',
  '{"type":"content_block_start","index":0,"content_block":[]}',
  '{"type":"content_block_delta","index":0,"delta":"text"}',
  '{"type":"message_delta","usage":{}}',
];
for (const text of BROKEN) {
  Deno.test(`an event cannot be read: ${text}`, () => {
    assert.throws(() => WireEvent.fromText("any", text).value, BrokenEvent);
    assert.equal(WireEvent.fromText("any", text).text, text);
  });
}

Deno.test("an event of a type that is not known is read, whatever it holds", () => {
  const value = { type: "novel", delta: 1 };
  assert.deepEqual(WireEvent.fromText("novel", JSON.stringify(value)).value, value);
});

Deno.test("SseReader keeps no record that is larger than any event is", () => {
  const part = encoder.encode("x".repeat(1_048_576));
  for (const lines of [1, 20]) {
    const reader = new SseReader();
    const read: WireEvent[] = [];
    const push = () => {
      for (let at = 0; at < 20; at++) {
        if (at === 0 || lines > 1) reader.push(encoder.encode("data: "), read);
        reader.push(part, read);
        if (lines > 1) reader.push(encoder.encode("\n"), read);
      }
    };
    assert.throws(push, /cannot be read/, `${lines} lines`);
    assert.deepEqual(read, []);
  }
  const reader = new SseReader();
  const read: WireEvent[] = [];
  for (let at = 0; at < 20; at++) {
    reader.push(encoder.encode(`data: {"type":"ping","x":"${"x".repeat(1_048_576)}"}\n\n`), read);
  }
  assert.equal(read.length, 20, "each record counts alone");
});
