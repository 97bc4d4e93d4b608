/**
 * Step 9 for Claude: what Bedrock streams are Anthropic's own events, whose bytes are passed on; see `invoke.ts` for
 * how InvokeModel wraps them.
 *
 * Source: Bedrock API reference, InvokeModelWithResponseStream ([T]); recorded streams ([R]).
 * @module
 */
import { WireEvent } from "../../anthropic/event.ts";
import { SseReader } from "../../anthropic/sse_reader.ts";
import type { Message } from "../../anthropic/types.ts";
import { editJson } from "../../json/edit.ts";
import { brokenAnswer, errorFromEvent } from "../errors.ts";
import type { ChunkDecoder } from "../stream.ts";

const utf8 = new TextDecoder();
const METRICS = "amazon-bedrock-invocationMetrics";

/** What both native streams do with an event, and know of the end. */
export class NativeEvents {
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

  /**
   * Tells that no more comes.
   *
   * @throws {BedrockError} If the message has not ended
   */
  end(): void {
    if (!this.#stopped) {
      throw brokenAnswer("The stream from Amazon Bedrock ended before the message did: try again");
    }
  }
}

const BRACE = 0x7b;
const BRACE_END = 0x7d;
const QUOTE = 0x22;

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
