/**
 * Server-sent events, as Bedrock's native routes send them.
 *
 * Source: WHATWG HTML, Server-sent events; Anthropic, Streaming messages ([D]).
 * @module
 */
import { codesOf, concatBytes, standsAt } from "../bytes.ts";
import { BrokenEvent, WireEvent } from "./event.ts";
import { typeOf } from "./event_type.ts";

const decoder = new TextDecoder();
const EMPTY = new Uint8Array();
/** Bytes of a record, as of AWS's frames: one that does not end would be kept for ever. */
const LARGEST_RECORD = 16 * 1_048_576;
const LF = 10;
const CR = 13;
const COLON = 0x3a;
const SPACE = 32;

const EVENT = codesOf("event: ");
const DATA = codesOf("\ndata: ");

/** Names in bytes, as they were read: a stream has a handful, and mostly one. */
class Names {
  #name = "";
  #codes: readonly number[] = [LF];

  /** The name whose first letter stands at `start`, up to the line's end. */
  read(bytes: Uint8Array, start: number, end: number): string {
    const codes = this.#codes;
    if (codes.length === end - start && standsAt(bytes, start, codes)) return this.#name;
    this.#codes = Array.from(bytes.subarray(start, end));
    return this.#name = decoder.decode(bytes.subarray(start, end));
  }
}

/** Reads server-sent events, however they are cut into chunks; data stays bytes. */
export class SseReader {
  readonly #names = new Names();
  /** What has come of a record that is not whole. */
  #rest: Uint8Array = EMPTY;
  /** Whether a record ended with CR at a chunk's end: an LF that follows belongs to it. */
  #skipLf = false;

  /**
   * Appends the events that `chunk` completes. Records without data are no events.
   *
   * @throws {BrokenEvent} If a record is larger than any event is
   */
  push(chunk: Uint8Array, out: WireEvent[]): void {
    // A copy: the chunk is its sender's, and events go on their way.
    const bytes = new Uint8Array(this.#rest.byteLength + chunk.byteLength);
    bytes.set(this.#rest);
    bytes.set(chunk, this.#rest.byteLength);
    const start = this.#skipLf && bytes[0] === LF ? 1 : 0;
    if (bytes.byteLength > 0) this.#skipLf = false;
    const plain = bytes.indexOf(CR) < 0;
    let at = start;
    for (let next = at; next >= 0;) {
      at = next;
      next = plain ? this.#plainRecord(bytes, at, out) : this.#record(bytes, at, out);
    }
    this.#rest = at === bytes.byteLength ? EMPTY : bytes.slice(at);
    if (this.#rest.byteLength <= LARGEST_RECORD) return;
    throw new BrokenEvent(
      new RangeError(`Cannot read an event as it must end within ${LARGEST_RECORD} bytes`),
    );
  }

  /** A record as it goes to clients too, `event: NAME\ndata: DATA\n\n`, is passed on as it stands. */
  #plainRecord(bytes: Uint8Array<ArrayBuffer>, start: number, out: WireEvent[]): number {
    if (!standsAt(bytes, start, EVENT)) return this.#record(bytes, start, out);
    const nameStart = start + EVENT.length;
    const nameEnd = bytes.indexOf(LF, nameStart);
    if (nameEnd <= nameStart || !standsAt(bytes, nameEnd, DATA)) {
      return this.#record(bytes, start, out);
    }
    const data = nameEnd + DATA.length;
    const dataEnd = bytes.indexOf(LF, data);
    if (dataEnd < 0 || bytes[dataEnd + 1] !== LF) return this.#record(bytes, start, out);
    const end = dataEnd + 2;
    const name = this.#names.read(bytes, nameStart, nameEnd);
    out.push(WireEvent.fromRecord(name, { bytes, start, data, end }));
    return end;
  }

  /** Where the record ends that begins at `start`, below zero if it has not ended; its event, if any, is appended. */
  #record(bytes: Uint8Array, start: number, out: WireEvent[]): number {
    let name = "";
    const data: Uint8Array[] = [];
    for (let at = start; at < bytes.byteLength;) {
      const end = lineEnd(bytes, at);
      if (end < 0) return -1;
      const line = bytes.subarray(at, end);
      at = end + 1;
      if (bytes[end] === CR) {
        if (bytes[at] === LF) at++;
        else if (at === bytes.byteLength) {
          // Whether an LF follows is not known. The record need not wait for it; a line of it must.
          if (line.byteLength > 0) return -1;
          this.#skipLf = true;
        }
      }
      if (line.byteLength === 0) {
        if (data.length > 0) out.push(eventOf(name, data));
        return at;
      }
      const colon = line.indexOf(COLON);
      const field = decoder.decode(colon < 0 ? line : line.subarray(0, colon));
      const from = colon < 0 ? line.byteLength : colon + (line[colon + 1] === SPACE ? 2 : 1);
      if (field === "data") data.push(line.subarray(from));
      else if (field === "event") name = decoder.decode(line.subarray(from));
    }
    return -1;
  }
}

function lineEnd(bytes: Uint8Array, from: number): number {
  for (let at = from; at < bytes.byteLength; at++) {
    const byte = bytes[at];
    if (byte === LF || byte === CR) return at;
  }
  return -1;
}

/** JSON may stand on several lines; a line end inside it is white space, in bytes as in text. */
function eventOf(name: string, lines: readonly Uint8Array[]): WireEvent {
  const bytes = lines.length === 1
    ? lines[0] ?? EMPTY
    : concatBytes(lines.flatMap((line) => [line, Uint8Array.of(LF)]));
  return WireEvent.fromBytes(name === "" ? typeOf(bytes) : name, bytes);
}
