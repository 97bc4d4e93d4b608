/**
 * The body of an HTTP/1.1 answer, as it arrives.
 *
 * Source: RFC 9112, HTTP/1.1, sections 6 and 7.
 * @module
 */
import type { Http1Connection } from "./http1_connection.ts";
import { type Framing, HttpSyntaxError } from "./http1_head.ts";

const CR = 13;
const LF = 10;
const SEMICOLON = 59;
/** Of a line that tells a chunk's size, or of a trailer. */
const LONGEST_LINE = 4_096;
/** Hexadecimal digits of a chunk's size. */
const MOST_DIGITS = 8;

function digitOf(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

function chunkSize(line: Uint8Array): number {
  let size = 0;
  let digits = 0;
  for (const byte of line) {
    const digit = digitOf(byte);
    if (digit < 0) {
      const extension = byte === SEMICOLON || byte === 32 || byte === 9; // says nothing to us
      if (!extension) digits = 0;
      break;
    }
    size = size * 16 + digit;
    digits++;
  }
  if (digits === 0 || digits > MOST_DIGITS) {
    throw new HttpSyntaxError(
      "Cannot read a chunk whose size must be a hexadecimal number: it is none",
    );
  }
  return size;
}

/** Takes the parts of a body out of what a connection has read. */
export interface BodyParts {
  /**
   * What of the body is there, empty if nothing is.
   *
   * @throws {HttpSyntaxError} If it is framed in no way that we know
   */
  take(): Uint8Array;
  /** Whether all of it was taken. */
  readonly ended: boolean;
  /** Bytes in all, where that was told. */
  readonly length: number | undefined;
  /** Whether it ends where the connection does. */
  readonly endsWithConnection: boolean;
}

const NOTHING = new Uint8Array();

class SizedParts implements BodyParts {
  readonly length: number;
  readonly endsWithConnection = false;
  readonly #connection: Http1Connection;
  #left: number;

  constructor(connection: Http1Connection, size: number) {
    this.#connection = connection;
    this.length = this.#left = size;
  }

  get ended(): boolean {
    return this.#left === 0;
  }

  take(): Uint8Array {
    const size = Math.min(this.#left, this.#connection.unread.byteLength);
    this.#left -= size;
    return this.#connection.take(size);
  }
}

/** Until the connection ends. */
class OpenParts implements BodyParts {
  readonly ended = false;
  readonly length = undefined;
  readonly endsWithConnection = true;
  readonly #connection: Http1Connection;

  constructor(connection: Http1Connection) {
    this.#connection = connection;
  }

  take(): Uint8Array {
    return this.#connection.take(this.#connection.unread.byteLength);
  }
}

enum At {
  Size,
  Data,
  DataEnd,
  Trailer,
  End,
}

/** Chunks of the transfer: what of several is there is put together in place, and given as one. */
class ChunkedParts implements BodyParts {
  readonly length = undefined;
  readonly endsWithConnection = false;
  readonly #connection: Http1Connection;
  #at: At = At.Size;
  /** Bytes of the chunk that are still to come. */
  #left = 0;

  constructor(connection: Http1Connection) {
    this.#connection = connection;
  }

  get ended(): boolean {
    return this.#at === At.End;
  }

  take(): Uint8Array {
    const bytes = this.#connection.unread;
    let at = 0;
    let size = 0;
    while (this.#at !== At.End && at < bytes.byteLength) {
      if (this.#at === At.Data) {
        const part = Math.min(this.#left, bytes.byteLength - at);
        if (size !== at) bytes.copyWithin(size, at, at + part);
        size += part;
        at += part;
        this.#left -= part;
        if (this.#left === 0) this.#at = At.DataEnd;
        continue;
      }
      const line = this.#line(bytes, at);
      if (line === undefined) break;
      this.#next(line);
      at += line.byteLength + 2;
    }
    this.#connection.take(at);
    return size === 0 ? NOTHING : bytes.subarray(0, size);
  }

  /** What the line says that stands where no data does. */
  #next(line: Uint8Array): void {
    if (this.#at === At.Size) {
      this.#left = chunkSize(line);
      this.#at = this.#left === 0 ? At.Trailer : At.Data;
    } else if (this.#at === At.Trailer) {
      if (line.byteLength === 0) this.#at = At.End;
    } else if (line.byteLength === 0) {
      this.#at = At.Size;
    } else {
      throw new HttpSyntaxError(
        "Cannot read a chunk that must end where its size says: it goes on",
      );
    }
  }

  #line(bytes: Uint8Array, at: number): Uint8Array | undefined {
    const end = bytes.indexOf(LF, at);
    if (end < 0) {
      if (bytes.byteLength - at <= LONGEST_LINE) return undefined;
      throw new HttpSyntaxError("Cannot read a line between chunks that must end: it does not");
    }
    if (end === at || bytes[end - 1] !== CR) {
      throw new HttpSyntaxError("Cannot read a line between chunks that must end by CR and LF");
    }
    return bytes.subarray(at, end - 1);
  }
}

/** The parts of a body that is framed so. */
export function bodyParts(connection: Http1Connection, framing: Framing): BodyParts {
  if (framing === "chunked") return new ChunkedParts(connection);
  return framing === "close" ? new OpenParts(connection) : new SizedParts(connection, framing);
}
