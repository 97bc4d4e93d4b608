/**
 * Tools that wait to be found (`defer_loading`), for models that know one list of tools only.
 *
 * A tool that the client found and named by a `tool_reference` joins the list; one that nobody has found yet
 * stays hidden, as it is at Anthropic. Where Anthropic's own search would find them, all of them are shown, as
 * nobody else could.
 *
 * Source: Anthropic API reference, tool search and `tool_reference` ([T]).
 * @module
 */
import { checkName } from "./field.ts";
import type { ContentBlock, InputMessage, MessagesRequest, Tool } from "./types.ts";

/** A body whose tools are all there is, and what was left out. */
export interface FoldedDeferred {
  /** Shares with the body given what did not change. */
  readonly body: MessagesRequest;
  /** Kinds of tools that were left out. */
  readonly dropped: readonly string[];
}

function isSearch({ type }: Tool): boolean {
  return typeof type === "string" && type.startsWith("tool_search_tool");
}

/** Whether a body has tools that wait, a search for them, or what one found. */
export function defersTools(body: MessagesRequest): boolean {
  return (body.tools ?? []).some((tool) => tool.defer_loading === true || isSearch(tool)) ||
    body.messages.some(({ content }) => Array.isArray(content) && content.some(refers));
}

function refers(block: ContentBlock): boolean {
  return block.type === "tool_reference" ||
    (block.type === "tool_result" && Array.isArray(block.content) && block.content.some(refers));
}

/** Replaces references by text, and remembers what they load. */
class References {
  /** Names that were loaded, or have been called. */
  readonly loaded = new Set<string>();

  message(message: InputMessage, path: string): InputMessage {
    const { content } = message;
    if (!Array.isArray(content)) return message;
    return { ...message, content: this.#blocks(content as readonly ContentBlock[], path) };
  }

  #blocks(blocks: readonly ContentBlock[], path: string): readonly ContentBlock[] {
    return blocks.map((block, index) => {
      const at = `${path}.content.${index}`;
      if (block.type === "tool_use") this.loaded.add(String(block.name));
      if (block.type === "tool_result" && Array.isArray(block.content) && refers(block)) {
        return { ...block, content: this.#blocks(block.content as readonly ContentBlock[], at) };
      }
      if (block.type !== "tool_reference") return block;
      const name = checkName(block.tool_name, `${at}.tool_name`);
      this.loaded.add(name);
      const mark = block.cache_control;
      const text = `Tool loaded: ${name}`;
      return { type: "text", text, ...(mark === undefined ? {} : { cache_control: mark }) };
    });
  }
}

/**
 * The same body with one list of tools.
 *
 * @throws {ApiError} `invalid_request_error` for a reference that names no tool
 */
export function foldDeferred(body: MessagesRequest): FoldedDeferred {
  if (!defersTools(body)) return { body, dropped: [] };
  const references = new References();
  const messages = body.messages.map((message, index) =>
    references.message(message, `messages.${index}`)
  );
  const given = body.tools ?? [];
  const searches = given.filter(isSearch);
  const tools = given.filter((tool) => {
    const shown = tool.defer_loading !== true || searches.length > 0 ||
      references.loaded.has(tool.name);
    return shown && !isSearch(tool);
  }).map(({ defer_loading: _, ...tool }) => tool as Tool);
  return {
    body: { ...body, messages, ...(body.tools === undefined ? {} : { tools }) },
    dropped: searches.map(({ type }) => String(type)),
  };
}
