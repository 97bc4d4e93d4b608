/**
 * What a model can do without: how Bedrock's refusal names it, and how it is taken out of a request.
 *
 * Never in this table: content, tools, formats and stop sequences, without which the answer would be another.
 *
 * Source: refusals recorded by several clients of Bedrock ([L], [R]).
 * @module
 */
import { foldDeferred } from "../anthropic/fold_deferred.ts";
import type { ContentBlock, InputMessage, MessagesRequest, Tool } from "../anthropic/types.ts";

/** One thing that can be left out. */
export interface Droppable {
  /** Its name, as `x-outcrop-dropped` tells it. */
  readonly name: string;
  /** Matches the refusals that name it. */
  readonly refusal: RegExp;
  /** The body without it; the same object when it is not in it. */
  readonly without: (body: MessagesRequest) => MessagesRequest;
}

type Members = Readonly<Record<string, unknown>>;

function omit<T extends object>(value: T, field: string): T {
  if (!(field in value)) return value;
  const copy = { ...value } as Record<string, unknown>;
  delete copy[field];
  return copy as T;
}

function topLevel(...fields: string[]): Droppable["without"] {
  return (body) => fields.reduce((rest, field) => omit(rest, field), body);
}

function nested(outer: string, field: string): Droppable["without"] {
  return (body) => {
    const value = body[outer];
    if (typeof value !== "object" || value === null || !(field in value)) return body;
    const rest = omit(value as Members, field);
    return Object.keys(rest).length === 0 ? omit(body, outer) : { ...body, [outer]: rest };
  };
}

/** The same list when no item changed. */
function mapShared<T>(items: readonly T[], change: (item: T) => T): readonly T[] {
  const changed = items.map(change);
  return changed.every((item, index) => item === items[index]) ? items : changed;
}

function onTools(change: (tool: Tool) => Tool): Droppable["without"] {
  return (body) => {
    if (!Array.isArray(body.tools)) return body;
    const tools = mapShared<Tool>(body.tools, change);
    return tools === body.tools ? body : { ...body, tools };
  };
}

type Marked = { readonly cache_control?: ContentBlock["cache_control"] };

/** Changes every cache mark: of the request, system blocks, tools, blocks, and blocks in tool results. */
function onCacheMarks(change: (mark: Members) => Members | undefined): Droppable["without"] {
  const mark = <T extends Marked>(value: T): T => {
    const control = value.cache_control;
    if (typeof control !== "object" || control === null) return value;
    const next = change(control);
    if (next === control) return value;
    return next === undefined ? omit(value, "cache_control") : { ...value, cache_control: next };
  };
  const block = (one: ContentBlock): ContentBlock => {
    const marked = mark(one);
    if (!Array.isArray(marked.content)) return marked;
    const content = mapShared(marked.content as readonly ContentBlock[], block);
    return content === marked.content ? marked : { ...marked, content };
  };
  const message = (one: InputMessage): InputMessage => {
    if (typeof one.content === "string") return one;
    const content = mapShared(one.content, block);
    return content === one.content ? one : { ...one, content };
  };
  return (body) => {
    const messages = mapShared(body.messages, message);
    const system = Array.isArray(body.system)
      ? mapShared(body.system as readonly ContentBlock[], block)
      : body.system;
    const whole = onTools(mark)(mark(body as Marked & MessagesRequest));
    if (messages === whole.messages && system === whole.system) return whole;
    return { ...whole, messages, ...(system === undefined ? {} : { system }) };
  };
}

/** What a mark on the whole request means, said where every model understands it: at its last block. */
function markLastBlock(body: MessagesRequest): MessagesRequest {
  const mark = body.cache_control;
  if (mark === undefined || mark === null) return omit(body, "cache_control");
  const rest = omit(body, "cache_control");
  const last = rest.messages.at(-1);
  if (last?.content === undefined) return rest;
  const blocks: readonly ContentBlock[] = typeof last.content === "string"
    ? [{ type: "text", text: last.content }]
    : last.content;
  const block = blocks.at(-1);
  if (block === undefined || /thinking$/.test(block.type)) return rest;
  const content = blocks.with(-1, { ...block, cache_control: block.cache_control ?? mark });
  return { ...rest, messages: rest.messages.with(-1, { ...last, content }) };
}

function extra(path: string): RegExp {
  return new RegExp(`(^|[\\s.:"'\`])${path}: Extra inputs are not permitted`);
}

function sampling(field: string, converse: string): Droppable {
  return {
    name: field,
    refusal: new RegExp(
      `\`${field}\` is deprecated|doesn't support the ${converse} field|${extra(field).source}`,
    ),
    without: topLevel(field),
  };
}

/** First match wins: the special before the general. */
export const DROPPABLE: readonly Droppable[] = [
  {
    name: "cache_control.ttl",
    refusal: extra("(?:[\\w.]+\\.)?cache_control(?:\\.ephemeral)?\\.ttl"),
    without: onCacheMarks((mark) => omit(mark, "ttl")),
  },
  {
    name: "cache_control.scope",
    refusal: extra("(?:[\\w.]+\\.)?cache_control(?:\\.ephemeral)?\\.scope"),
    without: onCacheMarks((mark) => omit(mark, "scope")),
  },
  {
    name: "cache_control (top level)",
    refusal: extra("cache_control"),
    without: markLastBlock,
  },
  {
    name: "cache_control",
    refusal: /unsupported model or your request did not allow prompt caching/,
    without: onCacheMarks(() => undefined),
  },
  {
    name: "tools[].eager_input_streaming",
    refusal: extra("tools\\.\\d+\\.(?:custom\\.)?eager_input_streaming"),
    without: onTools((tool) => omit(tool, "eager_input_streaming")),
  },
  {
    name: "tools[].defer_loading",
    refusal: extra("tools\\.\\d+\\.(?:custom\\.)?defer_loading"),
    without: (body) => foldDeferred(body).body,
  },
  {
    name: "thinking.display",
    refusal: /thinking\.(?:\w+\.)?display: /,
    without: nested("thinking", "display"),
  },
  {
    name: "output_config.effort",
    refusal: /output_config(?:\.effort)?: (Extra inputs|Input should)|effort.* is not supported/,
    without: nested("output_config", "effort"),
  },
  {
    name: "context_management",
    refusal: extra("context_management"),
    without: topLevel("context_management"),
  },
  { name: "safeguards", refusal: extra("safeguards"), without: topLevel("safeguards") },
  { name: "diagnostics", refusal: extra("diagnostics"), without: topLevel("diagnostics") },
  { name: "speed", refusal: extra("speed"), without: topLevel("speed") },
  { name: "metadata", refusal: /(^|[\s.])metadata(\.user_id)?: /, without: topLevel("metadata") },
  sampling("temperature", "temperature"),
  sampling("top_p", "topP"),
  sampling("top_k", "topK"),
];

/** `messages.1.output_config` is a client's own affair: Claude Code knows that refusal and mends it itself. */
const OF_MESSAGES = /messages\.\d+\.output_config: /;

/** What a refusal names that can be left out; undefined if it names nothing of the kind. */
export function droppableOf(message: string): Droppable | undefined {
  if (OF_MESSAGES.test(message)) return undefined;
  return DROPPABLE.find(({ refusal }) => refusal.test(message));
}
