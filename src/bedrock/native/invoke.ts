/**
 * Step 9 for Claude on InvokeModel: an event in base64 in each frame.
 *
 * Source: Bedrock API reference, InvokeModelWithResponseStream ([T]); recorded streams ([R]).
 * @module
 */
import { WireEvent } from "../../anthropic/event.ts";
import { typeOf } from "../../anthropic/event_type.ts";
import { recordHead } from "../../anthropic/sse.ts";
import { codesOf, standsAt } from "../../bytes.ts";
import { membersOf } from "../../json/scan.ts";
import { brokenAnswer } from "../errors.ts";
import type { Frame } from "../frames.ts";
import type { FrameEvents } from "../stream.ts";
import { decodeLine } from "./base64.ts";
import { NativeEvents } from "./events.ts";

const utf8 = new TextDecoder();
const QUOTE = 0x22;
const LF = 10;
const EMPTY = new Uint8Array();

/** Payload of a `chunk` frame: `{"bytes":"<base64 of one event>","p":"<padding>"}`. */
const BYTES_FIRST = codesOf('{"bytes":"');

function hasType(type: string): string {
  if (type !== "") return type;
  throw brokenAnswer("An event of the stream from Amazon Bedrock has no type: try again");
}

/** The event of a payload that is spelled in no way we know by sight. */
function parseEvent(payload: Uint8Array): WireEvent {
  for (const { key, valueStart, end } of membersOf(payload, 0)) {
    if (key !== "bytes") continue;
    const bytes = decodeBase64(String(JSON.parse(utf8.decode(payload.subarray(valueStart, end)))));
    return WireEvent.fromBytes(hasType(typeOf(bytes)), bytes);
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

/**
 * InvokeModelWithResponseStream. Events are decoded to where they stand as records for clients: those of one chunk one
 * behind the other.
 */
export class InvokeDecoder implements FrameEvents {
  readonly #events = new NativeEvents();
  #room = EMPTY;
  #used = 0;
  /** Bytes to come, as was told. */
  #expected = 0;
  /** The type of the last event, which most often is the next one's. */
  #type = "content_block_delta";

  /** See {@link FrameEvents.expect}. */
  expect(bytes: number): void {
    this.#expected = bytes;
  }

  /** Appends the event of one frame. */
  push(frame: Frame, out: WireEvent[]): void {
    if (frame.type !== "chunk") return;
    this.#events.take(this.#read(frame.payload) ?? parseEvent(frame.payload), out);
  }

  /** Throws if the message has not ended. */
  end(): void {
    this.#events.end();
  }

  /** The event whose base64 stands first, as it does; undefined if it has to be looked for. */
  #read(payload: Uint8Array): WireEvent | undefined {
    if (!standsAt(payload, 0, BYTES_FIRST)) return undefined;
    const from = BYTES_FIRST.length;
    const to = payload.indexOf(QUOTE, from);
    if (to < 0) return undefined;
    const head = recordHead(this.#type);
    const room = this.#roomFor(payload.byteLength + 2 * head.byteLength);
    const start = this.#used;
    const data = start + head.byteLength;
    const size = decodeLine({ bytes: payload, start: from, end: to }, room, data);
    if (size < 0) return undefined;
    const type = hasType(typeOf(room.subarray(data, data + size)));
    return type === this.#type
      ? this.#record(data, size)
      : this.#moved(type, room.slice(data, data + size));
  }

  /** The event whose data stands where it belongs. */
  #record(data: number, size: number): WireEvent {
    const bytes = this.#room;
    const start = this.#used;
    const end = data + size + 2;
    bytes.set(recordHead(this.#type), start);
    bytes[end - 2] = LF;
    bytes[end - 1] = LF;
    this.#used = end;
    return WireEvent.fromRecord(this.#type, { bytes, start, data, end });
  }

  /** The event of another type than the last, whose head has another size. */
  #moved(type: string, data: Uint8Array): WireEvent {
    this.#type = type;
    const head = recordHead(type);
    this.#roomFor(head.byteLength + data.byteLength + 2).set(data, this.#used + head.byteLength);
    return this.#record(this.#used + head.byteLength, data.byteLength);
  }

  /** Room for so many bytes behind those that are in use; whose events are on their way is never used again. */
  #roomFor(bytes: number): Uint8Array<ArrayBuffer> {
    if (this.#room.byteLength - this.#used < bytes) {
      this.#room = new Uint8Array(Math.max(bytes, this.#expected));
      this.#used = 0;
      this.#expected = 0;
    }
    return this.#room;
  }
}
