/**
 * A whole message as the events that would have streamed it, so that plugins see one shape.
 * @module
 */
import type { AnthropicEvent, ContentBlock, Delta, Message } from "./types.ts";

interface Parts {
  /** The block as `content_block_start` carries it. */
  readonly start: ContentBlock;
  /** What follows. */
  readonly deltas: readonly Delta[];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** How blocks that stream are taken apart. Any other block rides whole in its `content_block_start`. */
const TAKE_APART: Readonly<Record<string, (block: ContentBlock) => Parts>> = {
  text(block) {
    const citations = Array.isArray(block.citations) ? block.citations as unknown[] : undefined;
    const start = { ...block, text: "", ...(citations === undefined ? {} : { citations: [] }) };
    const deltas: Delta[] = (citations ?? []).map((citation) => ({
      type: "citations_delta",
      citation,
    }));
    if (text(block.text) !== "") deltas.push({ type: "text_delta", text: block.text });
    return { start, deltas };
  },
  thinking(block) {
    const deltas: Delta[] = [];
    if (text(block.thinking) !== "") {
      deltas.push({ type: "thinking_delta", thinking: block.thinking });
    }
    if (text(block.signature) !== "") {
      deltas.push({ type: "signature_delta", signature: block.signature });
    }
    return { start: { ...block, thinking: "", signature: "" }, deltas };
  },
  tool_use: takeInputApart,
  server_tool_use: takeInputApart,
  mcp_tool_use: takeInputApart,
};

/** Input must come as deltas: Claude Code does not look for it in `content_block_start` ([M]). */
function takeInputApart(block: ContentBlock): Parts {
  const partial_json = JSON.stringify(block.input ?? {});
  return { start: { ...block, input: {} }, deltas: [{ type: "input_json_delta", partial_json }] };
}

function expandBlock(block: ContentBlock, index: number): AnthropicEvent[] {
  const { start, deltas } = TAKE_APART[block.type]?.(block) ?? { start: block, deltas: [] };
  return [
    { type: "content_block_start", index, content_block: start },
    ...deltas.map((delta): AnthropicEvent => ({ type: "content_block_delta", index, delta })),
    { type: "content_block_stop", index },
  ];
}

/** Fields of a message that `message_delta` carries, beside stop reason and stop sequence. */
const AT_THE_END = ["stop_details", "container"];

/**
 * The events that stream `message`: folding them gives it back.
 *
 * @example
 * ```ts
 * import { expandMessage } from "./expand.ts";
 * import { foldEvents } from "./fold.ts";
 * const message = {
 *   id: "msg_1", type: "message" as const, role: "assistant" as const, model: "claude",
 *   content: [{ type: "text", text: "hi" }], stop_reason: "end_turn", stop_sequence: null,
 *   usage: { input_tokens: 1, output_tokens: 1 },
 * };
 * if (foldEvents(expandMessage(message))?.content[0]?.text !== "hi") throw new Error("nothing may be lost");
 * ```
 */
export function expandMessage(message: Message): AnthropicEvent[] {
  const { content, stop_reason, stop_sequence, usage } = message;
  const ending = Object.fromEntries(
    AT_THE_END.filter((field) => field in message).map((field) => [field, message[field]]),
  );
  const opening = Object.fromEntries(Object.keys(ending).map((field) => [field, null]));
  return [
    {
      type: "message_start",
      message: {
        ...message,
        ...opening,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { ...usage, output_tokens: 0 },
      },
    },
    ...content.flatMap(expandBlock),
    { type: "message_delta", delta: { stop_reason, stop_sequence, ...ending }, usage },
    { type: "message_stop" },
  ];
}
