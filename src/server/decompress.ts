/**
 * Bodies that a client has compressed, within the limit that counts what comes out.
 * @module
 */
import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from "node:zlib";
import { ApiError } from "../anthropic/error.ts";

/** Stops at `maxOutputLength`, however little went in. */
type Decompress = (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;

/** By the name in `content-encoding` (RFC 9110, 8.4.1; RFC 8878). One at a time. */
const DECOMPRESS: ReadonlyMap<string, Decompress> = new Map<string, Decompress>([
  ["gzip", gunzipSync],
  ["x-gzip", gunzipSync],
  ["deflate", inflateSync],
  ["br", brotliDecompressSync],
  ["zstd", zstdDecompressSync],
]);

/**
 * The encoding of a body; undefined when it has none.
 *
 * @throws {ApiError} `invalid_request_error` with status 415 if it is one that is not known
 */
export function encodingOf(header: string | null): string | undefined {
  const encoding = header?.trim().toLowerCase() ?? "";
  if (encoding === "" || encoding === "identity") return undefined;
  if (DECOMPRESS.has(encoding)) return encoding;
  const named = encoding.slice(0, 40);
  throw new ApiError(
    "invalid_request_error",
    `content-encoding: '${named}' is not supported: send one of gzip, br, zstd and deflate, or none`,
    { status: 415 },
  );
}

/**
 * What was compressed; undefined when it is more than `limit` bytes, of which no more are made than that.
 *
 * @throws {ApiError} `invalid_request_error` if the bytes are not of this encoding, or end too early
 */
export function decompress(
  bytes: Uint8Array,
  { encoding, limit }: { encoding: string; limit: number },
): Uint8Array | undefined {
  const refused = (cause?: unknown) =>
    new ApiError(
      "invalid_request_error",
      `content-encoding: the body is not ${encoding}, or is cut: compress it anew`,
      { cause },
    );
  let result: Uint8Array | undefined;
  try {
    result = DECOMPRESS.get(encoding)?.(bytes, { maxOutputLength: limit });
  } catch (error) {
    if (error instanceof RangeError && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE") {
      return undefined;
    }
    throw refused(error);
  }
  // This runtime gives nothing, and no error, for br and zstd that are cut.
  if (result === undefined || result.byteLength === 0) throw refused();
  return result;
}
