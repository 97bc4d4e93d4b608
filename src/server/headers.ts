/**
 * The headers every answer carries.
 * @module
 */

/** Sets `request-id`, and what lets a page of another origin read the answer. Keys are sent explicitly, so any origin may. */
export function setCommonHeaders(headers: Headers, requestId: string): void {
  headers.set("request-id", requestId);
  headers.set("access-control-allow-origin", "*");
  headers.set("access-control-expose-headers", "*");
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
