/**
 * A Bedrock that costs next to nothing: answers are bytes made beforehand.
 * @module
 */
import { eventFrame } from "../src/simulator/frames.ts";

const EVENTS = 200;
const TEXT = " a few words of text";
const encoder = new TextEncoder();

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

function inChunks(frames: readonly Uint8Array[], perChunk: number): Uint8Array<ArrayBuffer>[] {
  return Array.from(
    { length: Math.ceil(frames.length / perChunk) },
    (_, index) => join(frames.slice(index * perChunk, (index + 1) * perChunk)),
  );
}

const MESSAGE = {
  id: "msg_bench",
  type: "message",
  role: "assistant",
  model: "bench",
  content: [{ type: "text", text: TEXT.repeat(20) }],
  stop_reason: "end_turn",
  stop_sequence: null,
  usage: { input_tokens: 10, output_tokens: EVENTS },
};

function chunkFrame(event: unknown): Uint8Array {
  return eventFrame("chunk", {
    bytes: encoder.encode(JSON.stringify(event)).toBase64(),
    p: "abcdefghij",
  });
}

const INVOKE = [
  chunkFrame({ type: "message_start", message: { ...MESSAGE, content: [], stop_reason: null } }),
  chunkFrame({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }),
  ...Array.from(
    { length: EVENTS },
    () =>
      chunkFrame({
        type: "content_block_delta",
        index: 0,
        delta: { type: "text_delta", text: TEXT },
      }),
  ),
  chunkFrame({ type: "content_block_stop", index: 0 }),
  chunkFrame({
    type: "message_delta",
    delta: { stop_reason: "end_turn", stop_sequence: null },
    usage: { output_tokens: EVENTS },
  }),
  chunkFrame({ type: "message_stop" }),
];
const CONVERSE = [
  eventFrame("messageStart", { role: "assistant", p: "abc" }),
  ...Array.from(
    { length: EVENTS },
    () =>
      eventFrame("contentBlockDelta", {
        contentBlockIndex: 0,
        delta: { text: TEXT },
        p: "abcdefghij",
      }),
  ),
  eventFrame("contentBlockStop", { contentBlockIndex: 0 }),
  eventFrame("messageStop", { stopReason: "end_turn" }),
  eventFrame("metadata", {
    usage: { inputTokens: 10, outputTokens: EVENTS, totalTokens: 210 },
    metrics: { latencyMs: 1 },
  }),
];

const STREAMS: Readonly<Record<string, readonly Uint8Array<ArrayBuffer>[]>> = {
  "invoke-with-response-stream": inChunks(INVOKE, 10),
  "converse-stream": inChunks(CONVERSE, 10),
  "one-by-one": inChunks(INVOKE, 1),
};
const WHOLE: Readonly<Record<string, string>> = {
  invoke: JSON.stringify(MESSAGE),
  converse: JSON.stringify({
    output: { message: { role: "assistant", content: [{ text: TEXT.repeat(20) }] } },
    stopReason: "end_turn",
    usage: { inputTokens: 10, outputTokens: EVENTS, totalTokens: 210 },
  }),
};

function streamOf(chunks: readonly Uint8Array<ArrayBuffer>[]): Response {
  let next = 0;
  const body = new ReadableStream({
    pull(controller) {
      const chunk = chunks[next++];
      if (chunk === undefined) controller.close();
      else controller.enqueue(chunk);
    },
  });
  return new Response(body, { headers: { "content-type": "application/vnd.amazon.eventstream" } });
}

Deno.serve(
  { port: Number(Deno.args[0]), hostname: "127.0.0.1", onListen: () => {} },
  async (request) => {
    await request.arrayBuffer();
    const operation = request.url.split("/").at(-1) ?? "";
    // The model of this name answers an event a chunk.
    const stream = STREAMS[request.url.includes("one-by-one") ? "one-by-one" : operation];
    if (stream !== undefined) return streamOf(stream);
    return new Response(WHOLE[operation], { headers: { "content-type": "application/json" } });
  },
);
