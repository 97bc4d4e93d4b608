/**
 * Bedrock's errors as Anthropic's, with the upstream wording kept word for word: Claude Code heals itself by
 * matching it.
 *
 * Source: Bedrock Runtime API reference, Common errors and the operations' errors; recorded answers ([T], [R]).
 * @module
 */
import { ApiError, type ApiErrorOptions, type ApiErrorType } from "../anthropic/error.ts";
import type { Frame } from "./frames.ts";

/** What is known of a failed call beside what the client is told. */
export interface BedrockErrorOptions extends ApiErrorOptions {
  /** Bedrock's exception, e.g. `ThrottlingException`; or what stood in for one. */
  exception: string;
  /** Whether another try may succeed. */
  retryable: boolean;
  /** Whether another target may do what this one cannot. @default retryable */
  elsewhere?: boolean;
  /** Whether it is the gateway's own affair, of which no target can do anything. @default false */
  ours?: boolean;
  /** Milliseconds that Bedrock asks to wait before another try. */
  retryAfterMs?: number | undefined;
  /** `x-amzn-requestid` of the answer. */
  bedrockRequestId?: string | undefined;
}

/** A call that Bedrock refused or failed. */
export class BedrockError extends ApiError {
  /** Bedrock's exception. */
  readonly exception: string;
  /** Whether another try may succeed. */
  readonly retryable: boolean;
  /** Whether another target may do what this one cannot. */
  readonly elsewhere: boolean;
  /** Whether it is the gateway's own affair, of which no target can do anything. */
  readonly ours: boolean;
  /** Milliseconds that Bedrock asks to wait before another try. */
  readonly retryAfterMs: number | undefined;
  /** `x-amzn-requestid` of the answer. */
  readonly bedrockRequestId: string | undefined;

  /** `message` goes to the client word for word. */
  constructor(type: ApiErrorType, message: string, options: BedrockErrorOptions) {
    super(type, message, options);
    this.exception = options.exception;
    this.retryable = options.retryable;
    this.elsewhere = options.elsewhere ?? options.retryable;
    this.ours = options.ours ?? false;
    this.retryAfterMs = options.retryAfterMs;
    this.bedrockRequestId = options.bedrockRequestId;
  }
}

interface Rule {
  readonly type: ApiErrorType;
  readonly retryable?: boolean;
  /** Whether another target may do it, though another try may not. */
  readonly elsewhere?: boolean;
}

/** By exception, in the spelling of HTTP answers; frames spell them with a small first letter. */
const RULES: Readonly<Record<string, Rule>> = {
  ValidationException: { type: "invalid_request_error" },
  ConflictException: { type: "invalid_request_error" },
  SerializationException: { type: "invalid_request_error" },
  AccessDeniedException: { type: "permission_error", elsewhere: true },
  ResourceNotFoundException: { type: "not_found_error", elsewhere: true },
  UnknownOperationException: { type: "not_found_error" },
  ModelTimeoutException: { type: "timeout_error", retryable: true },
  ModelErrorException: { type: "api_error", retryable: true },
  ModelStreamErrorException: { type: "api_error", retryable: true },
  ModelNotReadyException: { type: "overloaded_error", retryable: true },
  ThrottlingException: { type: "rate_limit_error", retryable: true },
  TooManyRequestsException: { type: "rate_limit_error", retryable: true },
  ServiceQuotaExceededException: { type: "rate_limit_error", elsewhere: true },
  InternalServerException: { type: "api_error", retryable: true },
  InternalFailure: { type: "api_error", retryable: true },
  ServiceUnavailableException: { type: "overloaded_error", retryable: true },
  ServiceUnavailable: { type: "overloaded_error", retryable: true },
};

/** Exceptions that are about the gateway's own AWS credential, never about the client's key. */
const CREDENTIAL_EXCEPTIONS = new Set([
  "UnrecognizedClientException",
  "InvalidSignatureException",
  "SignatureDoesNotMatch",
  "ExpiredTokenException",
  "ExpiredToken",
  "InvalidClientTokenId",
  "IncompleteSignatureException",
  "MissingAuthenticationTokenException",
]);

/** For answers without an exception we know, by HTTP status. */
const RULES_BY_STATUS: Readonly<Record<number, Rule>> = {
  400: { type: "invalid_request_error" },
  403: { type: "permission_error", elsewhere: true },
  404: { type: "not_found_error", elsewhere: true },
  408: { type: "timeout_error", retryable: true },
  413: { type: "request_too_large" },
  424: { type: "api_error", retryable: true },
  429: { type: "rate_limit_error", retryable: true },
  503: { type: "overloaded_error", retryable: true },
  529: { type: "overloaded_error", retryable: true },
};

/** Anthropic's own error types, as the messages and mantle routes send them in Anthropic's envelope. */
const ANTHROPIC_RULES: Readonly<Record<string, Rule>> = {
  rate_limit_error: { type: "rate_limit_error", retryable: true },
  overloaded_error: { type: "overloaded_error", retryable: true },
  api_error: { type: "api_error", retryable: true },
  timeout_error: { type: "timeout_error", retryable: true },
  invalid_request_error: { type: "invalid_request_error" },
  authentication_error: { type: "permission_error" },
  permission_error: { type: "permission_error", elsewhere: true },
  not_found_error: { type: "not_found_error", elsewhere: true },
  request_too_large: { type: "request_too_large" },
  billing_error: { type: "billing_error" },
};

/** Seconds a client is asked to wait where Bedrock names none: its throttles are by the minute, its peaks short. */
const RETRY_AFTER_S: Partial<Record<ApiErrorType, number>> = {
  rate_limit_error: 5,
  overloaded_error: 2,
};

/** Claude Code gives up at once when asked to wait longer. */
const RETRY_AFTER_MAX_S = 60;

function retryAfter(type: ApiErrorType, upstream: string | null): Record<string, string> {
  const usual = RETRY_AFTER_S[type];
  if (usual === undefined) return {};
  const told = retryAfterMs(upstream);
  const seconds = told === undefined ? usual : Math.ceil(told / 1_000);
  return { "retry-after": String(Math.min(Math.max(seconds, 1), RETRY_AFTER_MAX_S)) };
}

/** Milliseconds that an answer asks to wait; undefined where it does not. */
function retryAfterMs(upstream: string | null): number | undefined {
  const seconds = upstream === null ? NaN : Number.parseFloat(upstream);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.ceil(seconds * 1_000) : undefined;
}

/** Refusals of the model itself, not of what was asked of it ([R], [L]). */
const UNAVAILABLE =
  /model identifier is invalid|on-demand throughput isn.t supported|end of its life|not available in (this|your) region/i;

/** `ThrottlingException` of `ns#ThrottlingException:http://…` or of `throttlingException`. */
function exceptionName(raw: string): string {
  const bare = raw.split(":", 1)[0]?.split("#").at(-1)?.trim() ?? "";
  return bare.charAt(0).toUpperCase() + bare.slice(1);
}

interface Told {
  readonly exception?: string;
  readonly message?: string;
  readonly anthropicType?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Readonly<Record<string, unknown>>
    : undefined;
}

/** Reads the shapes that errors come in: Coral's, Anthropic's envelope, OpenAI's nested one. */
function readBody(body: string): Told {
  let json: Readonly<Record<string, unknown>> | undefined;
  try {
    json = record(JSON.parse(body));
  } catch {
    return {}; // no JSON: HTML of some box in between, which is nothing to show to a client
  }
  if (json === undefined) return {};
  const inner = record(json.error);
  const message = text(json.message) ?? text(json.Message) ?? text(inner?.message);
  const exception = text(json.__type) ?? text(json.code);
  // OpenAI's errors have an inner `type` too, of other words: only Anthropic's envelope has an outer one.
  const anthropicType = json.type === "error" ? text(inner?.type) : undefined;
  const details = record(inner?.details);
  return {
    ...(message === undefined ? {} : { message }),
    ...(exception === undefined ? {} : { exception }),
    ...(anthropicType === undefined ? {} : { anthropicType }),
    ...(details === undefined ? {} : { details }),
  };
}

/**
 * The error of the gateway's own AWS credential, refused or not to be found. Never a 401: clients would take it
 * for their own key's, and try again for minutes.
 */
export function credentialError(
  exception: string,
  bedrockRequestId: string | undefined,
  cause?: unknown,
): BedrockError {
  return new BedrockError(
    "permission_error",
    `The gateway's own AWS credential was refused (${exception}): this is not your API key; ` +
      "tell the gateway's operator to renew its AWS credentials",
    { exception, retryable: false, ours: true, bedrockRequestId, cause },
  );
}

/** The error of credentials that nobody says anything of: they may come for the next request. */
export function credentialsLate(ms: number): BedrockError {
  return new BedrockError(
    "api_error",
    `The gateway's own AWS credentials did not come within ${ms / 1_000} s: try again`,
    { exception: "NoCredentialsYet", retryable: false, ours: true },
  );
}

/**
 * The error of an answer that is no 2xx.
 *
 * @param body The answer's body as text
 */
export function errorFromResponse(
  status: number,
  answer: { header(name: string): string | null },
  body: string,
): BedrockError {
  const told = readBody(body);
  const exception = exceptionName(answer.header("x-amzn-errortype") ?? told.exception ?? "");
  const bedrockRequestId = answer.header("x-amzn-requestid") ?? undefined;
  if (CREDENTIAL_EXCEPTIONS.has(exception)) return credentialError(exception, bedrockRequestId);
  if (told.anthropicType === "authentication_error" || status === 401) {
    return credentialError(told.anthropicType ?? "401", bedrockRequestId);
  }
  const rule = RULES[exception] ?? ANTHROPIC_RULES[told.anthropicType ?? ""] ??
    RULES_BY_STATUS[status] ?? { type: "api_error", retryable: status >= 500 };
  const message = told.message ?? `Amazon Bedrock answered ${status} without saying why`;
  return new BedrockError(rule.type, message, {
    exception: exception || `HTTP ${status}`,
    retryable: rule.retryable ?? false,
    elsewhere: rule.elsewhere ?? rule.retryable ?? UNAVAILABLE.test(message),
    retryAfterMs: retryAfterMs(answer.header("retry-after")),
    bedrockRequestId,
    headers: retryAfter(rule.type, answer.header("retry-after")),
    ...(told.details === undefined ? {} : { details: told.details }),
  });
}

/** The error of an exception or error frame inside an event stream. */
export function errorFromFrame(frame: Frame): BedrockError {
  const told = readBody(new TextDecoder().decode(frame.payload));
  const exception = exceptionName(frame.type);
  if (CREDENTIAL_EXCEPTIONS.has(exception)) return credentialError(exception, undefined);
  const rule = RULES[exception] ?? { type: "api_error", retryable: true };
  const message = told.message ?? text(frame.errorMessage) ??
    `Amazon Bedrock ended the stream: ${exception}`;
  return new BedrockError(rule.type, message, {
    exception,
    retryable: rule.retryable ?? false,
    headers: retryAfter(rule.type, null),
  });
}

/** The error of an `error` event in Anthropic's own stream. */
export function errorFromEvent(data: string): BedrockError {
  const told = readBody(data);
  const rule = ANTHROPIC_RULES[told.anthropicType ?? ""] ?? { type: "api_error", retryable: true };
  return new BedrockError(rule.type, told.message ?? "Amazon Bedrock ended the stream", {
    exception: told.anthropicType ?? "error event",
    retryable: rule.retryable ?? false,
    headers: retryAfter(rule.type, null),
    ...(told.details === undefined ? {} : { details: told.details }),
  });
}

/** The error of a call that got no answer: no connection, a reset, a name that does not resolve. */
export function connectionError(cause: unknown): BedrockError {
  return new BedrockError("api_error", "Amazon Bedrock could not be reached: try again", {
    exception: "ConnectionError",
    retryable: true,
    cause,
  });
}

/** The error of a stream that broke after it had begun, or of a 200 that is not an answer. */
export function brokenAnswer(message: string, cause?: unknown): BedrockError {
  return new BedrockError("api_error", message, {
    exception: "BrokenAnswer",
    retryable: true,
    cause,
  });
}
