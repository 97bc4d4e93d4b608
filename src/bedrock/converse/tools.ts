/**
 * Tools and tool choice as Converse takes them.
 *
 * Source: Bedrock API reference, ToolConfiguration ([T]); live probes of families ([L]).
 * @module
 */
import { ApiError } from "../../anthropic/error.ts";
import type { MessagesRequest, Tool, ToolChoice } from "../../anthropic/types.ts";
import { nameLeftovers } from "./leftovers.ts";
import type { ConverseBlock } from "./media.ts";
import { cachePoint, type Translation } from "./messages.ts";

/** Tools in Converse's shape. */
export interface ConverseTools {
  /** `toolConfig`; undefined when there are none. */
  readonly toolConfig:
    | Readonly<Record<string, unknown>> & { readonly tools: readonly ConverseBlock[] }
    | undefined;
  /** Tools of Anthropic's own kinds, which only Claude knows: they go beside. */
  readonly anthropicTools: readonly Tool[];
  /** The choice where it is among those, in Anthropic's shape. */
  readonly anthropicChoice: ToolChoice | undefined;
}

const OBJECT_SCHEMA = { type: "object", properties: {} };

function isCustom({ type }: Tool): boolean {
  return type === undefined || type === null || type === "custom";
}

function toolSpec(tool: Tool, translation: Translation): ConverseBlock {
  const { names, quirks, dropped } = translation;
  const { name, description, input_schema, strict } = tool;
  const strictly = strict === true && quirks.strictTools;
  if (strict === true && !strictly) dropped.add("tools[].strict");
  nameLeftovers("tools[]", tool, dropped);
  return {
    toolSpec: {
      name: names.toBedrock(name),
      ...(description === undefined || description === null || description === ""
        ? {}
        : { description }),
      inputSchema: { json: input_schema ?? OBJECT_SCHEMA },
      ...(strictly ? { strict: true } : {}),
    },
  };
}

/**
 * Converse wants a toolConfig where a conversation has tool blocks, and Claude no second tool of the same name:
 * so where all tools stand beside it, one of another name stands in it.
 */
const STAND_IN: ConverseBlock = {
  toolSpec: {
    name: "unavailable",
    description: "Not available: never call it",
    inputSchema: { json: OBJECT_SCHEMA },
  },
};

/** Tools that the conversation mentions and the request does not bring: Bedrock wants each to be known. */
function placeholders(tools: readonly Tool[], { toolsSeen, names }: Translation): ConverseBlock[] {
  const known = new Set(tools.map(({ name }) => name));
  return [...toolsSeen].filter((name) => !known.has(name)).map((name) => ({
    toolSpec: {
      name: names.toBedrock(name),
      description: "Was available earlier in this conversation",
      inputSchema: { json: OBJECT_SCHEMA },
    },
  }));
}

function choiceOf(
  body: MessagesRequest,
  { quirks, dropped }: Translation,
): ToolChoice | undefined {
  const choice = body.tool_choice;
  if (choice === undefined || choice === null) return undefined;
  if (choice.disable_parallel_tool_use === true) {
    dropped.add("tool_choice.disable_parallel_tool_use");
  }
  // Claude takes no forced tool while it thinks.
  const thinking = quirks.thinking === "claude" && isThinking(body);
  if (choice.type === "any" || choice.type === "tool") {
    if (thinking || !quirks.toolChoice.includes(choice.type)) {
      dropped.add(`tool_choice.${choice.type}`);
      return undefined;
    }
    return choice;
  }
  return undefined;
}

function converseChoice(choice: ToolChoice, { names }: Translation): ConverseBlock {
  return choice.type === "any"
    ? { any: {} }
    : { tool: { name: names.toBedrock(choice.name ?? "") } };
}

/** Whether the request turns thinking on. */
export function isThinking({ thinking }: MessagesRequest): boolean {
  return thinking !== undefined && thinking !== null && thinking.type !== "disabled";
}

/**
 * Translates tools and tool choice. The conversation must have been translated before: it tells which tools it
 * mentions.
 *
 * @throws {ApiError} `invalid_request_error` for tools of a kind that the model does not know
 */
export function converseTools(body: MessagesRequest, translation: Translation): ConverseTools {
  const { quirks, toolsSeen, dropped } = translation;
  const none = body.tool_choice?.type === "none";
  const wanted = body.tools ?? [];
  if (quirks.tools === "none") {
    if (wanted.length > 0 && !none) {
      throw new ApiError(
        "invalid_request_error",
        "tools: this model cannot use tools: leave them out, or ask another model",
      );
    }
    return { toolConfig: undefined, anthropicTools: [], anthropicChoice: undefined };
  }
  // Converse has no choice `none`: without tools none is called. A conversation that mentions tools needs them.
  const given = none && toolsSeen.size === 0 ? [] : wanted;
  if (none && given.length > 0) dropped.add("tool_choice.none");
  const anthropicTools = given.filter((tool) => !isCustom(tool));
  const [foreign] = anthropicTools;
  if (foreign !== undefined && quirks.thinking !== "claude") {
    throw new ApiError(
      "invalid_request_error",
      `tools.${
        given.indexOf(foreign)
      }.type: only Claude models know '${foreign.type}' tools: leave the tool out`,
    );
  }
  const tools = given.filter(isCustom).flatMap((tool) => [
    toolSpec(tool, translation),
    ...cachePoint(tool.cache_control, "tools", translation),
  ]);
  tools.push(...placeholders(given, translation));
  const custom = tools.length > 0;
  if (!custom && toolsSeen.size > 0) tools.push(STAND_IN);
  const choice = none || given.length + toolsSeen.size === 0
    ? undefined
    : choiceOf(body, translation);
  const beside = choice !== undefined &&
    (!custom || anthropicTools.some(({ name }) => choice.type === "tool" && name === choice.name));
  const { disable_parallel_tool_use: _, ...bare } = choice ?? { type: "auto" };
  const toolChoice = choice === undefined || beside
    ? {}
    : { toolChoice: converseChoice(choice, translation) };
  return {
    toolConfig: tools.length === 0 ? undefined : { tools, ...toolChoice },
    anthropicTools,
    anthropicChoice: beside ? bare : undefined,
  };
}
