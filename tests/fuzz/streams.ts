/**
 * Streams as Bedrock might send them, whole or broken in whatever way a seed finds, and what must hold for each.
 * @module
 */
import assert from "node:assert/strict";
import { ApiError } from "../../src/anthropic/error.ts";
import type { WireEvent } from "../../src/anthropic/event.ts";
import { encodeBatch } from "../../src/anthropic/sse.ts";
import { ConverseDecoder } from "../../src/bedrock/converse/events.ts";
import { NativeSseDecoder } from "../../src/bedrock/native/events.ts";
import { InvokeDecoder } from "../../src/bedrock/native/invoke.ts";
import { type ChunkDecoder, EventStreamDecoder } from "../../src/bedrock/stream.ts";
import { concatBytes } from "../../src/bytes.ts";
import { type Clock, systemClock } from "../../src/clock.ts";
import type { Log } from "../../src/log.ts";
import { Exchange } from "../../src/pipeline/exchange.ts";
import type { Billing } from "../../src/pricing/billing.ts";
import { encodeFrame, errorFrame, eventFrame, exceptionFrame } from "../../src/simulator/frames.ts";
import { between, type Random, seededRandom } from "../../src/simulator/random.ts";
import { mutateBytes, mutateJson, pick } from "./mutate.ts";

/** Routes whose streams differ. */
export type Route = "converse" | "invoke" | "sse";

/** A stream. */
export interface FuzzStream {
  /** How it is to be read. */
  readonly route: Route;
  /** Its bytes, as they arrive. */
  readonly chunks: readonly Uint8Array[];
  /** Whether nothing in it is broken. */
  readonly clean: boolean;
}

type Event = readonly [type: string, payload: unknown];

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const TEXTS = [
  "Hello",
  " world",
  "é 😀",
  "",
  "\u2028",
  '{"a":',
  "1}",
  "event: x\n\n",
  "\\",
  "STOP",
];

function converseEvents(random: Random): Event[] {
  const events: Event[] = [["messageStart", { role: "assistant" }]];
  let index = 0;
  for (let blocks = between(random, 0, 3); blocks > 0; blocks--, index += between(random, 1, 2)) {
    const kind = pick(random, ["text", "tool", "reasoning"]);
    if (kind === "tool") {
      const start = { toolUse: { toolUseId: `tooluse_${index}`, name: "get_weather" } };
      events.push(["contentBlockStart", { contentBlockIndex: index, start }]);
      for (const input of ['{"city":', '"Paris"}']) {
        events.push(["contentBlockDelta", {
          contentBlockIndex: index,
          delta: { toolUse: { input } },
        }]);
      }
    }
    for (let deltas = between(random, 1, 4); deltas > 0 && kind !== "tool"; deltas--) {
      const text = pick(random, TEXTS);
      const delta = kind === "text" ? { text } : { reasoningContent: { text } };
      events.push(["contentBlockDelta", { contentBlockIndex: index, delta }]);
    }
    if (kind === "reasoning") {
      const delta = { reasoningContent: { signature: "c2ln" } };
      events.push(["contentBlockDelta", { contentBlockIndex: index, delta }]);
    }
    events.push(["contentBlockStop", { contentBlockIndex: index }]);
  }
  events.push(["messageStop", {
    stopReason: pick(random, ["end_turn", "tool_use", "max_tokens"]),
  }]);
  const usage = { inputTokens: 10, outputTokens: 5, totalTokens: 15, cacheReadInputTokens: 3 };
  events.push(["metadata", { usage, metrics: { latencyMs: 9 } }]);
  return events;
}

function anthropicEvents(random: Random): Event[] {
  const usage = { input_tokens: 10, output_tokens: 1, cache_read_input_tokens: 3 };
  const message = {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "m",
    content: [],
    usage,
  };
  const events: Record<string, unknown>[] = [{ type: "message_start", message }];
  for (let index = 0, blocks = between(random, 0, 3); index < blocks; index++) {
    const kind = pick(random, ["text", "tool", "thinking"]);
    const content_block = kind === "tool"
      ? { type: "tool_use", id: `toolu_${index}`, name: "get_weather", input: {} }
      : { type: kind, [kind]: "" };
    events.push({ type: "content_block_start", index, content_block });
    for (let deltas = between(random, 1, 4); deltas > 0; deltas--) {
      const text = pick(random, TEXTS);
      const delta = kind === "tool"
        ? { type: "input_json_delta", partial_json: text }
        : { type: `${kind}_delta`, [kind]: text };
      events.push({ type: "content_block_delta", index, delta });
    }
    events.push({ type: "content_block_stop", index });
  }
  events.push({
    type: "message_delta",
    delta: { stop_reason: "end_turn", stop_sequence: null },
    usage: { output_tokens: 7 },
  });
  events.push({ type: "message_stop" });
  if (random() < 0.3) events.splice(between(random, 1, events.length - 1), 0, { type: "ping" });
  return events.map((event) => [String(event.type), event]);
}

function frameOf(route: Route, [type, payload]: Event, random: Random): Uint8Array {
  if (route === "converse") return eventFrame(type, payload);
  if (route === "sse") {
    return encoder.encode(`event: ${type}\ndata: ${JSON.stringify(payload)}\n\n`);
  }
  const json = encoder.encode(JSON.stringify(payload));
  const bytes = (random() < 0.02 ? mutateBytes(json, random) : json).slice().toBase64();
  return eventFrame("chunk", { bytes, p: "abc" });
}

/** A frame whose checksums are right and whose meaning is not. */
function oddFrame(random: Random): Uint8Array {
  const name = pick(random, ["throttlingException", "__proto__", "constructor", "", "x\r\ny"]);
  switch (between(random, 0, 3)) {
    case 0:
      return exceptionFrame(name, pick(random, TEXTS));
    case 1:
      return errorFrame(name, pick(random, TEXTS));
    case 2:
      return encodeFrame(
        { ":message-type": pick(random, ["event", "x", "exception"]) },
        encoder.encode(name),
      );
    default:
      return eventFrame(
        pick(random, ["contentBlockDelta", "chunk", "metadata", name]),
        pick(random, [null, 1, [], "x"]),
      );
  }
}

function split(bytes: Uint8Array, random: Random): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  const most = pick(random, [7, 60, 60, 400, 400, 4_000, 4_000, 4_000]);
  for (let at = 0; at < bytes.byteLength;) {
    const size = between(random, 1, most);
    chunks.push(bytes.slice(at, at + size));
    at += size;
  }
  return chunks;
}

/** The stream of a seed: one in four is whole. */
export function streamOf(seed: number): FuzzStream {
  const random = seededRandom(seed);
  const route = pick<Route>(random, ["converse", "invoke", "sse"]);
  const damage = pick(random, ["none", "values", "frames", "bytes"]);
  let events = route === "converse" ? converseEvents(random) : anthropicEvents(random);
  if (damage === "values") {
    for (let times = between(random, 1, 3); times > 0; times--) {
      const at = between(random, 0, events.length - 1);
      events = events.with(at, [events[at]?.[0] ?? "", mutateJson(events[at]?.[1], random)]);
    }
  }
  const calm = damage === "none" ? () => 1 : random;
  const frames = events.map((event) => frameOf(route, event, calm));
  if (damage === "frames") {
    const at = between(random, 0, frames.length);
    const action = between(random, 0, 3);
    if (action === 0) frames.splice(at, 1);
    else if (action === 1) frames.splice(at, 0, frames[at] ?? new Uint8Array());
    else if (action === 2 && route !== "sse") frames.splice(at, 0, oddFrame(random));
    else frames.reverse();
  }
  let bytes = concatBytes(frames);
  if (damage === "bytes") bytes = mutateBytes(bytes, random);
  return { route, chunks: split(bytes, random), clean: damage === "none" };
}

function decoderOf(route: Route): ChunkDecoder {
  if (route === "sse") return new NativeSseDecoder();
  if (route === "invoke") return new EventStreamDecoder(new InvokeDecoder());
  const names = { toClient: (name: string) => name };
  const options = { messageId: "msg_1", model: "m", names, stopSequences: ["STOP"] };
  return new EventStreamDecoder(new ConverseDecoder(options));
}

const NOBODY = { clock: systemClock as Clock, log: {} as Log, billing: {} as Billing };

/** What became of a stream. */
export type Outcome = "whole" | "failed";

/**
 * Reads a stream as the gateway does, usage and all, up to the client's bytes.
 *
 * @throws {AssertionError} If anything but an error of Bedrock's comes of it, or what a client cannot read
 */
export function readStream({ route, chunks, clean }: FuzzStream): Outcome {
  const reader = decoderOf(route);
  const exchange = new Exchange({ endpoint: "messages", headers: new Headers(), ...NOBODY });
  const sent: Uint8Array[] = [];
  const all: WireEvent[] = [];
  const pass = (batch: WireEvent[]) => {
    for (const event of batch) exchange.observe(event);
    sent.push(encodeBatch(batch));
    all.push(...batch);
  };
  let failure: unknown;
  try {
    for (const chunk of chunks) {
      const batch: WireEvent[] = [];
      try {
        reader.push(chunk, batch);
      } finally {
        pass(batch);
      }
    }
    const batch: WireEvent[] = [];
    reader.end(batch);
    pass(batch);
  } catch (error) {
    failure = error;
  }
  if (failure !== undefined && !(failure instanceof ApiError)) throw failure;
  assert.ok(!clean || failure === undefined, `a whole stream failed: ${failure}`);
  assertReadable(sent, clean || route === "converse");
  if (failure !== undefined) return "failed";
  assert.ok(all.some(({ type }) => type === "message_stop"), "a message without its end");
  return "whole";
}

/** Server-sent events that any client can take apart: a name and one line each, of JSON where it is ours. */
function assertReadable(sent: readonly Uint8Array[], ours: boolean): void {
  const text = decoder.decode(concatBytes(sent));
  assert.ok(text === "" || text.endsWith("\n\n"), "an event without its end");
  for (const record of text.split("\n\n").slice(0, -1)) {
    const [, data = "", more] = /^event: [^\r\n]*\ndata: ([^\r\n]*)(\n|\r|$)/.exec(record) ?? [];
    assert.ok(more === "", `no event: ${JSON.stringify(record.slice(0, 200))}`);
    if (ours) JSON.parse(data); // Claude's own events are passed on as they came
  }
}
