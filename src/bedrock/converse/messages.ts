/**
 * A conversation as Converse takes it: roles take turns, the user begins, nothing is empty, each tool result
 * stands first in the turn behind its tool use.
 *
 * Source: Bedrock API reference, Message and ContentBlock ([T]); live probes of families ([L]).
 * @module
 */
import { ApiError } from "../../anthropic/error.ts";
import { foldCompactions } from "../../anthropic/fold_compaction.ts";
import { foldSystemMessages, withoutCleared } from "../../anthropic/fold_system.ts";
import type { CacheControl, ContentBlock, InputMessage } from "../../anthropic/types.ts";
import { toConverseCitation } from "./citations.ts";
import { nameLeftovers } from "./leftovers.ts";
import {
  asksToCite,
  type ConverseBlock,
  documentBlock,
  DocumentNames,
  imageBlock,
  readSearchResult,
  searchResultBlock,
  searchResultText,
} from "./media.ts";
import type { ToolNames } from "./names.ts";
import type { Quirks } from "./quirks.ts";
import { isSyntheticSignature } from "./signature.ts";
import { arrangeTurns, type ConverseMessage, type Origin } from "./turns.ts";

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

function blocksOf(content: InputMessage["content"] | undefined): readonly ContentBlock[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : content ?? [];
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
  const { type: _, ttl, ...rest } = control;
  for (const field of Object.keys(rest)) dropped.add(`cache_control.${field}`);
  // Five minutes is the rule, and need not be said.
  const said = ttl !== undefined && ttl !== null && (ttl === "5m" || quirks.cacheHour);
  if (ttl === "1h" && !said) dropped.add("cache_control.ttl");
  return [{ cachePoint: { type: "default", ...(said ? { ttl } : {}) } }];
}

/** The mark of a block; one inside a tool result counts for the whole, as Converse has no place inside. */
function markOf(block: ContentBlock): CacheControl | null | undefined {
  if (block.type !== "tool_result" || !Array.isArray(block.content)) return block.cache_control;
  const inner = block.content as readonly ContentBlock[];
  return block.cache_control ?? inner.findLast((one) => one.cache_control)?.cache_control;
}

/** Translates the blocks of one conversation. */
class Conversation {
  readonly #translation: Translation;
  readonly #documents = new DocumentNames();
  /** By Bedrock's id: where the client said it, for errors. */
  readonly origins = { toolUse: new Map<string, Origin>(), toolResult: new Map<string, Origin>() };

  constructor(translation: Translation) {
    this.#translation = translation;
  }

  /** One turn: tool results first, then what was hoisted out of them and all else. */
  turn(message: InputMessage, path: string): ConverseBlock[] {
    const results: ConverseBlock[] = [];
    const rest: ConverseBlock[] = [];
    for (const [index, block] of blocksOf(message.content).entries()) {
      const at = `${path}.content.${index}`;
      const marked = cachePoint(markOf(block), "messages", this.#translation);
      if (block.type === "tool_result") {
        const hoisted: ConverseBlock[] = [];
        const result = this.#toolResult(block, at, hoisted);
        // A model without tools reads results as text, which has no place of its own in a turn.
        ("toolResult" in result ? results : rest).push(result, ...marked);
        rest.push(...hoisted);
        continue;
      }
      const translated = message.role === "assistant" && block.type === "text"
        ? this.#said(block)
        : this.#block(block, at);
      rest.push(...translated, ...(translated.length === 0 ? [] : marked));
    }
    return [...results, ...rest];
  }

  #block(block: ContentBlock, path: string): ConverseBlock[] {
    const { quirks, dropped } = this.#translation;
    nameLeftovers(block.type, block, dropped);
    switch (block.type) {
      case "text":
        return this.#text(block);
      case "image":
        return [imageBlock(block, path)];
      case "document":
        return [this.#document(block, path, quirks.cites)];
      case "search_result": {
        const result = readSearchResult(block, path);
        if (quirks.cites) return [searchResultBlock(result)];
        if (result.cited) dropped.add("citations");
        return [searchResultText(result)];
      }
      case "tool_use":
        return [this.#toolUse(block, path)];
      case "thinking":
      case "redacted_thinking":
        return this.#reasoning(block);
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

  #document(block: ContentBlock, path: string, cites: boolean): ConverseBlock {
    const { dropped } = this.#translation;
    nameLeftovers(block.type, block, dropped);
    if (!cites && asksToCite(block)) dropped.add("citations");
    return documentBlock(block, path, { names: this.#documents, cites });
  }

  /** What the assistant said, with what it cited. */
  #said(block: ContentBlock): ConverseBlock[] {
    const citations = Array.isArray(block.citations) ? block.citations : [];
    if (!this.#translation.quirks.cites || citations.length === 0) return this.#text(block);
    const [text] = this.#text({ ...block, citations: [] });
    if (text === undefined) return [];
    return [{
      citationsContent: { content: [text], citations: citations.map(toConverseCitation) },
    }];
  }

  #text(block: ContentBlock): ConverseBlock[] {
    const text = String(block.text);
    if (text.trim() === "") return [];
    if (Array.isArray(block.citations) && block.citations.length > 0) {
      this.#translation.dropped.add("citations");
    }
    return [{ text }];
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

  #toolUse(block: ContentBlock, path: string): ConverseBlock {
    const { names, quirks, toolsSeen } = this.#translation;
    const [id, name] = [String(block.id), String(block.name)];
    if (quirks.tools === "none") {
      return { text: `[tool call ${id}] ${name} ${JSON.stringify(block.input)}` };
    }
    toolsSeen.add(name);
    const toolUseId = names.idToBedrock(id);
    this.origins.toolUse.set(toolUseId, { path, id });
    return { toolUse: { toolUseId, name: names.toBedrock(name), input: block.input } };
  }

  #toolResult(block: ContentBlock, path: string, hoisted: ConverseBlock[]): ConverseBlock {
    const { names, quirks, dropped } = this.#translation;
    nameLeftovers(block.type, block, dropped);
    const content: ConverseBlock[] = [];
    for (
      const [index, inner] of blocksOf((block.content ?? "") as InputMessage["content"]).entries()
    ) {
      const attachment = inner.type === "image" || inner.type === "document";
      const at = `${path}.content.${index}`;
      // Converse cites no document that stands in a result.
      const translated = inner.type === "document"
        ? [this.#document(inner, at, false)]
        : this.#block(inner, at);
      if (attachment && quirks.toolResultImages === "beside") hoisted.push(...translated);
      else content.push(...translated);
    }
    if (content.length === 0) content.push(hoisted.length === 0 ? NO_OUTPUT : SEE_BELOW);
    const id = String(block.tool_use_id);
    if (quirks.tools === "none") {
      if (block.is_error === true) dropped.add("tool_result.is_error");
      return { text: `[tool result ${id}]\n${content.map(({ text }) => text).join("\n")}` };
    }
    // Claude refuses anything but text in a result that is an error.
    const textOnly = content.every((one) => "text" in one);
    const failed = block.is_error === true && textOnly && quirks.toolResultStatus;
    if (block.is_error === true && !failed) dropped.add("tool_result.is_error");
    const toolUseId = names.idToBedrock(id);
    this.origins.toolResult.set(toolUseId, { path, id });
    return {
      toolResult: {
        toolUseId,
        content,
        ...(failed ? { status: "error" } : {}),
      },
    };
  }
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
  for (const message of messages) nameLeftovers("messages[]", message, translation.dropped);
  // Folding leaves user and assistant messages as they are: errors name their place in the body.
  const places = new Map(messages.map((message, index) => [message, index]));
  const turns: ConverseMessage[] = [];
  const shown = withoutCleared(foldCompactions(messages));
  const { systemTurns, prefill } = translation.quirks;
  const told = systemTurns ? shown : foldSystemMessages(shown);
  told.forEach((message, index) => {
    const content = conversation.turn(message, `messages.${places.get(message) ?? index}`);
    if (content.length > 0) {
      turns.push({ role: message.role, content });
    }
  });
  return arrangeTurns(turns, conversation.origins, prefill);
}
