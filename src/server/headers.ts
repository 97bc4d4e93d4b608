/**
 * The headers every answer carries.
 * @module
 */
import type { AnswerHeaders } from "../pipeline/answer_headers.ts";

/** Sets `request-id`, and what lets a page of another origin read the answer. Keys are sent explicitly, so any origin may. */
export function setCommonHeaders(headers: Headers, requestId: string): void {
  headers.set("request-id", requestId);
  headers.set("access-control-allow-origin", "*");
  headers.set("access-control-expose-headers", "*");
}

/** Longest value of a header of ours: what is longer is cut, and whole in the log. */
const LONGEST_HEADER = 1_000;
const PLAIN = /^[\x20-\x7e]*$/;

/** Names of fields are a client's own words, ids those of another server: only what a header may hold goes into one. */
export function headerText(text: string): string {
  return (PLAIN.test(text) ? text : text.replace(/[^\x20-\x7e]/g, "?")).slice(0, LONGEST_HEADER);
}

/** What an answer is made of, beside its body. */
export interface AnswerOptions {
  /** The request's id. */
  readonly requestId: string;
  /** Its media type. */
  readonly contentType: string;
  /** HTTP status. @default 200 */
  readonly status?: number | undefined;
  /** Headers beside those that all have. */
  readonly headers?: AnswerHeaders | undefined;
}

/**
 * An answer with the common headers. They are set on the answer that is there: to be given along, they would be copied,
 * which costs more than all else of it.
 */
export function answer(
  body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> | null,
  { requestId, contentType, status = 200, headers }: AnswerOptions,
): Response {
  const response = new Response(body, { status });
  headers?.putOn(response.headers);
  setCommonHeaders(response.headers, requestId);
  response.headers.set("content-type", contentType);
  return response;
}

/** An answer in JSON. */
export function jsonResponse(
  body: string | Uint8Array<ArrayBuffer>,
  options: Omit<AnswerOptions, "contentType">,
): Response {
  return answer(body, { ...options, contentType: "application/json" });
}
