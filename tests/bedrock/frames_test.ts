import assert from "node:assert/strict";
import { EventStreamCodec } from "@smithy/eventstream-codec";
import fc from "fast-check";
import { type Frame, FrameDecoder, FrameError } from "../../src/bedrock/frames.ts";
import { checkProperty } from "../seed.ts";

const encoder = new TextEncoder();
const codec = new EventStreamCodec(
  (bytes) => new TextDecoder().decode(bytes),
  (text) => encoder.encode(text),
);

function frame(headers: Record<string, string>, payload: unknown): Uint8Array {
  const entries = Object.entries(headers).map((
    [name, value],
  ) => [name, { type: "string" as const, value }]);
  return codec.encode({
    headers: Object.fromEntries(entries),
    body: encoder.encode(JSON.stringify(payload)),
  });
}

function event(type: string, payload: unknown): Uint8Array {
  return frame({
    ":event-type": type,
    ":content-type": "application/json",
    ":message-type": "event",
  }, payload);
}

function join(...parts: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

const everyHeaderType = codec.encode({
  headers: {
    ":message-type": { type: "string", value: "event" },
    ":event-type": { type: "string", value: "chunk" },
    yes: { type: "boolean", value: true },
    no: { type: "boolean", value: false },
    byte: { type: "byte", value: 3 },
    short: { type: "short", value: 300 },
    int: { type: "integer", value: 70_000 },
    bytes: { type: "binary", value: new Uint8Array([1, 2, 3]) },
    when: { type: "timestamp", value: new Date(0) },
    id: { type: "uuid", value: "00000000-0000-4000-8000-000000000000" },
  },
  body: encoder.encode("{}"),
});

/** Each fixture: the bytes of a stream, and what its frames say. */
const FIXTURES: Record<string, { bytes: Uint8Array; wanted: [string, string, string][] }> = {
  "a converse stream": {
    bytes: join(
      event("messageStart", { role: "assistant", p: "abcdef" }),
      event("contentBlockDelta", { contentBlockIndex: 0, delta: { text: "Grüße, 世界 🌍" } }),
      event("contentBlockStop", { contentBlockIndex: 0 }),
      event("messageStop", { stopReason: "end_turn" }),
      event("metadata", { usage: { inputTokens: 1, outputTokens: 2, totalTokens: 3 } }),
    ),
    wanted: [
      ["event", "messageStart", '{"role":"assistant","p":"abcdef"}'],
      ["event", "contentBlockDelta", '{"contentBlockIndex":0,"delta":{"text":"Grüße, 世界 🌍"}}'],
      ["event", "contentBlockStop", '{"contentBlockIndex":0}'],
      ["event", "messageStop", '{"stopReason":"end_turn"}'],
      ["event", "metadata", '{"usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3}}'],
    ],
  },
  "an exception after an event": {
    bytes: join(
      event("chunk", { bytes: "e30=", p: "a" }),
      frame({ ":exception-type": "throttlingException", ":message-type": "exception" }, {
        message: "slow down",
      }),
    ),
    wanted: [
      ["event", "chunk", '{"bytes":"e30=","p":"a"}'],
      ["exception", "throttlingException", '{"message":"slow down"}'],
    ],
  },
  "an error": {
    bytes: frame({
      ":message-type": "error",
      ":error-code": "InternalFailure",
      ":error-message": "oops",
    }, ""),
    wanted: [["error", "InternalFailure", '""']],
  },
  "a header of every type": { bytes: everyHeaderType, wanted: [["event", "chunk", "{}"]] },
};

function read(frames: readonly Frame[]): [string, string, string][] {
  return frames.map((one) => [one.messageType, one.type, new TextDecoder().decode(one.payload)]);
}

function decodeInChunks(bytes: Uint8Array, cuts: readonly number[]): [string, string, string][] {
  const decoder = new FrameDecoder();
  const found: [string, string, string][] = [];
  const edges = [0, ...cuts, bytes.byteLength];
  for (const [index, start] of edges.slice(0, -1).entries()) {
    found.push(...read(decoder.push(bytes.slice(start, edges[index + 1]))));
  }
  decoder.end();
  return found;
}

for (const [name, { bytes, wanted }] of Object.entries(FIXTURES)) {
  Deno.test(`push() gives the same frames for every split of ${name}`, () => {
    assert.deepEqual(decodeInChunks(bytes, []), wanted);
    for (let cut = 0; cut <= bytes.byteLength; cut++) {
      assert.deepEqual(decodeInChunks(bytes, [cut]), wanted, `cut at ${cut}`);
    }
    const everyByte = Array.from({ length: bytes.byteLength - 1 }, (_, index) => index + 1);
    assert.deepEqual(decodeInChunks(bytes, everyByte), wanted);
    checkProperty(
      fc.property(fc.array(fc.nat(bytes.byteLength), { maxLength: 12 }), (cuts) => {
        assert.deepEqual(decodeInChunks(bytes, cuts.toSorted((a, b) => a - b)), wanted);
      }),
      50,
    );
  });
}

Deno.test("push() gives nothing of or after a frame with any one bit wrong", () => {
  const before = event("messageStart", { role: "assistant" });
  const broken = event("contentBlockStop", { contentBlockIndex: 7 });
  const after = event("messageStop", { stopReason: "end_turn" });
  for (let bit = 0; bit < broken.byteLength * 8; bit++) {
    const flipped = broken.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const decoder = new FrameDecoder();
    const frames = read(decoder.push(join(before, flipped, after)));
    assert.deepEqual(frames, [["event", "messageStart", '{"role":"assistant"}']], `bit ${bit}`);
    assert.deepEqual(decoder.push(after), [], `bit ${bit}`);
    assert.throws(() => decoder.end(), FrameError, `bit ${bit}`);
  }
});

Deno.test("failure tells why a stream is corrupt", () => {
  const broken = event("chunk", {});
  broken[broken.byteLength - 1] = (broken[broken.byteLength - 1] ?? 0) ^ 0xff;
  const decoder = new FrameDecoder();
  decoder.push(broken);
  assert.match(decoder.failure?.message ?? "", /checksum must be [0-9a-f]{8}: it is [0-9a-f]{8}$/);
});

Deno.test("push() refuses a length that lies, though its checksum is right", async () => {
  const { crc32 } = await import("node:zlib");
  for (const [total, headers] of [[15, 0], [0, 0], [0xffffffff, 0], [40, 25]] as const) {
    const prelude = new Uint8Array(12);
    const view = new DataView(prelude.buffer);
    view.setUint32(0, total);
    view.setUint32(4, headers);
    view.setUint32(8, crc32(prelude.subarray(0, 8)));
    const decoder = new FrameDecoder();
    assert.deepEqual(decoder.push(join(prelude, new Uint8Array(40))), []);
    assert.match(decoder.failure?.message ?? "", /Cannot use/, `${total} ${headers}`);
  }
});

Deno.test("end() refuses a stream that ends inside a frame, wherever", () => {
  const whole = event("chunk", { bytes: "e30=" });
  for (let size = 1; size < whole.byteLength; size++) {
    const decoder = new FrameDecoder();
    assert.deepEqual(decoder.push(whole.slice(0, size)), []);
    assert.throws(() => decoder.end(), /Cannot end inside a frame/, `after ${size} bytes`);
  }
});
