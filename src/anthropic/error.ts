/**
 * Errors in Anthropic's shape: the only errors a client ever sees.
 * @module
 */

/** Anthropic's error types and the HTTP status of each (Anthropic API errors page; [D]). */
export const STATUS_OF_ERROR = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  conflict_error: 409,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
} as const;

/** One of Anthropic's error types, e.g. `invalid_request_error`. */
export type ApiErrorType = keyof typeof STATUS_OF_ERROR;

/** What an {@link ApiError} may carry beside its type and message. */
export interface ApiErrorOptions {
  /** HTTP status, where it is not the usual one of the type. */
  status?: number;
  /** Goes to the client as `error.details`. */
  details?: Readonly<Record<string, unknown>>;
  /** Extra response headers, e.g. `retry-after` (whole seconds). */
  headers?: Readonly<Record<string, string>>;
  /** For the log; never sent to the client. */
  cause?: unknown;
}

/** The JSON body of an error answer, and the data of an SSE `error` event. */
export interface ErrorBody {
  /** Always `error`. */
  type: "error";
  /** What went wrong, in Anthropic's words. */
  error: { type: string; message: string; details?: Readonly<Record<string, unknown>> };
  /** The id in the `request-id` header and in the log. */
  request_id: string;
}

/**
 * An error that a client is meant to read. Its message must say what is wrong and what to do, and hold
 * nothing internal; everything else becomes a bare `api_error` at the edge.
 *
 * @example
 * ```ts
 * import { ApiError } from "./error.ts";
 * const error = new ApiError("not_found_error", "model: claude-soney is unknown");
 * if (error.status !== 404) throw new Error("a not_found_error is a 404");
 * ```
 */
export class ApiError extends Error {
  /** Always `ApiError`. */
  override readonly name = "ApiError";
  /** Anthropic's error type. */
  readonly type: ApiErrorType;
  /** HTTP status of the answer, when headers are not yet sent. */
  readonly status: number;
  /** Sent as `error.details`. */
  readonly details: Readonly<Record<string, unknown>> | undefined;
  /** Extra response headers. */
  readonly headers: Readonly<Record<string, string>>;

  /** `message` goes to the client word for word. */
  constructor(type: ApiErrorType, message: string, options: ApiErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.type = type;
    this.status = options.status ?? STATUS_OF_ERROR[type];
    this.details = options.details;
    this.headers = options.headers ?? {};
  }

  /** The answer's body: `{"type":"error","error":{"type","message"},"request_id"}`. */
  body(requestId: string): ErrorBody {
    const error = { type: this.type, message: this.message };
    return {
      type: "error",
      error: this.details === undefined ? error : { ...error, details: this.details },
      request_id: requestId,
    };
  }
}
