/**
 * A connection over TLS, by Node's sockets: the runtime's own leave theirs open when they are closed in the
 * handshake, for as long as the other side is silent.
 * @module
 */
import net from "node:net";
import tls from "node:tls";

/** What is asked of a connection. */
export interface ByteConn {
  /** Reads what has come, or waits for it; null at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes some of it, or all; how much is told. */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends it, whatever is under way. */
  close(): void;
  /** The process lives on while it is open. */
  ref(): void;
  /** The process need not live on for it. */
  unref(): void;
}

/** Bytes that wait for a reader before the other side is told to wait too. */
const MOST_WAITING = 64 * 1_024;

interface Reader {
  readonly into: Uint8Array;
  readonly done: (size: number | null) => void;
  readonly fail: (error: Error) => void;
}

/** A TLS socket of Node's, read when somebody wants it. */
export class TlsConn implements ByteConn {
  readonly #socket: tls.TLSSocket;
  #waiting: Uint8Array[] = [];
  #size = 0;
  #ended = false;
  #failure: Error | undefined;
  #reader: Reader | undefined;

  private constructor(socket: tls.TLSSocket) {
    this.#socket = socket;
    socket.on("data", (bytes: Uint8Array) => this.#push(bytes));
    socket.on("end", () => this.#end());
    socket.on("close", () => this.#end());
    socket.on("error", (error) => {
      this.#failure ??= error;
      this.#end();
    });
  }

  /** Connects and shakes hands. */
  static open(
    { hostname, port }: { readonly hostname: string; readonly port: number },
    signal: AbortSignal,
  ): Promise<TlsConn> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const socket = tls.connect({
        host: hostname,
        port,
        ALPNProtocols: ["http/1.1"],
        ...(net.isIP(hostname) === 0 ? { servername: hostname } : {}),
      });
      const settle = () => {
        signal.removeEventListener("abort", gone);
        socket.off("error", failed);
        socket.off("close", failed);
      };
      const failed = (error?: unknown) => {
        settle();
        socket.on("error", () => socket.destroy()); // what comes behind the first failure
        socket.destroy();
        reject(
          error instanceof Error ? error : new Error("The connection was closed in the handshake"),
        );
      };
      const gone = () => failed(signal.reason);
      signal.addEventListener("abort", gone, { once: true });
      socket.on("error", failed);
      socket.on("close", failed);
      socket.once("secureConnect", () => {
        settle();
        socket.setNoDelay(true);
        resolve(new TlsConn(socket));
      });
    });
  }

  /** See {@link ByteConn.read}. */
  read(into: Uint8Array): Promise<number | null> {
    if (this.#size > 0) return Promise.resolve(this.#take(into));
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#ended) return Promise.resolve(null);
    return new Promise((done, fail) => this.#reader = { into, done, fail });
  }

  /** See {@link ByteConn.write}. */
  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => error ? reject(error) : resolve(bytes.byteLength));
    });
  }

  /** See {@link ByteConn.close}. */
  close(): void {
    this.#waiting = [];
    this.#size = 0;
    this.#socket.destroy();
    this.#failure ??= new Error("The connection was closed");
    this.#end();
  }

  /** See {@link ByteConn.ref}. */
  ref(): void {
    this.#socket.ref();
  }

  /** See {@link ByteConn.unref}. */
  unref(): void {
    this.#socket.unref();
  }

  #push(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.#size += bytes.byteLength;
    const reader = this.#reader;
    if (reader !== undefined) {
      this.#reader = undefined;
      reader.done(this.#take(reader.into));
    }
    if (this.#size > MOST_WAITING) this.#socket.pause();
  }

  #take(into: Uint8Array): number {
    let size = 0;
    while (size < into.byteLength) {
      const first = this.#waiting[0];
      if (first === undefined) break;
      const part = Math.min(first.byteLength, into.byteLength - size);
      into.set(part === first.byteLength ? first : first.subarray(0, part), size);
      size += part;
      if (part === first.byteLength) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(part);
    }
    const full = this.#size > MOST_WAITING;
    this.#size -= size;
    if (full && this.#size <= MOST_WAITING) this.#socket.resume();
    return size;
  }

  #end(): void {
    this.#ended = true;
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader === undefined) return;
    if (this.#failure === undefined) reader.done(null);
    else reader.fail(this.#failure);
  }
}
