/**
 * The headers every answer carries.
 * @module
 */

/** Browsers may read these of an answer from another origin. */
const EXPOSED = [
  "request-id",
  "retry-after",
  "x-should-retry",
  "x-amzn-requestid",
  "x-outcrop-dropped",
  "x-outcrop-cache",
  "anthropic-ratelimit-requests-limit",
  "anthropic-ratelimit-requests-remaining",
  "anthropic-ratelimit-requests-reset",
  "anthropic-ratelimit-input-tokens-limit",
  "anthropic-ratelimit-input-tokens-remaining",
  "anthropic-ratelimit-input-tokens-reset",
  "anthropic-ratelimit-output-tokens-limit",
  "anthropic-ratelimit-output-tokens-remaining",
  "anthropic-ratelimit-output-tokens-reset",
].join(", ");

/** Sets `request-id`, and what lets a page of another origin read the answer. Keys are sent explicitly, so any origin may. */
export function setCommonHeaders(headers: Headers, requestId: string): void {
  headers.set("request-id", requestId);
  headers.set("access-control-allow-origin", "*");
  headers.set("access-control-expose-headers", EXPOSED);
}

/** A JSON answer with the common headers. */
export function jsonResponse(
  body: string | Uint8Array<ArrayBuffer>,
  options: { requestId: string; status?: number; headers?: Headers },
): Response {
  const headers = options.headers ?? new Headers();
  setCommonHeaders(headers, options.requestId);
  headers.set("content-type", "application/json");
  return new Response(body, { status: options.status ?? 200, headers });
}
