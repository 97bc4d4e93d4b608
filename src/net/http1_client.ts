/**
 * An HTTP/1.1 client on bare connections: a small request costs a third of what `fetch` or Node's client cost in
 * this runtime (docs/performance.md). It does what the request path needs: connections that are kept open, bodies
 * read at the reader's pace, one sending of each request. Bedrock speaks HTTP/1.1 on every host.
 * @module
 */
import { Http1Connection } from "./http1_connection.ts";
import { Http1Exchange } from "./http1_exchange.ts";
import { Http1Pool } from "./http1_pool.ts";
import type { HttpAnswer, HttpClient, HttpRequest, HttpTarget } from "./http_client.ts";

/** A request up to this is put together and sent in one piece; a larger body is not copied. */
const ONE_PIECE = 16 * 1_024;
const BEYOND_PATH = /[^!-~]/;
const BEYOND_TEXT = /[^\t\x20-\x7e\x80-\xff]/;
const BEYOND_ASCII = /[\x80-\xff]/;

const encoder = new TextEncoder();

/** A head in bytes: a character of a header is a byte. */
function encodeHead(text: string): Uint8Array<ArrayBuffer> {
  if (!BEYOND_ASCII.test(text)) return encoder.encode(text);
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function headOf({ url, method, headers, body }: HttpRequest): string {
  const path = url.pathname + url.search;
  if (BEYOND_PATH.test(path)) {
    throw new TypeError("Cannot send a path as it must be percent-encoded: it is not");
  }
  let text = `${method} ${path} HTTP/1.1\r\nhost: ${url.host}\r\n`;
  for (const name in headers) {
    const value = headers[name] ?? "";
    if (BEYOND_TEXT.test(value)) {
      throw new TypeError(`Cannot send header ${name} as it must be text on one line: it is not`);
    }
    text += `${name}: ${value}\r\n`;
  }
  if (method !== "GET") text += `content-length: ${body.byteLength}\r\n`;
  return `${text}\r\n`;
}

/** Buffers in which small requests are put together, and which no request uses at present. */
const spare: Uint8Array<ArrayBuffer>[] = [];
const MOST_SPARE = 16;

/** What is sent, in as few pieces as cost least, and what to do when it is sent. */
interface Pieces {
  readonly pieces: readonly Uint8Array[];
  readonly sent: () => void;
}

function piecesOf(request: HttpRequest): Pieces {
  const { body } = request;
  const head = headOf(request);
  // A head is a byte a character here: others are rare, and need not be fast.
  if (head.length + body.byteLength > ONE_PIECE || BEYOND_ASCII.test(head)) {
    const bytes = encodeHead(head);
    return { pieces: body.byteLength === 0 ? [bytes] : [bytes, body], sent: () => {} };
  }
  const buffer = spare.pop() ?? new Uint8Array(ONE_PIECE);
  encoder.encodeInto(head, buffer);
  buffer.set(body, head.length);
  return {
    pieces: [buffer.subarray(0, head.length + body.byteLength)],
    sent: () => {
      if (spare.length < MOST_SPARE) spare.push(buffer);
    },
  };
}

/** The client. */
export class Http1Client implements HttpClient {
  readonly #pools = new Map<string, Http1Pool>();

  /** See {@link HttpClient.send}. */
  async send(request: HttpRequest): Promise<HttpAnswer> {
    const { url, signal, watch } = request;
    signal.throwIfAborted();
    const { pieces, sent } = piecesOf(request);
    const pool = this.#poolOf(url);
    let connection = pool.reuse();
    if (connection === undefined) {
      watch?.connecting();
      connection = await connect(url, pool, signal);
      watch?.connected();
    }
    const exchange = new Http1Exchange(pool, connection, signal);
    const { status, headers } = await exchange.run(pieces, sent);
    return { status, header: (name) => headers.get(name) ?? null, body: exchange };
  }

  /** See {@link HttpClient.close}. */
  close(): void {
    for (const pool of this.#pools.values()) pool.close();
    this.#pools.clear();
  }

  #poolOf({ protocol, host }: HttpTarget): Http1Pool {
    const name = `${protocol}//${host}`;
    let pool = this.#pools.get(name);
    if (pool === undefined) this.#pools.set(name, pool = new Http1Pool());
    return pool;
  }
}

async function connect(
  url: HttpTarget,
  pool: Http1Pool,
  signal: AbortSignal,
): Promise<Http1Connection> {
  const secure = url.protocol === "https:";
  const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port);
  const hostname = url.hostname.replace(/^\[(.*)\]$/, "$1");
  try {
    const connection = await Http1Connection.open({ secure, hostname, port }, signal);
    pool.add(connection);
    return connection;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
