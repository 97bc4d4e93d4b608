/**
 * An event of a streamed answer on its way from Bedrock to the client.
 *
 * Most events are wanted by nobody on the way: their bytes are copied. So an event holds whichever form it
 * came in, JSON bytes, JSON text or an object, and makes another form only when asked.
 * @module
 */
import { ApiError } from "./error.ts";
import type { AnthropicEvent } from "./types.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** An event of the model's that cannot be read. */
export class BrokenEvent extends ApiError {
  /** Keeps why. */
  constructor(cause?: unknown) {
    super("api_error", "An event of the model's answer cannot be read: try again", { cause });
  }
}

/** The member that makes an event of a known type: an object without which nobody downstream can read it. */
const MEMBERS: ReadonlyMap<unknown, string> = new Map([
  ["message_start", "message"],
  ["content_block_start", "content_block"],
  ["content_block_delta", "delta"],
  ["message_delta", "delta"],
]);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseEvent(text: string): AnthropicEvent {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new BrokenEvent(error);
  }
  if (!isObject(value)) throw new BrokenEvent();
  const member = MEMBERS.get(value.type);
  if (member !== undefined && !isObject(value[member])) throw new BrokenEvent();
  return value as unknown as AnthropicEvent;
}

/**
 * An event as it goes to clients, among other bytes: `event: NAME\ndata: DATA\n\n`, its data on one line. Events whose
 * records stand one behind the other leave without being copied.
 */
export interface SseRecord {
  /** Where it stands. They must not be changed afterwards. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where it begins. */
  readonly start: number;
  /** Where its data begins. */
  readonly data: number;
  /** Where it ends, behind the empty line. */
  readonly end: number;
}

/** Line ends behind the data of a record. */
const RECORD_TAIL = 2;

/** One event: its SSE name, and its data as bytes, text or object. */
export class WireEvent {
  /** The event's `type`, which is its SSE `event:` name too. */
  readonly type: string;
  /** The event as it goes to clients, where it came so. */
  readonly record: SseRecord | undefined;
  #bytes: Uint8Array | undefined;
  #text: string | undefined;
  #value: AnthropicEvent | undefined;

  private constructor(
    type: string,
    bytes: Uint8Array | undefined,
    text: string | undefined,
    value: AnthropicEvent | undefined,
    record?: SseRecord,
  ) {
    this.type = type;
    this.record = record;
    this.#bytes = bytes;
    this.#text = text;
    this.#value = value;
  }

  /** An event whose data is JSON in UTF-8, kept as it is. The bytes must not be changed afterwards. */
  static fromBytes(type: string, bytes: Uint8Array): WireEvent {
    return new WireEvent(type, bytes, undefined, undefined);
  }

  /** An event that is written already. */
  static fromRecord(type: string, record: SseRecord): WireEvent {
    return new WireEvent(type, undefined, undefined, undefined, record);
  }

  /** An event whose data is JSON text, kept as it is. */
  static fromText(type: string, text: string): WireEvent {
    return new WireEvent(type, undefined, text, undefined);
  }

  /** An event from an object, written as JSON when it leaves. The object must not be changed afterwards. */
  static from(value: AnthropicEvent): WireEvent {
    return new WireEvent(value.type, undefined, undefined, value);
  }

  /**
   * The event as an object. Parsed at the first call, and the same object at every other.
   *
   * @throws {BrokenEvent} If the data is no JSON object, or lacks what makes an event of its type
   */
  get value(): AnthropicEvent {
    this.#value ??= parseEvent(this.text);
    return this.#value;
  }

  /** The data as JSON text. */
  get text(): string {
    if (this.#text !== undefined) return this.#text;
    const bytes = this.rawBytes;
    this.#text = bytes === undefined ? JSON.stringify(this.#value) : decoder.decode(bytes);
    return this.#text;
  }

  /** The data as JSON in UTF-8. */
  get bytes(): Uint8Array {
    return this.rawBytes ?? (this.#bytes = encoder.encode(this.text));
  }

  /** Size of the data, near enough: bytes, or UTF-16 units where it is text or an object. */
  get size(): number {
    const { record } = this;
    if (record !== undefined) return record.end - record.data - RECORD_TAIL;
    return this.#bytes?.byteLength ?? this.text.length;
  }

  /** The data as bytes where the event came so, else undefined: text is cheaper to join and encode once. */
  get rawBytes(): Uint8Array | undefined {
    const { record } = this;
    if (record === undefined) return this.#bytes;
    return this.#bytes ??= record.bytes.subarray(record.data, record.end - RECORD_TAIL);
  }
}

/**
 * Events that arrived together, in order. A stream of answers is an `AsyncIterable` of batches: what one
 * chunk from Bedrock held leaves in one chunk to the client, never later.
 */
export type EventBatch = readonly WireEvent[];
