/**
 * Whatever went wrong, as the one shape that clients know, and as one line in the log.
 * @module
 */
import { ApiError } from "../anthropic/error.ts";
import { BedrockError } from "../bedrock/errors.ts";
import { errorFields, type Log } from "../log.ts";
import { ClientGone, type Exchange, type Rejection } from "../pipeline/exchange.ts";
import { PluginFailure } from "../pipeline/guard.ts";
import type { Ending, Fault } from "../pipeline/complete.ts";
import { faultOf } from "./fault.ts";

/** Status for the log when the client left before an answer; never sent. */
export const STATUS_CLIENT_GONE = 499;

/** What the client is told of `error`: an {@link ApiError} as it is, anything else without its inside. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof PluginFailure) return error.clientError();
  if (error instanceof RangeError && error.message.includes("call stack")) {
    return new ApiError("invalid_request_error", "Request body is nested too deeply: flatten it", {
      cause: error,
    });
  }
  return new ApiError(
    "api_error",
    "Internal error of the gateway: give its operator the request id",
    { cause: error },
  );
}

/** How a request that ended with `error` has ended. `sent` is the status already sent, if any. */
export function endingOf(error: unknown, exchange: Exchange, sent?: number): Ending {
  if (error instanceof ClientGone || exchange.signal.reason instanceof ClientGone) {
    return { outcome: "aborted", status: sent ?? STATUS_CLIENT_GONE, fault: "client" };
  }
  const { type, message, status } = toApiError(error);
  const refused = exchange.rejection?.error === error ||
    (error instanceof ApiError && error.status < 500 && exchange.served === undefined);
  return {
    outcome: refused ? "rejected" : "failed",
    status: sent ?? status,
    error: { type, message },
    fault: faultOf(error, exchange),
  };
}

/** What AWS's support asks for, of an error that Bedrock answered. */
function ofBedrock(error: unknown): Record<string, string> {
  if (!(error instanceof BedrockError)) return {};
  const { exception, bedrockRequestId } = error;
  return bedrockRequestId === undefined
    ? { exception }
    : { exception, bedrock_request: bedrockRequestId };
}

/** Logs what ended a request and whose fault it is, with the cause that the client is not told, and who refused it. */
export function logError(
  log: Log,
  error: unknown,
  { fault = faultOf(error), rejection }: {
    fault?: Fault | undefined;
    rejection?: Rejection | undefined;
  } = {},
): void {
  if (error instanceof ClientGone || error instanceof PluginFailure) return; // told elsewhere
  const told = toApiError(error);
  const refusedBy = rejection?.error === error ? { plugin: rejection?.plugin } : {};
  const fields = {
    fault,
    type: told.type,
    status: told.status,
    message: told.message,
    ...ofBedrock(error),
    ...refusedBy,
  };
  if (!(error instanceof ApiError)) {
    log.error("Request failed inside the gateway", { ...fields, cause: errorFields(error) });
  } else if (told.status >= 500 || told.cause !== undefined && told.status === 403) {
    const cause = told.cause === undefined ? undefined : errorFields(told.cause);
    log.warning("Request failed: {type}", cause === undefined ? fields : { ...fields, cause });
  } else {
    log.info("Request refused: {type}", fields);
  }
}
