/**
 * The HTTP client of the request path. Node's own client reads an answer's chunks for a fifth of what `fetch` and
 * its streams cost here (bench/, docs/performance.md); `fetch` serves where a proxy is named in the environment.
 * @module
 */
import { Buffer } from "node:buffer";
import http from "node:http";
import https from "node:https";
import { concatBytes } from "../bytes.ts";

/** A request. */
export interface HttpRequest {
  /** Where to. */
  readonly url: URL;
  /** Method. */
  readonly method: "GET" | "POST";
  /** Headers, by names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  /** Body; empty for GET. */
  readonly body: Uint8Array<ArrayBuffer>;
  /** Ends the request, and the reading of its answer. */
  readonly signal: AbortSignal;
  /** Told of the connection; `fetch` does not tell. */
  readonly watch?: ConnectionWatch | undefined;
}

/** Told when a connection has to be made for a request: not where one was kept open. */
export interface ConnectionWatch {
  /** It is being made. */
  connecting(): void;
  /** It is made, TLS included. */
  connected(): void;
}

/** Chunks of a body, as they arrive. */
export interface ChunkSource {
  /** What has arrived since the last call, else the next chunk; undefined at the end. Rejects when it is cut. */
  read(): Promise<Uint8Array | undefined>;
  /** Ends the reading; the connection is closed. */
  cancel(): void;
}

/** An answer whose body is still to be read. */
export interface HttpAnswer {
  /** Status. */
  readonly status: number;
  /** A header; null if there is none. */
  header(name: string): string | null;
  /** The body. */
  readonly body: ChunkSource;
}

/** Sends requests. Never follows a redirect: it would carry our signature to a host we did not choose. */
export interface HttpClient {
  /**
   * Sends; resolves when the answer's head has arrived.
   *
   * @throws The signal's reason if it aborts, else why there is no answer
   */
  send(request: HttpRequest): Promise<HttpAnswer>;
  /** Closes connections that are kept open. */
  close(): void;
}

/** The whole of a body. */
export async function readAll(body: ChunkSource): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  for (;;) {
    const chunk = await body.read();
    if (chunk === undefined) return concatBytes(chunks) as Uint8Array<ArrayBuffer>;
    chunks.push(chunk);
  }
}

/** Bytes that wait for a slow reader before the sender is told to wait too. */
const MOST_WAITING = 256 * 1024;

/** Reads a message of Node's client, at the reader's pace. */
class MessageChunks implements ChunkSource {
  readonly #message: http.IncomingMessage;
  #waiting: Uint8Array[] = [];
  #size = 0;
  #ended = false;
  #failure: Error | undefined;
  #reader: { done(chunk: Uint8Array | undefined): void; fail(error: unknown): void } | undefined;

  constructor(message: http.IncomingMessage) {
    this.#message = message;
    message.on("data", (chunk: Uint8Array) => this.#push(chunk));
    message.on("end", () => this.#end());
    message.on("error", (error) => this.#fail(error));
    message.on("close", () => {
      if (!this.#ended) this.#fail(new Error("The connection was closed before the answer's end"));
    });
  }

  read(): Promise<Uint8Array | undefined> {
    if (this.#waiting.length > 0) return Promise.resolve(this.#take());
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#ended) return Promise.resolve(undefined);
    return new Promise((done, fail) => this.#reader = { done, fail });
  }

  cancel(): void {
    this.#waiting = [];
    this.#message.destroy();
  }

  #push(chunk: Uint8Array): void {
    const reader = this.#reader;
    if (reader !== undefined) {
      this.#reader = undefined;
      return reader.done(chunk);
    }
    this.#waiting.push(chunk);
    this.#size += chunk.byteLength;
    if (this.#size > MOST_WAITING) this.#message.pause();
  }

  #take(): Uint8Array {
    const chunk = concatBytes(this.#waiting);
    this.#waiting = [];
    if (this.#size > MOST_WAITING) this.#message.resume();
    this.#size = 0;
    return chunk;
  }

  #end(): void {
    this.#ended = true;
    this.#reader?.done(undefined);
    this.#reader = undefined;
  }

  #fail(error: Error): void {
    if (this.#ended) return;
    this.#failure ??= error;
    this.#reader?.fail(this.#failure);
    this.#reader = undefined;
  }
}

/** Connections that are kept open for the next request, at most so many. */
const KEPT_OPEN = 256;

/** Node's client, with connections kept open. */
export class NodeHttpClient implements HttpClient {
  readonly #plain = new http.Agent({ keepAlive: true, maxFreeSockets: KEPT_OPEN });
  readonly #secure = new https.Agent({ keepAlive: true, maxFreeSockets: KEPT_OPEN });

  /** See {@link HttpClient.send}. */
  send({ url, method, headers, body, signal, watch }: HttpRequest): Promise<HttpAnswer> {
    const secure = url.protocol === "https:";
    const module = secure ? https : http;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const request = module.request({
        agent: secure ? this.#secure : this.#plain,
        hostname: url.hostname.replace(/^\[(.*)\]$/, "$1"),
        ...(url.port === "" ? {} : { port: url.port }),
        path: url.pathname + url.search,
        method,
        headers: { ...headers, "content-length": body.byteLength },
      });
      // This runtime sends a request again, unasked, when a connection that was kept open closes: also one that we
      // close, and one that breaks when the other side is at work already. What is sent again is for us to decide.
      const noResend = () => void (request.reusedSocket = false);
      request.on("socket", (socket) => {
        noResend();
        if (watch === undefined || !socket.connecting) return;
        watch.connecting();
        socket.once(secure ? "secureConnect" : "connect", () => watch.connected());
      });
      const abort = () => {
        noResend();
        request.destroy(signal.reason);
      };
      signal.addEventListener("abort", abort, { once: true });
      request.on("response", (message: http.IncomingMessage) => {
        message.on("close", () => signal.removeEventListener("abort", abort));
        resolve({
          status: message.statusCode ?? 0,
          header: (name) => {
            const value = message.headers[name];
            return value === undefined ? null : String(value);
          },
          body: new MessageChunks(message),
        });
      });
      request.on("error", (error) => {
        signal.removeEventListener("abort", abort);
        reject(signal.aborted ? signal.reason : error);
      });
      request.end(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
    });
  }

  /** See {@link HttpClient.close}. */
  close(): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }
}

/** `fetch`, which knows of proxies. */
export class FetchHttpClient implements HttpClient {
  /** See {@link HttpClient.send}. */
  async send({ url, method, headers, body, signal }: HttpRequest): Promise<HttpAnswer> {
    const response = await fetch(url, {
      method,
      headers,
      signal,
      redirect: "manual",
      ...(method === "GET" ? {} : { body }),
    });
    const reader = response.body?.getReader();
    return {
      status: response.status,
      header: (name) => response.headers.get(name),
      body: {
        read: async () => (await reader?.read())?.value,
        cancel: () => void reader?.cancel().catch(() => undefined), // it has failed already
      },
    };
  }

  /** See {@link HttpClient.close}; its connections are the runtime's. */
  close(): void {}
}

const PROXIES = [
  "HTTPS_PROXY",
  "https_proxy",
  "HTTP_PROXY",
  "http_proxy",
  "ALL_PROXY",
  "all_proxy",
];

/** The client for this environment. */
export function openHttpClient(env: (name: string) => string | undefined): HttpClient {
  return PROXIES.some((name) => (env(name) ?? "") !== "")
    ? new FetchHttpClient()
    : new NodeHttpClient();
}
