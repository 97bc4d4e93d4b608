/**
 * Instructions in mid-conversation, for models that take the system prompt at the top only.
 *
 * They become text of the user's turn where they stood. Moving them into the top-level prompt would change the
 * prefix of the conversation at every turn, and with it lose the prompt cache.
 *
 * Source: Anthropic API reference, system messages and their `clear_at` ([T]).
 * @module
 */
import type { ContentBlock, InputMessage } from "./types.ts";

function isToolResult(message: InputMessage | undefined): boolean {
  return message?.role === "user" && typeof message.content !== "string" &&
    message.content.some(({ type }) => type === "tool_result");
}

function wrapped(text: string): string {
  return `<system-reminder>\n${text}\n</system-reminder>`;
}

function asUser(message: InputMessage): InputMessage | undefined {
  const blocks: readonly ContentBlock[] = typeof message.content === "string"
    ? [{ type: "text", text: message.content }]
    : message.content ?? [];
  const content = blocks.flatMap((block) => {
    if (block.type !== "text") return [block];
    const text = typeof block.text === "string" ? block.text.trim() : "";
    return text === "" ? [] : [{ ...block, text: wrapped(text) }];
  });
  return content.length === 0 ? undefined : { role: "user", content };
}

/**
 * The same messages without the instructions that stood for one turn only, and that turn is over.
 *
 * @returns The list given when there is nothing to do
 */
export function withoutCleared(messages: readonly InputMessage[]): readonly InputMessage[] {
  if (messages.every(({ clear_at }) => clear_at === undefined || clear_at === null)) {
    return messages;
  }
  const lastUser = messages.findLastIndex(({ role }) => role === "user");
  return messages.flatMap((message, index) => {
    const { clear_at, ...rest } = message;
    if (clear_at === "next_user_message" && index < lastUser) return [];
    return [clear_at === undefined ? message : rest];
  });
}

/**
 * The same messages without role `system`: their text, with its cache marks, becomes a user message in the
 * same place, and behind tool results, which must follow their tool use at once.
 *
 * @returns The list given when there is nothing to do
 */
export function foldSystemMessages(messages: readonly InputMessage[]): readonly InputMessage[] {
  if (messages.every(({ role }) => role !== "system")) return messages;
  const folded: InputMessage[] = [];
  let waiting: InputMessage[] = [];
  for (const [index, message] of messages.entries()) {
    if (message.role !== "system") {
      folded.push(message, ...waiting);
      waiting = [];
      continue;
    }
    const user = asUser(message);
    if (user === undefined) continue;
    const next = messages.slice(index + 1).find(({ role }) => role !== "system");
    if (isToolResult(next)) waiting.push(user);
    else folded.push(user);
  }
  return [...folded, ...waiting];
}
