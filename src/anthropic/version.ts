/**
 * API versions: what a client may no longer send. Checked here, because Bedrock is always spoken to in the
 * version it knows.
 *
 * Source: Anthropic API, Versions; the changes of 2026-10-21 ([D]).
 * @module
 */
import { ApiError } from "./error.ts";
import { refuse } from "./field.ts";
import type { MessagesRequest } from "./types.ts";

const VERSIONS = ["2023-06-01", "2026-10-21"];
const SAMPLING = ["temperature", "top_p", "top_k"] as const;

function checkOctober2026(body: MessagesRequest): void {
  for (const field of SAMPLING) {
    if (body[field] !== undefined) {
      refuse(
        field,
        "This field was removed in API version 2026-10-21: leave it out, or send anthropic-version 2023-06-01",
      );
    }
  }
  body.messages.forEach(({ role, content }, at) => {
    if (typeof content === "string") return;
    content.forEach((block, index) => {
      const path = `messages.${at}.content.${index}`;
      if (role === "assistant" && block.type === "document") {
        refuse(
          path,
          "document blocks are not allowed in assistant messages in API version 2026-10-21",
        );
      }
      const citations = block.citations;
      if (
        role === "user" && block.type === "text" && Array.isArray(citations) && citations.length > 0
      ) {
        refuse(
          `${path}.citations`,
          "citations are not allowed on user text in API version 2026-10-21",
        );
      }
    });
  });
}

/**
 * Checks the `anthropic-version` header, and the body against what that version removed. Absent means
 * 2023-06-01.
 *
 * @throws {ApiError} `invalid_request_error` that names the version or the field
 */
export function checkVersion(headers: Headers, body: MessagesRequest): void {
  const version = headers.get("anthropic-version")?.trim() || "2023-06-01";
  if (!VERSIONS.includes(version)) {
    throw new ApiError(
      "invalid_request_error",
      `anthropic-version: '${version.slice(0, 40)}' is not a version: send ${
        VERSIONS.join(" or ")
      }`,
    );
  }
  if (version === "2026-10-21") checkOctober2026(body);
}
