/**
 * Bedrock's error answers.
 *
 * Source: recorded answers of bedrock-runtime.
 * @module
 */

const STATUS: Readonly<Record<string, number>> = {
  ValidationException: 400,
  ServiceQuotaExceededException: 400,
  AccessDeniedException: 403,
  UnrecognizedClientException: 403,
  InvalidSignatureException: 403,
  ExpiredTokenException: 403,
  MissingAuthenticationTokenException: 403,
  ResourceNotFoundException: 404,
  UnknownOperationException: 404,
  ModelTimeoutException: 408,
  ModelErrorException: 424,
  ThrottlingException: 429,
  ModelNotReadyException: 429,
  InternalServerException: 500,
  ServiceUnavailableException: 503,
};

/** A request that Bedrock refuses or fails: thrown, and answered as HTTP. */
export class CoralError extends Error {
  /** Always `CoralError`. */
  override readonly name = "CoralError";
  /** HTTP status. */
  readonly status: number;

  /** `exception`: e.g. `ThrottlingException`. `status` where it is not the usual one. */
  constructor(readonly exception: string, message: string, status?: number) {
    super(message);
    this.status = status ?? STATUS[exception] ?? 500;
  }

  /** The answer. */
  response(requestId: string): Response {
    return new Response(JSON.stringify({ message: this.message }), {
      status: this.status,
      headers: {
        "content-type": "application/json",
        "x-amzn-requestid": requestId,
        "x-amzn-errortype":
          `${this.exception}:http://internal.amazon.com/coral/com.amazon.coral.service/`,
      },
    });
  }
}

/** A refusal of the request's content. */
export function validation(message: string): CoralError {
  return new CoralError("ValidationException", message);
}
