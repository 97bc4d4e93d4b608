/**
 * One request on its connection, to the end of its answer's body.
 * @module
 */
import { type BodyParts, bodyParts } from "./http1_body.ts";
import type { Http1Connection } from "./http1_connection.ts";
import type { ResponseHead } from "./http1_head.ts";
import type { Http1Pool } from "./http1_pool.ts";
import type { ChunkSource } from "./http_client.ts";

function cutError(): Error {
  return new Error("The connection was closed before the answer's end");
}

/** Sends a request and is the body of its answer; gives the connection back when that has been read. */
export class Http1Exchange implements ChunkSource {
  /** Bytes of the body, where the head tells. */
  length: number | undefined;
  readonly #pool: Http1Pool;
  readonly #connection: Http1Connection;
  readonly #signal: AbortSignal;
  readonly #abort = () => this.#end(false);
  #parts: BodyParts | undefined;
  #keepAlive = false;
  /** Whether all of the request is sent. */
  #sent = false;
  #sendFailure: unknown;
  #ended = false;

  /** On a connection of a pool; `signal` ends it in whatever phase. */
  constructor(pool: Http1Pool, connection: Http1Connection, signal: AbortSignal) {
    this.#pool = pool;
    this.#connection = connection;
    this.#signal = signal;
    signal.addEventListener("abort", this.#abort, { once: true });
    if (signal.aborted) this.#end(false); // it did so while the connection was made
  }

  /**
   * Sends, and reads the answer's head. `sent` is told when the pieces have gone out: until then they must not change.
   *
   * @throws The signal's reason if it aborts, else why there is no answer
   */
  async run(pieces: readonly Uint8Array[], sent: () => void): Promise<ResponseHead> {
    try {
      if (this.#ended) throw cutError();
      // Read at once: an answer may come before all is sent, and the other side then stops to read.
      void this.#send(pieces, sent);
      const head = await this.#connection.head();
      if (head === undefined) throw this.#sendFailure ?? cutError();
      this.#keepAlive = head.keepAlive;
      this.#parts = bodyParts(this.#connection, head.framing);
      this.length = this.#parts.length;
      return head;
    } catch (error) {
      this.#end(false);
      throw this.#signal.aborted ? this.#signal.reason : error;
    }
  }

  /** See {@link ChunkSource.read}. */
  async read(): Promise<Uint8Array | undefined> {
    const parts = this.#parts;
    try {
      while (!this.#ended && parts !== undefined) {
        const chunk = parts.take();
        if (chunk.byteLength > 0) return chunk;
        if (parts.ended) this.#end(true);
        else if (!await this.#connection.more()) {
          if (!parts.endsWithConnection) throw cutError();
          this.#end(false);
        }
      }
    } catch (error) {
      this.#end(false);
      throw this.#signal.aborted ? this.#signal.reason : error;
    }
    this.#signal.throwIfAborted();
    return undefined;
  }

  /** See {@link ChunkSource.cancel}. */
  cancel(): void {
    this.#end(this.#parts?.ended === true);
  }

  async #send(pieces: readonly Uint8Array[], sent: () => void): Promise<void> {
    try {
      for (const piece of pieces) await this.#connection.write(piece);
      this.#sent = true;
      sent();
    } catch (error) {
      this.#sendFailure = error; // the answer that may have come nevertheless tells more
    }
  }

  /** Gives the connection back where it may be used again, else ends it. */
  #end(whole: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#signal.removeEventListener("abort", this.#abort);
    // What stands behind an answer belongs to no request: nothing on that connection can be told apart any more.
    const clean = this.#connection.unread.byteLength === 0;
    if (whole && clean && this.#keepAlive && this.#sent) this.#pool.keep(this.#connection);
    else this.#pool.drop(this.#connection);
  }
}
