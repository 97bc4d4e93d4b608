/**
 * What Bedrock has no counterpart for, and what an answer would be another without: refused by name.
 * @module
 */
import { createHash } from "node:crypto";
import { ApiError } from "../anthropic/error.ts";
import type { MessagesRequest } from "../anthropic/types.ts";

const REFUSED_FIELDS = ["container", "mcp_servers"];
/** Tools that Anthropic's servers run. */
const SERVER_TOOLS = /^(web_search|web_fetch|code_execution|advisor|mcp_toolset)(_|$)/;

/**
 * Refuses a body that asks for what Bedrock does not have.
 *
 * @throws {ApiError} `invalid_request_error` that names the field. For threads with the details at which
 * Anthropic's SDK falls back to sending the whole history
 */
export function refuseUnsupported(body: MessagesRequest): void {
  if (body.thread !== undefined && body.thread !== null) {
    throw new ApiError(
      "invalid_request_error",
      "thread: message threads are not available on Amazon Bedrock",
      {
        details: { error_code: "thread_unsupported_request", unsupported: ["thread"] },
      },
    );
  }
  for (const field of REFUSED_FIELDS) {
    if (body[field] === undefined || body[field] === null) continue;
    throw new ApiError(
      "invalid_request_error",
      `${field}: not available on Amazon Bedrock: leave it out`,
    );
  }
  body.tools?.forEach(({ type }, index) => {
    if (typeof type !== "string" || !SERVER_TOOLS.test(type)) return;
    throw new ApiError(
      "invalid_request_error",
      `tools.${index}.type: tool type '${type}' is not supported on Amazon Bedrock: leave the tool out`,
    );
  });
}

const LEGAL_USER_ID = /^[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}$/;

/** Bedrock takes few characters in a user's id: another id becomes a hash that is as stable. */
export function legalUserId(userId: string): string {
  if (LEGAL_USER_ID.test(userId)) return userId;
  return `user_${createHash("sha256").update(userId).digest("hex").slice(0, 32)}`;
}
