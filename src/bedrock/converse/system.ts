/**
 * The system prompt as Converse takes it.
 *
 * Source: Bedrock API reference, SystemContentBlock ([T]).
 * @module
 */
import { ApiError } from "../../anthropic/error.ts";
import type { ContentBlock, MessagesRequest } from "../../anthropic/types.ts";
import type { ConverseBlock } from "./media.ts";
import { cachePoint, type Translation } from "./messages.ts";
import type { ConverseMessage } from "./turns.ts";

/**
 * The prompt's blocks, each with its cache point; empty text is left out.
 *
 * @throws {ApiError} `invalid_request_error` that names a block that is no text
 */
export function systemBlocks(
  system: MessagesRequest["system"],
  translation: Translation,
): ConverseBlock[] {
  if (system === undefined || system === null) return [];
  const blocks: readonly ContentBlock[] = typeof system === "string"
    ? [{ type: "text", text: system }]
    : system;
  return blocks.flatMap((block, index) => {
    if (block.type !== "text") {
      throw new ApiError("invalid_request_error", `system.${index}.type: Input should be 'text'`);
    }
    const text = String(block.text);
    if (text.trim() === "") return [];
    return [{ text }, ...cachePoint(block.cache_control, "system", translation)];
  });
}

/** For families without a system prompt: it opens the user's first turn. */
export function foldSystem(
  system: readonly ConverseBlock[],
  messages: ConverseMessage[],
): ConverseMessage[] {
  const [first, ...rest] = messages;
  if (system.length === 0 || first === undefined) return messages;
  return [{ role: first.role, content: [...system, ...first.content] }, ...rest];
}
