/**
 * Whose fault a failed request is: what an operator asks first, in the log, in the metrics, and of nobody else.
 * @module
 */
import { ApiError } from "../anthropic/error.ts";
import { BrokenEvent } from "../anthropic/event.ts";
import { BedrockError } from "../bedrock/errors.ts";
import type { Fault } from "../pipeline/complete.ts";
import { ClientGone, type Exchange } from "../pipeline/exchange.ts";

/** Of errors that Bedrock answered: what it refused is the client's doing, what it forbade the operator's. */
const OF_BEDROCK: Readonly<Record<string, Fault>> = {
  invalid_request_error: "client",
  not_found_error: "client",
  request_too_large: "client",
  permission_error: "us",
  billing_error: "us",
};

/**
 * Whose fault it is that a request ended with `error`.
 *
 * - `client`: it sent what cannot be served, showed no key that is taken, or left.
 * - `policy`: a plugin refused it: a limit, a budget, a rule of the organisation.
 * - `bedrock`: Amazon Bedrock failed, was busy, or sent what is no answer.
 * - `us`: the gateway, its plugins' failures, its AWS account, or its size.
 */
export function faultOf(error: unknown, exchange?: Pick<Exchange, "rejection">): Fault {
  if (error instanceof ClientGone) return "client";
  if (!(error instanceof ApiError)) return "us";
  if (exchange?.rejection?.error === error) {
    return error.type === "authentication_error" ? "client" : "policy";
  }
  if (error instanceof BedrockError) {
    return error.ours ? "us" : OF_BEDROCK[error.type] ?? "bedrock";
  }
  if (error instanceof BrokenEvent) return "bedrock";
  return error.status < 500 ? "client" : "us";
}
