/**
 * Tools that come and go in mid-conversation, for models that know one list of tools only.
 *
 * The list becomes what the last change leaves, and a line of text where the change stood tells the model.
 *
 * Source: Anthropic API reference, `tool_addition` and `tool_removal` ([T]).
 * @module
 */
import { ApiError } from "./error.ts";
import { checkName, checkObject } from "./field.ts";
import type { ContentBlock, InputMessage, MessagesRequest, Tool } from "./types.ts";

const CHANGES = new Set(["tool_addition", "tool_removal"]);

function isChange({ type }: ContentBlock): boolean {
  return CHANGES.has(type);
}

/** Reads one change: the tool's name, and its definition where the change brings one. */
function readChange(block: ContentBlock, path: string): { name: string; tool: Tool | undefined } {
  const change = checkObject(block.tool, `${path}.tool`);
  const type = checkName(change.type, `${path}.tool.type`);
  if (type === "tool_reference") {
    return { name: checkName(change.name, `${path}.tool.name`), tool: undefined };
  }
  if (type === "tool_definition" && block.type === "tool_addition") {
    const definition = checkObject(change.definition, `${path}.tool.definition`);
    const name = checkName(definition.name, `${path}.tool.definition.name`);
    return { name, tool: definition as unknown as Tool };
  }
  throw new ApiError(
    "invalid_request_error",
    `${path}.tool.type: '${type}' is not available on Amazon Bedrock: name the tool itself`,
  );
}

/** Follows the changes through one conversation. */
class ToolList {
  readonly #tools: Map<string, Tool>;
  readonly #removed = new Set<string>();

  constructor(tools: readonly Tool[]) {
    this.#tools = new Map(tools.map((tool) => [tool.name, tool]));
  }

  /** The tools after all changes. */
  get left(): readonly Tool[] {
    return [...this.#tools.values()].filter(({ name }) => !this.#removed.has(name));
  }

  /** Makes one change, and tells of it. */
  apply(block: ContentBlock, path: string): ContentBlock {
    const { name, tool } = readChange(block, path);
    const added = block.type === "tool_addition";
    if (!added) this.#removed.add(name);
    else this.#removed.delete(name);
    if (tool !== undefined) this.#tools.set(name, tool);
    const text = `The tool ${name} is ${added ? "available now" : "no longer available"}.`;
    const mark = block.cache_control;
    return { type: "text", text, ...(mark === undefined ? {} : { cache_control: mark }) };
  }
}

/**
 * The same body without such changes; the body given when it has none.
 *
 * @throws {ApiError} `invalid_request_error` that names a change that cannot be made
 */
export function foldToolChanges(body: MessagesRequest): MessagesRequest {
  const changing = body.messages.some(({ content }) =>
    Array.isArray(content) && (content as readonly ContentBlock[]).some(isChange)
  );
  if (!changing) return body;
  const list = new ToolList(body.tools ?? []);
  const messages = body.messages.map((message, index): InputMessage => {
    const { content } = message;
    if (!Array.isArray(content)) return message;
    const blocks = content as readonly ContentBlock[];
    if (!blocks.some(isChange)) return message;
    return {
      ...message,
      content: blocks.map((block, at) =>
        isChange(block) ? list.apply(block, `messages.${index}.content.${at}`) : block
      ),
    };
  });
  return { ...body, messages, tools: list.left };
}
