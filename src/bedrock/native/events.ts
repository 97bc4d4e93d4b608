/**
 * Step 9 for Claude: what Bedrock streams are Anthropic's own events, whose bytes are passed on.
 *
 * Source: Bedrock API reference, InvokeModelWithResponseStream ([T]); recorded streams ([R]).
 * @module
 */
import { WireEvent } from "../../anthropic/event.ts";
import { SseReader, typeOf } from "../../anthropic/sse.ts";
import type { Message } from "../../anthropic/types.ts";
import { membersOf } from "../../json/scan.ts";
import { editJson } from "../../json/edit.ts";
import { brokenAnswer, errorFromEvent } from "../errors.ts";
import type { Frame } from "../frames.ts";
import type { ChunkDecoder, FrameEvents } from "../stream.ts";

const utf8 = new TextDecoder();
const METRICS = "amazon-bedrock-invocationMetrics";

/** What both native streams do with an event, and know of the end. */
class NativeEvents {
  #stopped = false;

  /** Appends an event; its failure is thrown. */
  take(event: WireEvent, out: WireEvent[]): void {
    if (event.type === "error") throw errorFromEvent(event.text);
    checkEvent(event);
    if (event.type !== "message_stop") {
      out.push(event);
      return;
    }
    this.#stopped = true;
    out.push(event.text.includes(METRICS) ? withoutMetrics(event) : event);
  }

  /** @throws {BedrockError} If the message has not ended */
  end(): void {
    if (!this.#stopped) {
      throw brokenAnswer("The stream from Amazon Bedrock ended before the message did: try again");
    }
  }
}

const BRACE = 0x7b;
const BRACE_END = 0x7d;

/** Events that are read on their way, whoever wants them: their usage is billed. */
const READ = new Set(["message_start", "message_delta"]);

/**
 * What is no JSON must not reach a client. Events that are read are parsed here, once for all; the others, whose bytes
 * are passed on, are looked at by their ends: enough for what is cut, or put in by a box in between.
 */
function checkEvent(event: WireEvent): void {
  const { bytes } = event;
  try {
    if (READ.has(event.type)) checkRead(event.value);
    if (bytes[0] === BRACE && bytes[1] === QUOTE && bytes.at(-1) === BRACE_END) return;
    JSON.parse(event.text);
  } catch (error) {
    throw brokenAnswer("An event of the stream from Amazon Bedrock is no JSON: try again", error);
  }
}

function checkRead(value: { readonly type: string; readonly message?: unknown }): void {
  const { type, message } = value;
  if (type !== "message_start" || typeof message === "object" && message !== null) return;
  throw new TypeError("Cannot begin an answer as its message must be an object: it is none");
}

/** @throws {BedrockError} If it is no JSON */
function withoutMetrics(event: WireEvent): WireEvent {
  try {
    JSON.parse(event.text); // an edit needs JSON that is whole
  } catch (error) {
    throw brokenAnswer("The end of the stream from Amazon Bedrock is no JSON: try again", error);
  }
  return WireEvent.fromBytes(
    event.type,
    editJson(event.bytes, [{ path: [METRICS], remove: true }]),
  );
}

/** Payload of a `chunk` frame: `{"bytes":"<base64 of one event>","p":"<padding>"}`. */
const BYTES_FIRST = [...'{"bytes":"'].map((character) => character.charCodeAt(0));
const QUOTE = 0x22;

function beginsWith(bytes: Uint8Array, beginning: readonly number[]): boolean {
  for (let at = 0; at < beginning.length; at++) if (bytes[at] !== beginning[at]) return false;
  return true;
}

/** The base64 text in a chunk's payload, found without parsing it where it stands first, as it does. */
function base64Of(payload: Uint8Array): string {
  if (beginsWith(payload, BYTES_FIRST)) {
    const end = payload.indexOf(QUOTE, BYTES_FIRST.length);
    const text = utf8.decode(payload.subarray(BYTES_FIRST.length, Math.max(end, 0)));
    if (text !== "" && !text.includes("\\")) return text; // JSON may write `/` as `\/`
  }
  for (const { key, valueStart, end } of membersOf(payload, 0)) {
    if (key === "bytes") return String(JSON.parse(utf8.decode(payload.subarray(valueStart, end))));
  }
  throw brokenAnswer("A chunk of the stream from Amazon Bedrock holds no bytes: try again");
}

function decodeBase64(text: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(text);
  } catch (error) {
    throw brokenAnswer("A chunk of the stream from Amazon Bedrock is no base64: try again", error);
  }
}

/** InvokeModelWithResponseStream: an event in base64 in each `chunk` frame. */
export class InvokeDecoder implements FrameEvents {
  readonly #events = new NativeEvents();

  /** Appends the event of one frame. */
  push(frame: Frame, out: WireEvent[]): void {
    if (frame.type !== "chunk") return;
    const bytes = decodeBase64(base64Of(frame.payload));
    const type = typeOf(bytes);
    if (type === "") {
      throw brokenAnswer("An event of the stream from Amazon Bedrock has no type: try again");
    }
    this.#events.take(WireEvent.fromBytes(type, bytes), out);
  }

  /** Throws if the message has not ended. */
  end(): void {
    this.#events.end();
  }
}

/** Bedrock's Messages endpoint and mantle: plain server-sent events. */
export class NativeSseDecoder implements ChunkDecoder {
  readonly #reader = new SseReader();
  readonly #events = new NativeEvents();

  /** Appends the events that a chunk completes. */
  push(chunk: Uint8Array, out: WireEvent[]): void {
    const read: WireEvent[] = [];
    this.#reader.push(chunk, read);
    for (const event of read) this.#events.take(event, out);
  }

  /** Throws if the message has not ended. */
  end(): void {
    this.#events.end();
  }
}

/**
 * Reads a whole answer.
 *
 * @throws {BedrockError} If it is no message: one family answers 200 in another shape
 */
export function nativeMessage(bytes: Uint8Array): Message {
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(bytes));
  } catch (error) {
    throw brokenAnswer("Amazon Bedrock's answer is no JSON: try again", error);
  }
  const message = value as Partial<Message> | null;
  const whole = typeof message === "object" && message !== null && message.type === "message" &&
    Array.isArray(message.content) && typeof message.usage === "object" && message.usage !== null;
  if (!whole) throw brokenAnswer("Amazon Bedrock's answer is no message: try again");
  return message as Message;
}
