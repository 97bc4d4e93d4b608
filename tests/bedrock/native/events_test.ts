/** Claude's own events over invoke and over plain server-sent events: their bytes pass as they are. */
import assert from "node:assert/strict";
import { ApiError } from "../../../src/anthropic/error.ts";
import type { WireEvent } from "../../../src/anthropic/event.ts";
import { encodeBatch } from "../../../src/anthropic/sse.ts";
import type { Frame } from "../../../src/bedrock/frames.ts";
import { nativeMessage, NativeSseDecoder } from "../../../src/bedrock/native/events.ts";
import { InvokeDecoder } from "../../../src/bedrock/native/invoke.ts";

const encoder = new TextEncoder();
const METRICS = '"amazon-bedrock-invocationMetrics":{"inputTokenCount":1,"outputTokenCount":2}';
const STOP = '{"type":"message_stop"}';

function frame(payload: string, type = "chunk"): Frame {
  return {
    messageType: "event",
    type,
    errorMessage: undefined,
    payload: encoder.encode(payload),
  };
}

function base64(event: string): string {
  return encoder.encode(event).toBase64();
}

function chunk(event: string): Frame {
  return frame(`{"bytes":"${base64(event)}","p":"abcdefgh"}`);
}

function invoke(...frames: Frame[]): string[][] {
  const decoder = new InvokeDecoder();
  const events: WireEvent[] = [];
  for (const one of frames) {
    decoder.push(one, events);
    one.payload.fill(0); // a payload holds until the next push only
  }
  return events.map(({ type, text }) => [type, text]);
}

const LINES: Record<string, string> = {
  "one event after the other": '{"type":"content_block_delta","index":0,"delta":{"text":"a"}}',
  "an event of another type": '{"type":"content_block_stop","index":0}',
  "an event on several lines": '{"type":"content_block_delta",\n"index":0,\r"delta":{}}',
  "a longer one": `{"type":"content_block_delta","t":"${"x".repeat(5_000)}"}`,
};

Deno.test("InvokeDecoder's events leave as records of one line each, whichever came together", () => {
  const texts = Object.values(LINES);
  for (let first = 0; first < texts.length; first++) {
    for (const expected of [0, 100, 100_000]) {
      const order = [...texts.slice(first), ...texts.slice(0, first), ...texts];
      const decoder = new InvokeDecoder();
      decoder.expect(expected);
      const events: WireEvent[] = [];
      for (const text of order) decoder.push(chunk(text), events);
      const wanted = order.map((text) => {
        const line = text.replace(/[\n\r]/g, " ");
        return `event: ${JSON.parse(text).type}\ndata: ${line}\n\n`;
      });
      assert.equal(new TextDecoder().decode(encodeBatch(events)), wanted.join(""));
    }
  }
});

Deno.test("events that came together and are changed by nobody leave without being copied", () => {
  const records = order(3).map((text) => `event: ${JSON.parse(text).type}\ndata: ${text}\n\n`);
  const sse: WireEvent[] = [];
  new NativeSseDecoder().push(encoder.encode(records.join("")), sse);
  const framed: WireEvent[] = [];
  const decoder = new InvokeDecoder();
  decoder.expect(10_000);
  for (const text of order(3)) decoder.push(chunk(text), framed);
  for (const events of [sse, framed]) {
    const out = encodeBatch(events);
    assert.equal(new TextDecoder().decode(out), records.join(""));
    assert.equal(out.buffer, events[0]?.record?.bytes.buffer);
  }
});

function order(deltas: number): string[] {
  const delta = (n: number) => `{"type":"content_block_delta","index":0,"delta":{"text":"${n}"}}`;
  return [
    '{"type":"message_start","message":{}}',
    ...Array.from({ length: deltas }, (_, n) => delta(n)),
    STOP,
  ];
}

function isApiError(type: string, says: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof ApiError && error.type === type && says.test(error.message);
}

const EVENTS: Record<string, [type: string, text: string]> = {
  "numbers as they are written": ["novel", '{"type":"novel","n":1.0,"m":12345678901234567890}'],
  "text of every kind": [
    "content_block_delta",
    '{"type":"content_block_delta","t":"Grüße 🌍 \\u00e9"}',
  ],
  "an event whose type stands last": [
    "novel",
    '{"message":{"type":"message"},"n":[1],"type":"novel"}',
  ],
  "an event with spaces": ["ping", '{ "type" : "ping" }'],
  "a message_stop without metrics": ["message_stop", STOP],
};

for (const [what, [type, text]] of Object.entries(EVENTS)) {
  Deno.test(`InvokeDecoder passes on ${what}`, () => {
    assert.deepEqual(invoke(chunk(text)), [[type, text]]);
  });
}

const STOPS: Record<string, [given: string, wanted: string]> = {
  "alone": [`{"type":"message_stop",${METRICS}}`, STOP],
  "before other fields": [
    `{"type":"message_stop",${METRICS},"novel":1.0}`,
    '{"type":"message_stop","novel":1.0}',
  ],
  "first": [
    `{${METRICS},"type":"message_stop","novel":1.0}`,
    '{"type":"message_stop","novel":1.0}',
  ],
};

for (const [where, [given, wanted]] of Object.entries(STOPS)) {
  Deno.test(`InvokeDecoder takes Bedrock's metrics out of message_stop, where they stand ${where}`, () => {
    assert.deepEqual(invoke(chunk(given)), [["message_stop", wanted]]);
  });
}

/** Holds `/` and `+` in base64. */
const AWKWARD = '{"type":"x","t":"~~~???>>>ooo???"}';

const PAYLOADS: Record<string, string> = {
  "after the padding": `{"p":"abc","bytes":"${base64(AWKWARD)}"}`,
  "with spaces": `{ "bytes" : "${base64(AWKWARD)}" }`,
  "with escaped slashes": `{"bytes":"${base64(AWKWARD).replaceAll("/", "\\/")}"}`,
};

for (const [how, payload] of Object.entries(PAYLOADS)) {
  Deno.test(`InvokeDecoder finds the bytes ${how}`, () => {
    assert.match(base64(AWKWARD), /\//);
    assert.deepEqual(invoke(frame(payload)), [["x", AWKWARD]]);
  });
}

Deno.test("InvokeDecoder passes over frames of a kind it does not know", () => {
  assert.deepEqual(invoke(frame("", "novel")), []);
});

const BROKEN: Record<string, Frame> = {
  "a chunk without bytes": frame('{"p":"abc"}'),
  "bytes that are no base64": frame('{"bytes":"***"}'),
  "bytes that are no JSON": chunk("hello"),
  "an event without a type": chunk('{"n":1}'),
};

for (const [what, one] of Object.entries(BROKEN)) {
  Deno.test(`InvokeDecoder fails with an api_error for ${what}`, () => {
    assert.throws(() => invoke(one), isApiError("api_error", /try again$/));
  });
}

const ERROR =
  '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded: word for word"}}';

Deno.test("InvokeDecoder throws an error event with its type and its words", () => {
  assert.throws(
    () => invoke(chunk(ERROR)),
    isApiError("overloaded_error", /^Overloaded: word for word$/),
  );
});

Deno.test("InvokeDecoder fails at the end of a stream whose message has not ended", () => {
  const decoder = new InvokeDecoder();
  decoder.push(chunk('{"type":"message_start","message":{}}'), []);
  assert.throws(() => decoder.end(), isApiError("api_error", /ended before the message did/));
  decoder.push(chunk(STOP), []);
  decoder.end();
});

const STREAM = encoder.encode([
  'event: message_start\ndata: {"type":"message_start","message":{"id":"m","n":1.0}}\n\n',
  ": a comment\n\n",
  'event: ping\r\ndata: {"type": "ping"}\r\n\r\n',
  'data: {"type":"content_block_delta","delta":{"text":"Grüße 🌍"}}\n\n',
  `event: message_stop\ndata: {"type":"message_stop",${METRICS}}\n\n`,
].join(""));

Deno.test("NativeSseDecoder gives the same events for every split of a stream", () => {
  const wanted = [
    ["message_start", '{"type":"message_start","message":{"id":"m","n":1.0}}'],
    ["ping", '{"type": "ping"}'],
    ["content_block_delta", '{"type":"content_block_delta","delta":{"text":"Grüße 🌍"}}'],
    ["message_stop", STOP],
  ];
  for (let cut = 0; cut <= STREAM.byteLength; cut++) {
    const decoder = new NativeSseDecoder();
    const events: WireEvent[] = [];
    for (const part of [STREAM.slice(0, cut), STREAM.slice(cut)]) {
      decoder.push(part, events);
      part.fill(0); // who owns a chunk may use it again
    }
    decoder.end();
    assert.deepEqual(events.map(({ type, text }) => [type, text]), wanted, `cut at ${cut}`);
  }
});

Deno.test("NativeSseDecoder gives out what stands before an error event, and throws that", () => {
  const decoder = new NativeSseDecoder();
  const events: WireEvent[] = [];
  const text = `event: ping\ndata: {"type":"ping"}\n\nevent: error\ndata: ${ERROR}\n\n`;
  assert.throws(
    () => decoder.push(encoder.encode(text), events),
    isApiError("overloaded_error", /^Overloaded: word for word$/),
  );
  assert.deepEqual(events.map(({ type }) => type), ["ping"]);
});

Deno.test("NativeSseDecoder fails at the end of a stream that was cut inside message_stop", () => {
  const decoder = new NativeSseDecoder();
  decoder.push(STREAM.subarray(0, STREAM.byteLength - 1), []);
  assert.throws(() => decoder.end(), isApiError("api_error", /ended before the message did/));
});

Deno.test("nativeMessage() keeps what it does not know", () => {
  const message = {
    id: "m",
    type: "message",
    content: [{ type: "novel", x: 1 }],
    usage: { input_tokens: 1, output_tokens: 2, novel: null },
    novel: [1],
  };
  assert.deepEqual(nativeMessage(encoder.encode(JSON.stringify(message))), message);
});

const NO_MESSAGES: Record<string, string> = {
  "no JSON": "<html>",
  "null": "null",
  "an answer in OpenAI's shape": '{"choices":[{"message":{"content":"hi"}}],"usage":{}}',
  "an error": ERROR,
  "a message without content": '{"type":"message","usage":{}}',
  "a message without usage": '{"type":"message","content":[]}',
};

for (const [what, text] of Object.entries(NO_MESSAGES)) {
  Deno.test(`nativeMessage() fails with an api_error for ${what}`, () => {
    assert.throws(() => nativeMessage(encoder.encode(text)), isApiError("api_error", /try again$/));
  });
}

Deno.test("events whose usage is read must be JSON of their kind: else it is Bedrock's failure", () => {
  const broken = [
    '{"type":"message_start","message":',
    '{"type":"message_start","message":null}',
    '{"type":"message_start"}',
    '{"type":"message_delta","usage":}',
    `{"type":"message_stop",${METRICS},}`,
  ];
  for (const event of broken) {
    assert.throws(() => invoke(chunk(event)), (error: unknown) => {
      assert.ok(error instanceof ApiError && error.type === "api_error", event);
      assert.match(error.message, /of the stream from Amazon Bedrock is/);
      return true;
    });
  }
});
