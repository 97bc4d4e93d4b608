/**
 * A conversation as Converse takes it: roles take turns, the user begins, nothing is empty, each tool result
 * stands first in the turn behind its tool use.
 *
 * Source: Bedrock API reference, Message and ContentBlock ([T]); live probes of families ([L]).
 * @module
 */
import { ApiError } from "../../anthropic/error.ts";
import { foldSystemMessages } from "../../anthropic/fold_system.ts";
import type { CacheControl, ContentBlock, InputMessage } from "../../anthropic/types.ts";
import {
  type ConverseBlock,
  documentBlock,
  DocumentNames,
  imageBlock,
  searchResultBlock,
} from "./media.ts";
import type { ToolNames } from "./names.ts";
import type { Quirks } from "./quirks.ts";
import { isSyntheticSignature } from "./signature.ts";

/** A message of Converse. */
export interface ConverseMessage {
  /** Whose turn it is. */
  readonly role: "user" | "assistant";
  /** Its blocks. */
  readonly content: readonly ConverseBlock[];
}

/** What translating goes by and leaves behind. */
export interface Translation {
  /** What the family takes. */
  readonly quirks: Quirks;
  /** Names and ids of tools. */
  readonly names: ToolNames;
  /** Names of what was left out. */
  readonly dropped: Set<string>;
  /** Tools that the conversation has used or answered. */
  readonly toolsSeen: Set<string>;
}

const NO_OUTPUT: ConverseBlock = { text: "(no output)" };
const SEE_BELOW: ConverseBlock = { text: "(see the attachment below)" };

function blocksOf(content: InputMessage["content"]): readonly ContentBlock[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : content;
}

/** The mark after a block, where the family caches there. */
export function cachePoint(
  control: CacheControl | null | undefined,
  place: Quirks["cache"][number],
  { quirks, dropped }: Pick<Translation, "quirks" | "dropped">,
): ConverseBlock[] {
  if (control === null || control === undefined) return [];
  if (!quirks.cache.includes(place)) {
    dropped.add("cache_control");
    return [];
  }
  const { ttl } = control;
  return [{ cachePoint: { type: "default", ...(ttl === undefined ? {} : { ttl }) } }];
}

/** Translates the blocks of one conversation. */
class Conversation {
  readonly #translation: Translation;
  readonly #documents = new DocumentNames();

  constructor(translation: Translation) {
    this.#translation = translation;
  }

  /** One turn: tool results first, then what was hoisted out of them and all else. */
  turn(message: InputMessage, path: string): ConverseBlock[] {
    const results: ConverseBlock[] = [];
    const rest: ConverseBlock[] = [];
    for (const [index, block] of blocksOf(message.content).entries()) {
      const at = `${path}.content.${index}`;
      const marked = cachePoint(block.cache_control, "messages", this.#translation);
      if (block.type === "tool_result") {
        const hoisted: ConverseBlock[] = [];
        results.push(this.#toolResult(block, at, hoisted), ...marked);
        rest.push(...hoisted);
        continue;
      }
      const translated = this.#block(block, at);
      rest.push(...translated, ...(translated.length === 0 ? [] : marked));
    }
    return [...results, ...rest];
  }

  #block(block: ContentBlock, path: string): ConverseBlock[] {
    const { names, quirks, dropped, toolsSeen } = this.#translation;
    switch (block.type) {
      case "text":
        return this.#text(block);
      case "image":
        return [imageBlock(block, path)];
      case "document":
        return [documentBlock(block, path, this.#documents)];
      case "search_result":
        return quirks.thinking === "claude"
          ? [searchResultBlock(block)]
          : this.#searchResultText(block);
      case "tool_use":
        toolsSeen.add(String(block.name));
        return [{
          toolUse: {
            toolUseId: names.idToBedrock(String(block.id)),
            name: names.toBedrock(String(block.name)),
            input: block.input,
          },
        }];
      case "thinking":
      case "redacted_thinking":
        return this.#reasoning(block);
      case "tool_reference":
        return [{ text: `Tool loaded: ${String(block.tool_name)}` }];
      case "server_tool_use":
      case "tool_search_tool_result":
        dropped.add(block.type);
        return [];
      default:
        throw new ApiError(
          "invalid_request_error",
          `${path}.type: '${block.type}' blocks cannot be sent to this model: leave them out`,
        );
    }
  }

  #text(block: ContentBlock): ConverseBlock[] {
    const text = String(block.text);
    if (text.trim() === "") return [];
    if (Array.isArray(block.citations) && block.citations.length > 0) {
      this.#translation.dropped.add("citations");
    }
    return [{ text }];
  }

  #searchResultText(block: ContentBlock): ConverseBlock[] {
    const content = Array.isArray(block.content) ? block.content as readonly ContentBlock[] : [];
    const text = content.map((one) => String(one.text)).join("\n");
    return [{ text: `${String(block.title)} (${String(block.source)})\n${text}` }];
  }

  /** Reasoning goes back only to who signed it; to others it is no loss to go on without. */
  #reasoning(block: ContentBlock): ConverseBlock[] {
    const { quirks, dropped } = this.#translation;
    if (block.type === "redacted_thinking") {
      if (quirks.replay === "signed") {
        return [{ reasoningContent: { redactedContent: block.data } }];
      }
      dropped.add("redacted_thinking");
      return [];
    }
    const signature = typeof block.signature === "string" ? block.signature : "";
    const foreign = signature === "" || isSyntheticSignature(signature);
    if (quirks.replay !== "signed" || foreign) {
      dropped.add("thinking (unsigned)");
      return [];
    }
    return [{ reasoningContent: { reasoningText: { text: block.thinking, signature } } }];
  }

  #toolResult(block: ContentBlock, path: string, hoisted: ConverseBlock[]): ConverseBlock {
    const { names, quirks } = this.#translation;
    const content: ConverseBlock[] = [];
    for (
      const [index, inner] of blocksOf((block.content ?? "") as InputMessage["content"]).entries()
    ) {
      const attachment = inner.type === "image" || inner.type === "document";
      const translated = this.#block(inner, `${path}.content.${index}`);
      if (attachment && quirks.toolResultImages === "beside") hoisted.push(...translated);
      else content.push(...translated);
    }
    if (content.length === 0) content.push(hoisted.length === 0 ? NO_OUTPUT : SEE_BELOW);
    // Claude refuses anything but text in a result that is an error.
    const textOnly = content.every((one) => "text" in one);
    const failed = block.is_error === true && textOnly && quirks.toolResultStatus;
    return {
      toolResult: {
        toolUseId: names.idToBedrock(String(block.tool_use_id)),
        content,
        ...(failed ? { status: "error" } : {}),
      },
    };
  }
}

/** Turns of one role in a row are one turn, with the tool results of all of them in front. */
function merge(turns: readonly ConverseMessage[]): ConverseMessage[] {
  const merged: ConverseMessage[] = [];
  for (const turn of turns) {
    const last = merged.at(-1);
    if (last?.role !== turn.role) merged.push(turn);
    else {merged[merged.length - 1] = {
        role: turn.role,
        content: resultsFirst([...last.content, ...turn.content]),
      };}
  }
  return merged;
}

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

/** A last assistant turn is the beginning of the answer; Claude refuses white space at its end. */
function trimPrefill(messages: ConverseMessage[]): ConverseMessage[] {
  const last = messages.at(-1);
  const block = last?.content.at(-1);
  if (last?.role !== "assistant" || typeof block?.text !== "string") return messages;
  const content = [...last.content.slice(0, -1), { text: block.text.trimEnd() }];
  return [...messages.slice(0, -1), { role: "assistant", content }];
}

/**
 * Translates a conversation.
 *
 * @throws {ApiError} `invalid_request_error` that names the block that cannot be said
 */
export function converseMessages(
  messages: readonly InputMessage[],
  translation: Translation,
): ConverseMessage[] {
  const conversation = new Conversation(translation);
  const turns: ConverseMessage[] = [];
  foldSystemMessages(messages).forEach((message, index) => {
    const content = conversation.turn(message, `messages.${index}`);
    if (content.length > 0) {
      turns.push({ role: message.role === "assistant" ? "assistant" : "user", content });
    }
  });
  if (turns.length === 0) {
    throw new ApiError(
      "invalid_request_error",
      "messages: at least one message must have content that is not empty",
    );
  }
  if (turns[0]?.role === "assistant") turns.unshift({ role: "user", content: [{ text: "." }] });
  return trimPrefill(merge(turns));
}
