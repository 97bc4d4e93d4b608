/**
 * Server-sent events, as they are written to clients; see `sse_reader.ts` for how they are read.
 *
 * Source: WHATWG HTML, Server-sent events; Anthropic, Streaming messages ([D]).
 * @module
 */
import type { ErrorBody } from "./error.ts";
import type { EventBatch } from "./event.ts";

const encoder = new TextEncoder();

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

/** What stands before the data of an event of this type: `event: NAME\ndata: ` in bytes. */
export function recordHead(type: string): Uint8Array {
  let head = heads.get(type);
  if (head === undefined) {
    head = encoder.encode(`event: ${nameOf(type)}${DATA}`);
    if (heads.size < 64) heads.set(type, head);
  }
  return head;
}

/** An event's name must not break out of its line. */
function nameOf(type: string): string {
  return /[\r\n]/.test(type) ? "unknown" : type;
}

/** A raw line end in JSON is white space; in an event it would end the data. */
function onOneLine(bytes: Uint8Array): Uint8Array {
  if (bytes.indexOf(LF) < 0 && bytes.indexOf(CR) < 0) return bytes;
  return bytes.map((byte) => byte === LF || byte === CR ? SPACE : byte);
}

/** The records of all events, where they stand one behind the other, as they do when nobody changed any. */
function recordsOf(batch: EventBatch): Uint8Array<ArrayBuffer> | undefined {
  const first = batch[0]?.record;
  if (first === undefined) return undefined;
  let { end } = first;
  for (let index = 1; index < batch.length; index++) {
    const record = batch[index]?.record;
    if (record?.bytes !== first.bytes || record.start !== end) return undefined;
    end = record.end;
  }
  return first.bytes.subarray(first.start, end);
}

/** One chunk for events that arrived together: text is joined and encoded once, bytes are copied as they are. */
export function encodeBatch(batch: EventBatch): Uint8Array<ArrayBuffer> {
  const records = recordsOf(batch);
  if (records !== undefined) return records;
  if (batch.every((event) => event.rawBytes === undefined)) {
    let text = "";
    for (const event of batch) text += `event: ${nameOf(event.type)}${DATA}${event.text}${END}`;
    return encoder.encode(text);
  }
  const parts: Uint8Array[] = [];
  let size = 0;
  for (const event of batch) {
    const head = recordHead(event.type);
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
