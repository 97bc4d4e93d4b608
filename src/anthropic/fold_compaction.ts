/**
 * Compactions of a conversation, for models that do not know them.
 *
 * Anthropic reads nothing of what stands before the last compaction: here it is left out, and the summary becomes
 * text of the user's in its place.
 *
 * Source: Anthropic API reference, Compaction ([T]).
 * @module
 */
import type { ContentBlock, InputMessage } from "./types.ts";

function isCompaction({ type }: ContentBlock): boolean {
  return type === "compaction";
}

/** A compaction that failed has no summary: what it should have replaced is still read. */
function hasSummary(block: ContentBlock): boolean {
  return isCompaction(block) && typeof block.content === "string" && block.content.trim() !== "";
}

function asUser({ content, cache_control }: ContentBlock): InputMessage {
  const text = `Summary of the conversation so far:\n\n${String(content).trim()}`;
  const mark = cache_control === undefined ? {} : { cache_control };
  return { role: "user", content: [{ type: "text", text, ...mark }] };
}

function blocksOf({ content }: InputMessage): readonly ContentBlock[] {
  return typeof content === "string" ? [] : content ?? [];
}

/** The last summary, and what stands behind it; all messages where there is no summary. */
function sinceLastSummary(messages: readonly InputMessage[]): readonly InputMessage[] {
  const index = messages.findLastIndex((message) => blocksOf(message).some(hasSummary));
  const message = messages[index];
  if (message === undefined) return messages;
  const blocks = blocksOf(message);
  const at = blocks.findLastIndex(hasSummary);
  const behind = blocks.slice(at + 1);
  return [
    asUser(blocks[at] as ContentBlock),
    ...behind.length === 0 ? [] : [{ ...message, content: behind }],
    ...messages.slice(index + 1),
  ];
}

/**
 * The same messages without compactions.
 *
 * @returns The list given when there are none
 */
export function foldCompactions(messages: readonly InputMessage[]): readonly InputMessage[] {
  if (!messages.some((message) => blocksOf(message).some(isCompaction))) return messages;
  return sinceLastSummary(messages).flatMap((message) => {
    const blocks = blocksOf(message);
    const content = blocks.filter((block) => !isCompaction(block));
    if (content.length === blocks.length) return [message];
    return content.length === 0 ? [] : [{ ...message, content }];
  });
}
