/**
 * Turns as Converse wants them: roles take turns, the user begins, results stand first and answer what was asked.
 *
 * Source: Bedrock API reference, Message; Bedrock User Guide, Converse: documents need a text beside them ([T], [D]).
 * @module
 */
import { ApiError } from "../../anthropic/error.ts";
import type { ConverseBlock } from "./media.ts";

/** A message of Converse. */
export interface ConverseMessage {
  /** Whose turn it is. */
  readonly role: "user" | "assistant" | "system";
  /** Its blocks. */
  readonly content: readonly ConverseBlock[];
}

/** Where a block is in the client's body, and the id the client gave it. */
export interface Origin {
  /** e.g. `messages.3.content.1`. */
  readonly path: string;
  /** The client's id of the tool use. */
  readonly id: string;
}

/** Says nothing, where something must be said. */
const NOTHING: ConverseBlock = { text: "." };

function resultsFirst(content: readonly ConverseBlock[]): ConverseBlock[] {
  const results: ConverseBlock[] = [];
  const rest: ConverseBlock[] = [];
  let inResults = false;
  for (const block of content) {
    // A cache point belongs to the block in front of it.
    if (!("cachePoint" in block)) inResults = "toolResult" in block;
    (inResults ? results : rest).push(block);
  }
  return [...results, ...rest];
}

/** Turns of one role in a row are one turn, with the tool results of all of them in front. */
function merge(turns: readonly ConverseMessage[]): ConverseMessage[] {
  const merged: { role: ConverseMessage["role"]; content: ConverseBlock[] }[] = [];
  for (const { role, content } of turns) {
    const last = merged.at(-1);
    if (last?.role === role) last.content.push(...content);
    else merged.push({ role, content: [...content] });
  }
  return merged.map(({ role, content }) => ({ role, content: resultsFirst(content) }));
}

/** The user begins: instructions in front of all turns are the user's, and an assistant gets a user in front. */
function begunByUser(turns: readonly ConverseMessage[]): readonly ConverseMessage[] {
  const first = turns.findIndex(({ role }) => role !== "system");
  const lead = turns.slice(0, first < 0 ? turns.length : first);
  const begun: ConverseMessage[] = lead.map(({ content }) => ({ role: "user", content }));
  if (lead.length === 0 && turns[0]?.role === "assistant") {
    begun.push({ role: "user", content: [NOTHING] });
  }
  return [...begun, ...turns.slice(lead.length)];
}

/** A document needs a text in the same turn. */
function besideDocuments(turn: ConverseMessage): ConverseMessage {
  const bare = turn.content.some((block) => "document" in block) &&
    !turn.content.some((block) => "text" in block);
  return bare ? { role: turn.role, content: [...turn.content, NOTHING] } : turn;
}

/**
 * A last assistant turn is the beginning of the answer; Claude refuses white space at its end.
 *
 * @throws {ApiError} In Anthropic's words, if the model begins its answers itself
 */
function trimPrefill(messages: ConverseMessage[], prefill: boolean): ConverseMessage[] {
  const last = messages.findLast(({ role }) => role !== "system");
  if (last?.role !== "assistant") return messages;
  if (!prefill) {
    throw new ApiError(
      "invalid_request_error",
      "messages: This model does not support assistant message prefill. The conversation must end with a user message.",
    );
  }
  const at = last.content.findLastIndex((block) => !("cachePoint" in block));
  const text = last.content[at]?.text;
  if (typeof text !== "string") return messages;
  const content = last.content.with(at, { text: text.trimEnd() });
  return messages.with(messages.lastIndexOf(last), { role: "assistant", content });
}

function idsOf(message: ConverseMessage | undefined, member: "toolUse" | "toolResult"): string[] {
  return (message?.content ?? []).flatMap((block) => {
    const one = block[member] as { toolUseId: string } | undefined;
    return one === undefined ? [] : [one.toolUseId];
  });
}

/** In Anthropic's words: clients know them. */
function checkAnswers(
  turns: readonly ConverseMessage[],
  origins: Readonly<Record<"toolUse" | "toolResult", ReadonlyMap<string, Origin>>>,
): void {
  const messages = turns.filter(({ role }) => role !== "system");
  for (const [index, message] of messages.entries()) {
    const next = messages[index + 1];
    const answered = new Set(idsOf(next, "toolResult"));
    const missing = idsOf(message, "toolUse").find((id) => next !== undefined && !answered.has(id));
    if (missing !== undefined) {
      const { path, id } = origins.toolUse.get(missing) ?? { path: "messages", id: missing };
      throw new ApiError(
        "invalid_request_error",
        `${path}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${id}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message`,
      );
    }
    const asked = new Set(idsOf(messages[index - 1], "toolUse"));
    const unasked = idsOf(message, "toolResult").find((id) => !asked.has(id));
    if (unasked !== undefined) {
      const { path, id } = origins.toolResult.get(unasked) ?? { path: "messages", id: unasked };
      throw new ApiError(
        "invalid_request_error",
        `${path}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${id}. Each \`tool_result\` block must have a corresponding \`tool_use\` block in the previous message`,
      );
    }
  }
}

/**
 * Arranges translated turns, none of which is empty.
 *
 * @param prefill Whether the assistant may have the last turn
 * @throws {ApiError} `invalid_request_error` if there is no turn, or a tool use and its result do not meet
 */
export function arrangeTurns(
  turns: readonly ConverseMessage[],
  origins: Readonly<Record<"toolUse" | "toolResult", ReadonlyMap<string, Origin>>>,
  prefill: boolean,
): ConverseMessage[] {
  if (turns.length === 0) {
    throw new ApiError(
      "invalid_request_error",
      "messages: at least one message must have content that is not empty",
    );
  }
  const merged = merge(begunByUser(turns)).map(besideDocuments);
  checkAnswers(merged, origins);
  return trimPrefill(merged, prefill);
}
