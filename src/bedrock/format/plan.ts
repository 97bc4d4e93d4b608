/**
 * Structured outputs where the model takes no `output_config.format`: the format becomes a tool that must be
 * called, and its input the answer. A format is kept or refused, never left out in silence.
 *
 * Source: which models take formats ([L 2026-09-05], [D]); a forced tool in their place as AWS's samples do ([C]).
 * @module
 */
import { ApiError } from "../../anthropic/error.ts";
import { expandMessage } from "../../anthropic/expand.ts";
import { WireEvent } from "../../anthropic/event.ts";
import { checkObject } from "../../anthropic/field.ts";
import { Folder } from "../../anthropic/fold.ts";
import type { ContentBlock, Message, MessagesRequest, Tool } from "../../anthropic/types.ts";
import { quirksOf } from "../converse/quirks.ts";
import { isThinking } from "../converse/tools.ts";
import { brokenAnswer } from "../errors.ts";
import type { Target } from "../models.ts";
import type { OtherMeans } from "../other_means.ts";
import { claudeFeatures } from "../native/features.ts";
import type { ChunkDecoder } from "../stream.ts";
import { askedAt } from "./asked.ts";
import { FormatDecoder, FormatEvents } from "./events.ts";

/** What becomes of a request for a format. */
export interface FormatPlan {
  /** The body to send. */
  readonly body: MessagesRequest;
  /** Whether the answer is the client's as it is. */
  readonly passes: boolean;
  /** The decoder that gives the client its format. */
  decoder(inner: ChunkDecoder): ChunkDecoder;
  /**
   * The whole answer in its format.
   *
   * @throws {BedrockError} If the model did not keep to it
   */
  message(answer: Message): Message;
}

/** What a plan goes by. */
export interface FormatQuestion {
  /** The body, after plugins. */
  readonly body: MessagesRequest;
  /** What the model was found to refuse. */
  readonly refused: readonly OtherMeans[];
}

const INSTRUCTION = "When you give your final answer, give it by calling the tool ";
const DESCRIPTION = "Gives the final answer, in the format that its input has.";

function takesFormats({ route, baseId, facts }: Target): boolean {
  if (route === "converse") return quirksOf(baseId, facts).format === "textFormat";
  return route !== "mantle" && claudeFeatures(baseId).formats;
}

/** The body with its format where it belongs now. */
function moved(body: MessagesRequest, format: unknown): MessagesRequest {
  const { output_format: _, ...rest } = body;
  return { ...rest, output_config: { ...rest.output_config, format } } as MessagesRequest;
}

function withoutFormat(body: MessagesRequest): MessagesRequest {
  const { output_format: _, output_config, ...rest } = body;
  const { format: _format, ...config } = output_config ?? {};
  const bare = rest as unknown as MessagesRequest;
  return Object.keys(config).length === 0 ? bare : { ...bare, output_config: config };
}

function readSchema(format: unknown, path: string): Readonly<Record<string, unknown>> {
  const { type, schema } = checkObject(format, path);
  if (type !== "json_schema") {
    throw new ApiError("invalid_request_error", `${path}.type: Input should be 'json_schema'`);
  }
  const checked = checkObject(schema, `${path}.schema`);
  if (checked.type !== "object") {
    throw new ApiError(
      "invalid_request_error",
      `${path}.schema.type: Input should be 'object': this model answers in no other format`,
    );
  }
  return checked;
}

/** How the model is made to call the tool: a choice that forces it, or undefined where only words can ask. */
function forcingChoice(
  { route, baseId, facts }: Target,
  { body, refused }: FormatQuestion,
  alone: boolean,
): "tool" | "any" | undefined {
  const quirks = quirksOf(baseId, facts);
  const claude = quirks.thinking === "claude";
  if (claude && isThinking(body)) return undefined;
  if (refused.includes("tool_choice")) return undefined;
  const choices = route !== "converse"
    ? claudeFeatures(baseId).forcedTools ? ["any", "tool"] : []
    : quirks.toolChoice;
  if (alone && choices.includes("tool")) return "tool";
  return choices.includes("any") ? "any" : undefined;
}

function freeName(tools: readonly Tool[]): string {
  const taken = new Set(tools.map(({ name }) => name));
  let name = "structured_output";
  for (let count = 2; taken.has(name); count++) name = `structured_output_${count}`;
  return name;
}

function instructed({ system }: MessagesRequest, tool: string): readonly ContentBlock[] {
  const blocks: readonly ContentBlock[] = typeof system === "string"
    ? [{ type: "text", text: system }]
    : system ?? [];
  return [...blocks, { type: "text", text: `${INSTRUCTION}${tool}.` }];
}

function asTool(
  target: Target,
  question: FormatQuestion,
  schema: Tool["input_schema"],
): { body: MessagesRequest; name: string } {
  const { body } = question;
  if (target.route === "converse" && quirksOf(target.baseId, target.facts).tools === "none") {
    throw new ApiError(
      "invalid_request_error",
      "output_config.format: this model cannot be held to a format: leave it out, or ask another model",
    );
  }
  const { tool_choice, ...rest } = withoutFormat(body);
  // With the choice `none` the client's tools must not be called: the answer's own can be forced past them.
  const given = rest.tools ?? [];
  const silent = tool_choice?.type === "none";
  const name = freeName(given);
  const choice = forcingChoice(target, question, given.length === 0 || silent);
  const tools = silent && choice !== "tool" ? [] : given;
  const answer: Tool = { name, description: DESCRIPTION, input_schema: schema ?? {} };
  return {
    name,
    body: {
      ...rest as unknown as MessagesRequest,
      tools: [...tools, answer],
      tool_choice: {
        ...(choice === "tool" ? { type: choice, name } : { type: choice ?? "auto" }),
        ...(tool_choice?.disable_parallel_tool_use === true
          ? { disable_parallel_tool_use: true }
          : {}),
      },
      ...(choice === undefined ? { system: instructed(body, name) } : {}),
    },
  };
}

function inFormat(answer: Message, tool: string): Message {
  const events = new FormatEvents(tool);
  const out: WireEvent[] = [];
  for (const event of expandMessage(answer)) events.push(WireEvent.from(event), out);
  const folder = new Folder();
  for (const event of out) folder.push(event.value);
  const message = folder.message();
  if (message === undefined) {
    throw brokenAnswer(`Amazon Bedrock's answer cannot be read: ${folder.failure}`);
  }
  return message;
}

/**
 * Plans what becomes of a format; undefined if the body asks for none.
 *
 * @throws {ApiError} `invalid_request_error` that names a format nobody could keep
 */
export function planFormat(target: Target, question: FormatQuestion): FormatPlan | undefined {
  const { body, refused } = question;
  const path = askedAt(body);
  if (path === undefined) return undefined;
  const format = path === "output_format" ? body.output_format : body.output_config?.format;
  const asIs = {
    passes: true,
    decoder: (inner: ChunkDecoder) => inner,
    message: (answer: Message) => answer,
  };
  if (takesFormats(target) && !refused.includes("output_config.format")) {
    return { body: moved(body, format), ...asIs };
  }
  const schema = readSchema(format, path);
  // A tool of the client's must be called: there is no text that a format could be kept in.
  const choice = body.tool_choice?.type;
  if (choice === "any" || choice === "tool") return { body: withoutFormat(body), ...asIs };
  const { body: asked, name } = asTool(target, question, schema);
  return {
    body: asked,
    passes: false,
    decoder: (inner) => new FormatDecoder(inner, new FormatEvents(name)),
    message: (answer) => inFormat(answer, name),
  };
}
