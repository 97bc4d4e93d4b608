/**
 * Server-sent events: written to clients, read from Bedrock's native routes.
 *
 * Source: WHATWG HTML, Server-sent events; Anthropic, Streaming messages ([D]).
 * @module
 */
import { concatBytes } from "../bytes.ts";
import type { ErrorBody } from "./error.ts";
import { BrokenEvent, type EventBatch, WireEvent } from "./event.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A keep-alive. */
export const PING: Uint8Array<ArrayBuffer> = encoder.encode(
  'event: ping\ndata: {"type": "ping"}\n\n',
);

const DATA = "\ndata: ";
const END = "\n\n";
const LF = 10;
const CR = 13;
const SPACE = 32;

/** `event: NAME\ndata: ` in bytes, by name: a stream has a handful of names. */
const heads = new Map<string, Uint8Array>();
const tail = encoder.encode(END);

function headOf(event: WireEvent): Uint8Array {
  const { type } = event;
  let head = heads.get(type);
  if (head === undefined) {
    head = encoder.encode(`event: ${nameOf(event)}${DATA}`);
    if (heads.size < 64) heads.set(type, head);
  }
  return head;
}

/** An event's name must not break out of its line. */
function nameOf(event: WireEvent): string {
  return /[\r\n]/.test(event.type) ? "unknown" : event.type;
}

/** A raw line end in JSON is white space; in an event it would end the data. */
function onOneLine(bytes: Uint8Array): Uint8Array {
  if (bytes.indexOf(LF) < 0 && bytes.indexOf(CR) < 0) return bytes;
  return bytes.map((byte) => byte === LF || byte === CR ? SPACE : byte);
}

/** One chunk for events that arrived together: text is joined and encoded once, bytes are copied as they are. */
export function encodeBatch(batch: EventBatch): Uint8Array<ArrayBuffer> {
  if (batch.every((event) => event.rawBytes === undefined)) {
    let text = "";
    for (const event of batch) text += `event: ${nameOf(event)}${DATA}${event.text}${END}`;
    return encoder.encode(text);
  }
  const parts: Uint8Array[] = [];
  let size = 0;
  for (const event of batch) {
    const head = headOf(event);
    const bytes = onOneLine(event.bytes);
    parts.push(head, bytes, tail);
    size += head.byteLength + bytes.byteLength + tail.byteLength;
  }
  const chunk = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    chunk.set(part, at);
    at += part.byteLength;
  }
  return chunk;
}

/** The `error` event that ends a stream which failed. */
export function encodeError(body: ErrorBody): Uint8Array<ArrayBuffer> {
  return encoder.encode(`event: error${DATA}${JSON.stringify(body)}${END}`);
}

const EMPTY = new Uint8Array();
/** Bytes of a record, as of AWS's frames: one that does not end would be kept for ever. */
const LARGEST_RECORD = 16 * 1_048_576;

/** Reads server-sent events, however they are cut into chunks; data stays bytes. */
export class SseReader {
  #rest: Uint8Array = EMPTY;
  #name = "";
  #data: Uint8Array[] = [];
  #skipLf = false;
  /** Bytes of the record's data so far. */
  #size = 0;

  /**
   * Appends the events that `chunk` completes. Records without data are no events.
   *
   * @throws {BrokenEvent} If a record is larger than any event is
   */
  push(chunk: Uint8Array, out: WireEvent[]): void {
    const bytes = this.#rest.byteLength === 0 ? chunk : concatBytes([this.#rest, chunk]);
    let start = 0;
    for (let at = this.#rest.byteLength; at < bytes.byteLength; at++) {
      const byte = bytes[at];
      if (byte !== LF && byte !== CR) {
        this.#skipLf = false;
        continue;
      }
      const secondOfPair = byte === LF && this.#skipLf;
      this.#skipLf = byte === CR;
      if (!secondOfPair) this.#line(bytes.subarray(start, at), out);
      start = at + 1;
    }
    this.#rest = bytes.slice(start);
    if (this.#size + this.#rest.byteLength > LARGEST_RECORD) {
      throw new BrokenEvent(
        new RangeError(`Cannot read an event as it must end within ${LARGEST_RECORD} bytes`),
      );
    }
  }

  /** Whether no record is half read. */
  get atBoundary(): boolean {
    return this.#rest.byteLength === 0 && this.#data.length === 0 && this.#name === "";
  }

  #line(line: Uint8Array, out: WireEvent[]): void {
    if (line.byteLength === 0) return this.#dispatch(out);
    const colon = line.indexOf(0x3a);
    if (colon === 0) return; // a comment
    const field = decoder.decode(colon < 0 ? line : line.subarray(0, colon));
    const from = colon < 0 ? line.byteLength : colon + (line[colon + 1] === SPACE ? 2 : 1);
    if (field === "data") {
      this.#size += line.byteLength - from;
      this.#data.push(line.slice(from));
    } else if (field === "event") this.#name = decoder.decode(line.subarray(from));
  }

  #dispatch(out: WireEvent[]): void {
    const lines = this.#data;
    const name = this.#name;
    this.#data = [];
    this.#size = 0;
    this.#name = "";
    if (lines.length === 0) return;
    // JSON may stand on several lines; a line end inside it is white space, in bytes as in text.
    const bytes = lines.length === 1
      ? lines[0] ?? EMPTY
      : concatBytes(lines.flatMap((line) => [line, Uint8Array.of(LF)]));
    out.push(WireEvent.fromBytes(name === "" ? typeOf(bytes) : name, bytes));
  }
}

const TYPE_START = [...'{"type":"'].map((character) => character.charCodeAt(0));

/** Types in bytes, with the quote behind them: a stream is mostly one kind of event, and has a handful. */
const knownTypes: { readonly type: string; readonly bytes: Uint8Array }[] = [];
const MOST_KNOWN = 16;

function standsAt(bytes: Uint8Array, at: number, wanted: ArrayLike<number>): boolean {
  for (let index = 0; index < wanted.length; index++) {
    if (bytes[at + index] !== wanted[index]) return false;
  }
  return true;
}

/** A type that was read before, told by its bytes. */
function knownType(bytes: Uint8Array): string | undefined {
  if (!standsAt(bytes, 0, TYPE_START)) return undefined;
  for (const known of knownTypes) {
    if (standsAt(bytes, TYPE_START.length, known.bytes)) return known.type;
  }
  return undefined;
}

const TYPE_FIRST = /^\s*\{\s*"type"\s*:\s*"([A-Za-z0-9_.-]+)"/;

/**
 * The `type` of an event's JSON: read off its first bytes where it stands there, as it does in what Bedrock
 * sends; else by parsing. Empty when it has none.
 */
export function typeOf(bytes: Uint8Array): string {
  const known = knownType(bytes);
  if (known !== undefined) return known;
  const type = TYPE_FIRST.exec(decoder.decode(bytes.subarray(0, 64)))?.[1];
  if (type !== undefined) {
    if (knownTypes.length < MOST_KNOWN) {
      knownTypes.push({ type, bytes: encoder.encode(`${type}"`) });
    }
    return type;
  }
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes));
    const found = typeof value === "object" && value !== null && "type" in value ? value.type : "";
    return typeof found === "string" ? found : "";
  } catch {
    return ""; // no JSON, so no event of ours: whoever asked decides
  }
}
