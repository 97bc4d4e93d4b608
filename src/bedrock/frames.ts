/**
 * AWS event streams: bytes to frames.
 *
 * A frame is `[u32 total][u32 headers][u32 crc of the first 8 bytes][headers][payload][u32 crc of all before]`,
 * big-endian. A header is `u8 name length, name, u8 type, value`.
 *
 * Source: Smithy, Amazon event stream specification ([T]); recorded frames ([R]).
 * @module
 */
import { crc32 } from "node:zlib"; // 0.05 us for 200 bytes, against 0.19 for eight tables in JavaScript

import { concatBytes } from "../bytes.ts";

/** A whole frame whose checksums are right. */
export interface Frame {
  /** `:message-type`. */
  readonly messageType: "event" | "exception" | "error";
  /** `:event-type`, `:exception-type` or `:error-code`. */
  readonly type: string;
  /** `:error-message`, of an error. */
  readonly errorMessage: string | undefined;
  /** The payload; a view that holds until the next `push`. */
  readonly payload: Uint8Array;
}

/** A stream that is corrupt, or ends inside a frame. */
export class FrameError extends Error {
  /** Always `FrameError`. */
  override readonly name = "FrameError";
}

const PRELUDE = 12;
const CHECKSUM = 4;
const SMALLEST = PRELUDE + CHECKSUM;
/** Event-stream messages hold at most 16 MB of payload and 128 KB of headers (Smithy specification). */
const LARGEST = 16 * 1_048_576 + 128 * 1_024 + SMALLEST;

const EMPTY = new Uint8Array();
const utf8 = new TextDecoder();

/** Bytes of a header's value by its type, for those of one size: true, false, byte, short, int, long, timestamp, uuid. */
const FIXED_SIZES: Readonly<Record<number, number>> = {
  0: 0,
  1: 0,
  2: 1,
  3: 2,
  4: 4,
  5: 8,
  8: 8,
  9: 16,
};
const TYPE_BYTES = 6;
const TYPE_STRING = 7;

interface Headers {
  readonly messageType: string;
  readonly eventType: string | undefined;
  readonly exceptionType: string | undefined;
  readonly errorCode: string | undefined;
  readonly errorMessage: string | undefined;
}

/** The headers of Bedrock's frames are a handful of byte strings that repeat: each is read once. */
interface KnownHeaders {
  readonly bytes: Uint8Array;
  readonly headers: Headers;
}

/** Kinds of headers kept: Bedrock sends seven. */
const CACHED_HEADERS = 16;

/**
 * Decodes a stream of frames, however it is cut into chunks. A frame is given out when both its checksums are
 * right; nothing of a corrupt frame, or after it, ever is.
 */
export class FrameDecoder {
  #rest: Uint8Array = EMPTY;
  #failure: FrameError | undefined;
  readonly #known: KnownHeaders[] = [];
  #last: KnownHeaders | undefined;

  /** Why the stream is corrupt; undefined while it is not. Look at it after every `push`. */
  get failure(): FrameError | undefined {
    return this.#failure;
  }

  /** The frames that `chunk` completes: those before the corrupt one, if it has one; see {@link failure}. */
  push(chunk: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    if (this.#failure !== undefined) return frames;
    const bytes = this.#rest.byteLength === 0 ? chunk : concatBytes([this.#rest, chunk]);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    try {
      while (bytes.byteLength - at >= PRELUDE) {
        const total = checkPrelude(bytes, view, at);
        if (bytes.byteLength - at < total) break;
        frames.push(this.#frame(bytes, view, at, total));
        at += total;
      }
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#failure = error;
      at = bytes.byteLength;
    }
    // What is left is copied: the chunk is its sender's, and may be large for the few bytes kept of it.
    this.#rest = at === bytes.byteLength ? EMPTY : bytes.slice(at);
    return frames;
  }

  /**
   * Tells that no more bytes come.
   *
   * @throws {FrameError} If the stream is corrupt, or ends inside a frame
   */
  end(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#rest.byteLength === 0) return;
    throw new FrameError(
      `Cannot end inside a frame: ${this.#rest.byteLength} bytes of it have come`,
    );
  }

  #frame(bytes: Uint8Array, view: DataView, at: number, total: number): Frame {
    const wanted = view.getUint32(at + total - CHECKSUM);
    const actual = crc32(bytes.subarray(at, at + total - CHECKSUM));
    if (wanted !== actual) {
      throw new FrameError(
        `Cannot use a frame whose checksum must be ${hex(wanted)}: it is ${hex(actual)}`,
      );
    }
    const headersEnd = at + PRELUDE + view.getUint32(at + 4);
    const headers = this.#readHeaders(bytes.subarray(at + PRELUDE, headersEnd));
    return frameOf(headers, bytes.subarray(headersEnd, at + total - CHECKSUM));
  }

  /** Compared byte by byte with those seen before, the last ones first: a stream is mostly one kind of event. */
  #readHeaders(bytes: Uint8Array): Headers {
    const last = this.#last;
    if (last !== undefined && sameBytes(last.bytes, bytes)) return last.headers;
    let known = this.#known.find((one) => sameBytes(one.bytes, bytes));
    if (known === undefined) {
      known = { bytes: bytes.slice(), headers: parseHeaders(bytes) };
      if (this.#known.length < CACHED_HEADERS) this.#known.push(known);
    }
    this.#last = known;
    return known.headers;
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.byteLength !== b.byteLength) return false;
  for (let at = 0; at < a.byteLength; at++) if (a[at] !== b[at]) return false;
  return true;
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}

function checkPrelude(bytes: Uint8Array, view: DataView, at: number): number {
  const wanted = view.getUint32(at + 8);
  const actual = crc32(bytes.subarray(at, at + 8));
  if (wanted !== actual) {
    throw new FrameError(
      `Cannot use a prelude whose checksum must be ${hex(wanted)}: it is ${hex(actual)}`,
    );
  }
  const total = view.getUint32(at);
  const headers = view.getUint32(at + 4);
  if (total < SMALLEST || total > LARGEST) {
    throw new FrameError(
      `Cannot use a frame whose length must be in [${SMALLEST}, ${LARGEST}]: it is ${total}`,
    );
  }
  if (headers > total - SMALLEST) {
    throw new FrameError(
      `Cannot use headers longer than their frame leaves room for: ${headers} of ${total}`,
    );
  }
  return total;
}

function parseHeaders(bytes: Uint8Array): Headers {
  const values = new Map<string, string>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const need = (at: number, size: number) => {
    if (at + size > bytes.byteLength) {
      throw new FrameError(
        `Cannot read a header beyond the headers' end: at ${at} of ${bytes.byteLength}`,
      );
    }
  };
  let at = 0;
  while (at < bytes.byteLength) {
    need(at, 1);
    const nameSize = view.getUint8(at++);
    need(at, nameSize + 1);
    const name = utf8.decode(bytes.subarray(at, at + nameSize));
    at += nameSize;
    const type = view.getUint8(at++);
    const fixed = FIXED_SIZES[type];
    if (fixed !== undefined) {
      need(at, fixed);
      at += fixed;
      continue;
    }
    if (type !== TYPE_BYTES && type !== TYPE_STRING) {
      throw new FrameError(`Cannot read header ${name} of type ${type}: types are 0 to 9`);
    }
    need(at, 2);
    const size = view.getUint16(at);
    at += 2;
    need(at, size);
    if (type === TYPE_STRING) values.set(name, utf8.decode(bytes.subarray(at, at + size)));
    at += size;
  }
  return {
    messageType: values.get(":message-type") ?? "event",
    eventType: values.get(":event-type"),
    exceptionType: values.get(":exception-type"),
    errorCode: values.get(":error-code"),
    errorMessage: values.get(":error-message"),
  };
}

function frameOf(headers: Headers, payload: Uint8Array): Frame {
  const { messageType, errorMessage } = headers;
  if (messageType === "exception") {
    return {
      messageType,
      type: headers.exceptionType ?? "unknownException",
      errorMessage,
      payload,
    };
  }
  if (messageType === "error") {
    return { messageType, type: headers.errorCode ?? "unknownError", errorMessage, payload };
  }
  if (messageType !== "event") {
    throw new FrameError(
      `Cannot use a frame whose :message-type must be event, exception or error: it is ${messageType}`,
    );
  }
  return { messageType, type: headers.eventType ?? "", errorMessage, payload };
}
