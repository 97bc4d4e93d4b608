/**
 * One connection to a server that speaks HTTP/1.1: bytes are read only when somebody wants them, so that a slow
 * reader makes the sender wait.
 * @module
 */
import { HttpSyntaxError, parseHead, type ResponseHead } from "./http1_head.ts";
import { type ByteConn, TlsConn } from "./tls_conn.ts";

/**
 * Bytes that are read at once: room for a few events at first, as thousands of streams that each bring one at a time
 * need no more; and for many, once a read has filled it.
 */
const FIRST_BUFFER_BYTES = 2 * 1_024;
const BUFFER_BYTES = 16 * 1_024;
/** The largest head that is taken. */
const MOST_HEAD_BYTES = 64 * 1_024;
const CR = 13;
const LF = 10;

const latin1 = new TextDecoder("latin1"); // a unit for each byte

/** Where to connect to. */
export interface Origin {
  /** Whether TLS is spoken. */
  readonly secure: boolean;
  /** Host name or address, without brackets. */
  readonly hostname: string;
  /** Port. */
  readonly port: number;
}

/** A connection, and what was read of it and not yet taken. */
export class Http1Connection {
  readonly #conn: ByteConn;
  #buffer = new Uint8Array(FIRST_BUFFER_BYTES);
  #start = 0;
  #end = 0;
  /** A read that has begun while nobody waits for an answer: it tells when the other side closes. */
  #ahead: Promise<number | null> | undefined;
  #closed = false;

  private constructor(conn: ByteConn) {
    this.#conn = conn;
  }

  /** Connects; over TLS where the origin says so, and then it has shaken hands. */
  static async open(
    { secure, hostname, port }: Origin,
    signal: AbortSignal,
  ): Promise<Http1Connection> {
    if (secure) return new Http1Connection(await TlsConn.open({ hostname, port }, signal));
    const conn = await Deno.connect({ hostname, port, signal });
    conn.setNoDelay(true);
    return new Http1Connection(conn);
  }

  /** Whether it is closed, by either side. */
  get closed(): boolean {
    return this.#closed;
  }

  /** What was read and is not yet taken: a view that holds until {@link more}. */
  get unread(): Uint8Array {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  /** Takes so many of the bytes that are {@link unread}. */
  take(bytes: number): Uint8Array {
    const from = this.#start;
    this.#start += bytes;
    return this.#buffer.subarray(from, this.#start);
  }

  /** Reads more; false when the other side has ended. */
  async more(): Promise<boolean> {
    if (this.#start === this.#end) this.#start = this.#end = 0;
    else if (this.#end === this.#buffer.byteLength) this.#makeRoom();
    const reading = this.#ahead ?? this.#conn.read(this.#buffer.subarray(this.#end));
    this.#ahead = undefined;
    const size = await reading;
    if (size === null) return false;
    this.#end += size;
    // A read is never under way here, so that the buffer may be another the next time.
    if (this.#end === this.#buffer.byteLength && this.#end < BUFFER_BYTES) this.#enlarge();
    return true;
  }

  /** Writes all of it. */
  async write(bytes: Uint8Array): Promise<void> {
    let written = await this.#conn.write(bytes);
    while (written < bytes.byteLength) written += await this.#conn.write(bytes.subarray(written));
  }

  /**
   * The head of the next answer; undefined when the other side has ended before one.
   *
   * @throws {HttpSyntaxError} If it is none
   */
  async head(): Promise<ResponseHead | undefined> {
    for (let looked = 0;;) {
      const unread = this.unread;
      const end = endOfHead(unread, looked);
      if (end < 0) {
        if (unread.byteLength > MOST_HEAD_BYTES) {
          throw new HttpSyntaxError("Cannot read a head that must end within 64 KB: it does not");
        }
        looked = Math.max(0, unread.byteLength - 3);
        if (await this.more()) continue;
        if (unread.byteLength === 0) return undefined;
        throw new HttpSyntaxError(
          "Cannot read a head that must end: the connection ended within it",
        );
      }
      const head = parseHead(latin1.decode(unread.subarray(0, end)));
      this.#start += end + 4;
      looked = 0;
      if (head.status === 101) {
        throw new HttpSyntaxError("Cannot go on in a protocol nobody asked for");
      }
      if (head.status >= 200) return head; // before it only news that nobody waits for
    }
  }

  /**
   * Begins to watch while nobody uses it: `onEnd` is told when the other side closes it, or sends what nobody asked
   * for. It does not keep the process alive meanwhile.
   */
  watch(onEnd: () => void): void {
    this.#conn.unref();
    this.#start = this.#end = 0;
    const ahead = this.#conn.read(this.#buffer);
    this.#ahead = ahead;
    const idle = () => {
      if (this.#ahead === ahead) onEnd();
    };
    ahead.then(idle, idle);
  }

  /** Takes it into use again. */
  use(): void {
    this.#conn.ref();
  }

  /** Closes it; whoever reads from it fails. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }

  #makeRoom(): void {
    if (this.#start > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
    } else {
      this.#enlarge();
    }
    this.#end -= this.#start;
    this.#start = 0;
  }

  #enlarge(): void {
    const larger = new Uint8Array(this.#buffer.byteLength * 2);
    larger.set(this.#buffer);
    this.#buffer = larger;
  }
}

/** Where the empty line begins that ends a head; below zero if it has not come. */
function endOfHead(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(CR, from); at >= 0; at = bytes.indexOf(CR, at + 1)) {
    if (bytes[at + 1] === LF && bytes[at + 2] === CR && bytes[at + 3] === LF) return at;
  }
  return -1;
}
