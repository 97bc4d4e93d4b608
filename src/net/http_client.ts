/**
 * What the request path asks of an HTTP client.
 * @module
 */

/** Where a request goes: the parts of a URL that are sent. */
export type HttpTarget = Pick<
  URL,
  "protocol" | "host" | "hostname" | "port" | "pathname" | "search"
>;

/** A request. */
export interface HttpRequest {
  /** Where to. */
  readonly url: HttpTarget;
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
  /**
   * What has arrived since the last call, else the next chunk; undefined at the end. Rejects when it is cut. A chunk
   * holds until the next call: its memory is used again.
   */
  read(): Promise<Uint8Array | undefined>;
  /** Ends the reading; the connection is closed. */
  cancel(): void;
  /** Bytes in all, where the other side tells. */
  readonly length?: number | undefined;
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

/** The largest body that is kept: no answer of Bedrock's comes near it. */
const LARGEST_BODY = 64 * 1_048_576;

function refuse(body: ChunkSource): never {
  body.cancel();
  throw new RangeError(
    `Cannot keep a body as it must be at most ${LARGEST_BODY} bytes: it is larger`,
  );
}

/**
 * The whole of a body.
 *
 * @throws {RangeError} If it is larger than any answer is; it is then not read further
 */
export async function readAll(body: ChunkSource): Promise<Uint8Array<ArrayBuffer>> {
  const told = body.length ?? 0;
  if (told > LARGEST_BODY) refuse(body);
  let whole = new Uint8Array(told);
  let size = 0;
  for (;;) {
    const chunk = await body.read();
    if (chunk === undefined) return size === whole.byteLength ? whole : whole.slice(0, size);
    if (size + chunk.byteLength > LARGEST_BODY) refuse(body);
    if (size + chunk.byteLength > whole.byteLength) {
      const larger = new Uint8Array(Math.max(2 * whole.byteLength, size + chunk.byteLength));
      larger.set(whole.subarray(0, size));
      whole = larger;
    }
    whole.set(chunk, size);
    size += chunk.byteLength;
  }
}
