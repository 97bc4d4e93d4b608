/**
 * What the upstream of the benchmark answers: bytes made beforehand, in the wire form of each route.
 * @module
 */
import { eventFrame } from "../src/simulator/frames.ts";

/** Events of text in a streamed answer. */
export const TEXT_EVENTS = 200;
/** Events of a streamed answer in all: its start, its block's start and end, its two last. */
export const STREAM_EVENTS: number = TEXT_EVENTS + 5;

/** Chunks of a streamed answer. */
export type Chunks = readonly Uint8Array<ArrayBuffer>[];

const TEXT = " a few words of text";
const encoder = new TextEncoder();

const MESSAGE = {
  id: "msg_bench",
  type: "message",
  role: "assistant",
  model: "bench",
  content: [{ type: "text", text: TEXT.repeat(20) }],
  stop_reason: "end_turn",
  stop_sequence: null,
  usage: { input_tokens: 10, output_tokens: TEXT_EVENTS },
};

/** An event, as Claude tells it. */
export type ClaudeEvent = Readonly<Record<string, unknown>> & { readonly type: string };

/** Events before the text. */
export const CLAUDE_START: readonly ClaudeEvent[] = [
  { type: "message_start", message: { ...MESSAGE, content: [], stop_reason: null } },
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
];
/** Events after it. */
export const CLAUDE_END: readonly ClaudeEvent[] = [
  { type: "content_block_stop", index: 0 },
  {
    type: "message_delta",
    delta: { stop_reason: "end_turn", stop_sequence: null },
    usage: { output_tokens: TEXT_EVENTS },
  },
  { type: "message_stop" },
];

/** An event of text. */
export function claudeText(text: string): ClaudeEvent {
  return { type: "content_block_delta", index: 0, delta: { type: "text_delta", text } };
}

/** An event as InvokeModelWithResponseStream frames it. */
export function invokeFrame(event: unknown): Uint8Array<ArrayBuffer> {
  const bytes = encoder.encode(JSON.stringify(event)).toBase64();
  return eventFrame("chunk", { bytes, p: "abcdefghij" }) as Uint8Array<ArrayBuffer>;
}

function sseRecord(event: ClaudeEvent): Uint8Array<ArrayBuffer> {
  return encoder.encode(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
}

const claude = [
  ...CLAUDE_START,
  ...Array.from({ length: TEXT_EVENTS }, () => claudeText(TEXT)),
  ...CLAUDE_END,
];
const converse = [
  eventFrame("messageStart", { role: "assistant", p: "abc" }),
  ...Array.from({ length: TEXT_EVENTS }, () =>
    eventFrame("contentBlockDelta", {
      contentBlockIndex: 0,
      delta: { text: TEXT },
      p: "abcdefghij",
    })),
  eventFrame("contentBlockStop", { contentBlockIndex: 0 }),
  eventFrame("messageStop", { stopReason: "end_turn" }),
  eventFrame("metadata", {
    usage: { inputTokens: 10, outputTokens: TEXT_EVENTS, totalTokens: 210 },
    metrics: { latencyMs: 1 },
  }),
];

/** Frames of a streamed answer by the last part of the path. */
export const FRAMES: Readonly<Record<string, readonly Uint8Array[]>> = {
  "invoke-with-response-stream": claude.map(invokeFrame),
  "converse-stream": converse,
  messages: claude.map(sseRecord),
};

/** Whole answers by the last part of the path. */
export const WHOLE: Readonly<Record<string, string>> = {
  invoke: JSON.stringify(MESSAGE),
  messages: JSON.stringify(MESSAGE),
  converse: JSON.stringify({
    output: { message: { role: "assistant", content: [{ text: TEXT.repeat(20) }] } },
    stopReason: "end_turn",
    usage: { inputTokens: 10, outputTokens: TEXT_EVENTS, totalTokens: 210 },
  }),
};

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

/** Frames put together, so many to a chunk. */
export function inChunks(frames: readonly Uint8Array[], perChunk: number): Chunks {
  return Array.from(
    { length: Math.ceil(frames.length / perChunk) },
    (_, index) => join(frames.slice(index * perChunk, (index + 1) * perChunk)),
  );
}
