/**
 * Blocks and turns for tests of Converse requests.
 * @module
 */
import assert from "node:assert/strict";
import { ApiError } from "../../../src/anthropic/error.ts";

/** A custom tool. */
export const TOOL = { name: "f", input_schema: { type: "object" } };
/** A tool of Anthropic's own. */
export const BASH = { type: "bash_20250124", name: "bash" };
/** A picture. */
export const PNG = {
  type: "image",
  source: { type: "base64", media_type: "image/png", data: "iVBORw0KGgo=" },
};
/** A document. */
export const PDF = {
  type: "document",
  source: { type: "base64", media_type: "application/pdf", data: "JVBERi0=" },
};
/** A turn that calls {@link TOOL} as `t1`. */
export const CALL = {
  role: "assistant",
  content: [{ type: "tool_use", id: "t1", name: "f", input: {} }],
};
/** A cache mark. */
export const EPHEMERAL = { type: "ephemeral" };

/** A user's turn. */
export function user(...content: unknown[]): Record<string, unknown> {
  return { role: "user", content };
}

/** A turn that answers {@link CALL}. */
export function answer(
  content: unknown,
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  return user({ type: "tool_result", tool_use_id: "t1", content, ...more });
}

/** Expects a refusal of the request. */
export function refused(message: RegExp, act: () => unknown): void {
  assert.throws(act, (error: unknown) => {
    assert.ok(error instanceof ApiError, `Expected an ApiError: it is ${error}`);
    assert.equal(error.type, "invalid_request_error");
    assert.match(error.message, message);
    return true;
  });
}
