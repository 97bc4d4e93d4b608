/**
 * Step 3: reads a request's body as JSON within the limit.
 * @module
 */
import { ApiError } from "../anthropic/error.ts";
import { concatBytes } from "../bytes.ts";

/** A body as it came and what it parses to. */
export interface JsonBody {
  /** The bytes, decompressed. */
  readonly bytes: Uint8Array;
  /** What they say. */
  readonly value: unknown;
}

/** So much of a body that is too large is still read, so that the client can read the answer. */
const DRAIN_FACTOR = 2;

const utf8 = new TextDecoder("utf-8", { fatal: true });

function tooLarge(limit: number): ApiError {
  const megabytes = Math.round(limit / 1_048_576 * 10) / 10;
  return new ApiError(
    "request_too_large",
    `Request body must be at most ${megabytes} MB: shorten the conversation or send smaller files`,
  );
}

function decompressed(request: Request): ReadableStream<Uint8Array> | null {
  const encoding = request.headers.get("content-encoding")?.trim().toLowerCase() ?? "identity";
  const { body } = request;
  if (encoding === "identity" || encoding === "" || body === null) return body;
  if (encoding === "gzip" || encoding === "deflate") {
    return body.pipeThrough<Uint8Array>(new DecompressionStream(encoding));
  }
  throw new ApiError(
    "invalid_request_error",
    `content-encoding: '${
      encoding.slice(0, 40)
    }' is not supported: send gzip, deflate or no encoding`,
    { status: 415 },
  );
}

async function drain(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  atMost: number,
): Promise<void> {
  let left = atMost;
  while (left > 0) {
    const { done, value } = await reader.read();
    if (done) return;
    left -= value.byteLength;
  }
  await reader.cancel();
}

async function readAll(body: ReadableStream<Uint8Array>, limit: number): Promise<Uint8Array> {
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size > limit) {
      await drain(reader, DRAIN_FACTOR * limit);
      throw tooLarge(limit);
    }
    chunks.push(value);
  }
  return concatBytes(chunks);
}

/**
 * Whether the body's length is told and within the limit: the server's transport holds a client to the length it
 * tells, and the whole body at once costs a fraction of its chunks.
 */
function fits({ headers }: Request, limit: number): boolean {
  const length = headers.get("content-length");
  const encoding = headers.get("content-encoding");
  return length !== null && /^\d{1,15}$/.test(length) && Number(length) <= limit &&
    (encoding === null || encoding.trim().toLowerCase() === "identity");
}

async function readBytes(request: Request, limit: number): Promise<Uint8Array> {
  if (fits(request, limit)) return new Uint8Array(await request.arrayBuffer());
  const body = decompressed(request);
  return body === null ? new Uint8Array() : await readAll(body, limit);
}

/**
 * Reads the body, at most `limit` bytes of it after decompression (32 MB for Messages; Anthropic API
 * overview, Request size limits).
 *
 * @throws {ApiError} `request_too_large` over the limit; `invalid_request_error` if it is no JSON in UTF-8
 * @throws {ClientGone} If `signal` aborts meanwhile
 */
export async function readJson(
  request: Request,
  options: { limit: number; signal: AbortSignal },
): Promise<JsonBody> {
  const { limit, signal } = options;
  let bytes: Uint8Array;
  try {
    bytes = await readBytes(request, limit);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ApiError) throw error;
    throw new ApiError("invalid_request_error", "Request body could not be read to its end", {
      cause: error,
    });
  }
  if (bytes.byteLength === 0) {
    throw new ApiError("invalid_request_error", "Request body is empty: send a JSON object");
  }
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (error) {
    throw new ApiError("invalid_request_error", "Request body is not valid UTF-8", {
      cause: error,
    });
  }
  try {
    return { bytes, value: JSON.parse(text) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : "it does not parse";
    throw new ApiError("invalid_request_error", `Request body is not valid JSON: ${reason}`, {
      cause: error,
    });
  }
}
