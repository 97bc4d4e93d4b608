/**
 * Step 3: reads a request's body as JSON within the limits of size, depth, width and time.
 * @module
 */
import { ApiError } from "../anthropic/error.ts";
import { concatBytes } from "../bytes.ts";
import type { Clock } from "../clock.ts";
import { isTooDeep, isTooWide, MOST_LEVELS, MOST_VALUES } from "../json/limits.ts";
import { decompress, encodingOf } from "./decompress.ts";

/** A body as it came and what it parses to. */
export interface JsonBody {
  /** The bytes, decompressed. */
  readonly bytes: Uint8Array;
  /** What they say. */
  readonly value: unknown;
}

/** What a body is read within. */
export interface BodyLimits {
  /** Most bytes, before and after decompression. */
  readonly limit: number;
  /** Milliseconds in which all of it must have come. */
  readonly withinMs: number;
  /** Time. */
  readonly clock: Clock;
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal;
}

/** So much of a body that is too large is still read, so that the client can read the answer. */
const DRAIN_FACTOR = 2;

/** Smaller bodies cannot hold so many values that it matters. */
const COUNTED_FROM = 1_048_576;

/** Bodies that are read at once cannot be let go of: so many bytes may come late, then others are read in chunks. */
const MOST_LATE = 64 * 1_048_576;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Told lengths of bodies that are still awaited though their request has ended: they were too slow. */
let late = 0;

function refused(message: string, cause?: unknown): ApiError {
  return new ApiError("invalid_request_error", message, { cause });
}

function tooLarge(limit: number): ApiError {
  const megabytes = Math.round(limit / 1_048_576 * 10) / 10;
  return new ApiError(
    "request_too_large",
    `Request body must be at most ${megabytes} MB: shorten the conversation or send smaller files`,
  );
}

function tooSlow(withinMs: number): ApiError {
  return new ApiError(
    "timeout_error",
    `Request body must arrive within ${
      withinMs / 1_000
    } s: it did not; send it again, or less of it`,
    { status: 408 },
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

async function readChunks(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  limit: number,
): Promise<Uint8Array> {
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
 * The body's length where it is told and within the limit: the server's transport holds a client to the length it
 * tells, and the whole body at once costs a fraction of its chunks.
 */
function toldLength({ headers }: Request, limit: number): number | undefined {
  const length = headers.get("content-length");
  return length !== null && /^\d{1,15}$/.test(length) && Number(length) <= limit
    ? Number(length)
    : undefined;
}

/** `work`, unless it takes longer than it may: then `onLate`, and the error. */
function inTime<T>(
  work: Promise<T>,
  { withinMs, clock }: BodyLimits,
  onLate: () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(withinMs, () => {
      onLate();
      reject(tooSlow(withinMs));
    });
    work.then((value) => {
      cancel();
      resolve(value);
    }, (error) => {
      cancel();
      reject(error);
    });
  });
}

/** The bytes as they come: at once where the length is told, else in chunks. */
async function receive(request: Request, limits: BodyLimits): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array();
  const length = toldLength(request, limits.limit);
  if (length === undefined || late > MOST_LATE) {
    const reader = request.body.getReader();
    return await inTime(readChunks(reader, limits.limit), limits, () => {
      reader.cancel().catch(() => undefined); // it is cut already: nothing is left to let go of
    });
  }
  const whole = request.arrayBuffer();
  return new Uint8Array(
    await inTime(whole, limits, () => {
      late += length;
      const settled = () => void (late -= length);
      whole.then(settled, settled);
    }),
  );
}

async function readBytes(request: Request, limits: BodyLimits): Promise<Uint8Array> {
  const encoding = encodingOf(request.headers.get("content-encoding"));
  let bytes: Uint8Array;
  try {
    bytes = await receive(request, limits);
  } catch (error) {
    limits.signal.throwIfAborted();
    if (error instanceof ApiError) throw error;
    throw refused("Request body could not be read to its end", error);
  }
  if (bytes.byteLength === 0) throw refused("Request body is empty: send a JSON object");
  if (encoding === undefined) return bytes;
  const { limit } = limits;
  const plain = decompress(bytes, { encoding, limit });
  if (plain === undefined) throw tooLarge(limit);
  return plain;
}

function parse(bytes: Uint8Array): unknown {
  if (bytes.byteLength > COUNTED_FROM && isTooWide(bytes)) {
    throw refused(`Request body must hold at most ${MOST_VALUES} values: it holds more`);
  }
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (error) {
    throw refused("Request body is not valid UTF-8", error);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // V8 shows the text around the fault, which is the client's own affair and nothing for a log.
    const reason = error instanceof Error ? error.message.split(/, (?:\.\.\.)?"/, 1)[0] : "";
    throw refused(`Request body is not valid JSON: ${reason}`);
  }
  if (isTooDeep(value)) {
    throw refused(`Request body must be nested at most ${MOST_LEVELS} levels deep: flatten it`);
  }
  return value;
}

/**
 * Reads the body: at most `limit` bytes of it, before and after decompression (32 MB for Messages; Anthropic API
 * overview, Request size limits), at most {@link MOST_LEVELS} levels and {@link MOST_VALUES} values.
 *
 * @throws {ApiError} `request_too_large` over the limit; `timeout_error` with status 408 if it comes too slowly;
 * `invalid_request_error` if it is no JSON in UTF-8
 * @throws {ClientGone} If the signal aborts meanwhile
 */
export async function readJson(request: Request, limits: BodyLimits): Promise<JsonBody> {
  const bytes = await readBytes(request, limits);
  return { bytes, value: parse(bytes) };
}
