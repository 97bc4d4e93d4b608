/**
 * A request as the scripted models see it, whichever wire it came by.
 * @module
 */

/** Any JSON object. */
export type Json = Readonly<Record<string, unknown>>;

/** A tool the model may call. */
export interface OfferedTool {
  /** Its name. */
  readonly name: string;
  /** JSON Schema of its input. */
  readonly schema: Json;
}

/** What a scripted model goes by. */
export interface Conversation {
  /** Text of the last user turn. */
  readonly lastUserText: string;
  /** Text of the tool results in the last user turn; undefined when it has none. */
  readonly toolResult: string | undefined;
  /** Tools it may call. */
  readonly tools: readonly OfferedTool[];
  /** Whether it must call one. */
  readonly mustCall: boolean;
  /** Reasoning that was replayed: text and signature. */
  readonly replayed: readonly { readonly text: string; readonly signature: string }[];
  /** All of the request. */
  readonly body: Json;
  /** Characters of the conversation, for token counts. */
  readonly size: number;
}

/** A list of JSON objects, or none. */
export function objects(value: unknown): readonly Json[] {
  return Array.isArray(value)
    ? value.filter((item) => typeof item === "object" && item !== null)
    : [];
}

/** Any value in words, as refusals name it. `String` has none for an object whose `toString` is a member. */
export function words(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value) ?? "undefined";
}

/** A JSON object, or an empty one. */
export function object(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Json : {};
}

function contentOf(message: Json): readonly Json[] {
  return typeof message.content === "string"
    ? [{ type: "text", text: message.content }]
    : objects(message.content);
}

function textOf(blocks: readonly Json[]): string {
  return blocks.map(({ text }) => text).filter((text) => typeof text === "string").join("\n");
}

/** Deterministic, and near enough to the truth to be plausible: four characters a token. */
export function countTokens(characters: number): number {
  return Math.ceil(characters / 4);
}

function sizeOf(body: Json): number {
  return JSON.stringify([body.messages, body.system, body.tools ?? body.toolConfig]).length;
}

/** Reads a Converse body. */
export function ofConverse(body: Json): Conversation {
  const messages = objects(body.messages);
  const last = messages.findLast(({ role }) => role === "user") ?? {};
  const blocks = contentOf(last);
  const results = blocks.map(({ toolResult }) => toolResult).filter((result) =>
    result !== undefined
  );
  const config = object(body.toolConfig);
  const choice = object(config.toolChoice);
  return {
    lastUserText: textOf(blocks),
    toolResult: results.length === 0
      ? undefined
      : results.map((result) => textOf(objects(object(result).content))).join("\n"),
    tools: objects(config.tools).filter((tool) => tool.toolSpec !== undefined).map((
      { toolSpec },
    ) => ({
      name: words(object(toolSpec).name),
      schema: object(object(object(toolSpec).inputSchema).json),
    })),
    mustCall: choice.any !== undefined || choice.tool !== undefined,
    replayed: messages.flatMap(contentOf).flatMap((block) => {
      const { text, signature } = object(object(block.reasoningContent).reasoningText);
      return block.reasoningContent === undefined || text === undefined
        ? []
        : [{ text: words(text), signature: words(signature ?? "") }];
    }),
    body,
    size: sizeOf(body),
  };
}

/** Blocks of the last user turn: messages of one role in a row are one turn at Anthropic. */
function lastUserBlocks(messages: readonly Json[]): readonly Json[] {
  const end = messages.findLastIndex(({ role }) => role === "user") + 1;
  const begin = messages.slice(0, end).findLastIndex(({ role }) => role === "assistant") + 1;
  return messages.slice(begin, end).filter(({ role }) => role === "user").flatMap(contentOf);
}

/** Reads an Anthropic body. */
export function ofAnthropic(body: Json): Conversation {
  const messages = objects(body.messages);
  const blocks = lastUserBlocks(messages);
  const results = blocks.filter(({ type }) => type === "tool_result");
  const choice = object(body.tool_choice);
  return {
    lastUserText: textOf(blocks),
    toolResult: results.length === 0
      ? undefined
      : results.map((result) => textOf(contentOf(result))).join("\n"),
    tools: objects(body.tools).map(({ name, input_schema }) => ({
      name: words(name),
      schema: object(input_schema),
    })),
    mustCall: choice.type === "any" || choice.type === "tool",
    replayed: messages.flatMap(contentOf).filter(({ type }) => type === "thinking").map((
      { thinking, signature },
    ) => ({
      text: words(thinking),
      signature: words(signature ?? ""),
    })),
    body,
    size: sizeOf(body),
  };
}
