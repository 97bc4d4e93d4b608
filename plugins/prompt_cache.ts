/**
 * `prompt_cache`: how long prompts stay in the model's cache, and marks for clients that set none.
 *
 * The life (ttl) of cache marks is, in this order: that of the key; `force_ttl`; what the client says; and, where the
 * request states none at all, `default_ttl`. A life is given to all marks of a request or to none, as Bedrock
 * refuses marks of an hour behind those of five minutes.
 *
 * `automatic` marks the end of tools and system prompt, and the end of a conversation that has gone on for a turn:
 * what comes again in the next request.
 *
 * @module
 */
import type { MessagesRequest, Plugin, PluginFactory } from "../src/pipeline/plugin.ts";

type InputMessage = MessagesRequest["messages"][number];
type Block = Exclude<InputMessage["content"], string>[number];
type Tool = NonNullable<MessagesRequest["tools"]>[number];
type Ttl = "5m" | "1h";
type Mark = NonNullable<Block["cache_control"]>;
interface Marked {
  readonly cache_control?: Mark | null;
  readonly content?: unknown;
}

/** Bytes a token, as a rough measure of a prefix: the model's own minimum decides in the end. */
const BYTES_A_TOKEN = 4;
/** An array's `map` that keeps the array where nothing in it changes, so that an untouched body is told by identity. */
function mapped<T>(list: readonly T[], change: (item: T) => T): readonly T[] {
  let changed = false;
  const next = list.map((item) => {
    const after = change(item);
    changed ||= after !== item;
    return after;
  });
  return changed ? next : list;
}

/** The body with each of its marks changed. */
function withMarks(body: MessagesRequest, change: (mark: Mark) => Mark): MessagesRequest {
  const one = <T extends Marked>(value: T): T => {
    const mark = value.cache_control;
    const after = mark === undefined || mark === null ? mark : change(mark);
    const content = Array.isArray(value.content)
      ? mapped(value.content as Block[], one)
      : value.content;
    if (after === mark && content === value.content) return value;
    return { ...value, ...(after === mark ? {} : { cache_control: after }), content } as T;
  };
  const parts: { -readonly [field in keyof MessagesRequest]?: MessagesRequest[field] } = {};
  if (Array.isArray(body.system)) parts.system = mapped<Block>(body.system, one);
  if (body.tools !== undefined) parts.tools = mapped<Tool>(body.tools, one);
  parts.messages = mapped<InputMessage>(
    body.messages,
    one as (message: InputMessage) => InputMessage,
  );
  if (body.cache_control) parts.cache_control = change(body.cache_control);
  const changed = Object.entries(parts).some(([field, value]) => body[field] !== value);
  return changed ? { ...body, ...parts } : body;
}

/** Every mark of the body. */
function marksOf(body: MessagesRequest): Mark[] {
  const marks: Mark[] = [];
  withMarks(body, (mark) => {
    marks.push(mark);
    return mark;
  });
  return marks;
}

function withTtl(ttl: Ttl): (mark: Mark) => Mark {
  return (mark) => {
    if ((mark.ttl ?? "5m") === ttl) return mark;
    const { ttl: _, ...rest } = mark;
    return ttl === "5m" ? rest : { ...rest, ttl };
  };
}

const MARK: Mark = { type: "ephemeral" };

/** Kinds of block that take no mark (Anthropic, Prompt caching: What cannot be cached). */
const UNMARKED: ReadonlySet<string> = new Set(["thinking", "redacted_thinking"]);

function withLastMarked(blocks: readonly Block[]): readonly Block[] {
  const last = blocks.at(-1);
  if (last === undefined || UNMARKED.has(last.type)) return blocks;
  if (last.type === "text" && last["text"] === "") return blocks;
  return [...blocks.slice(0, -1), { ...last, cache_control: MARK }];
}

function blocksOf(content: string | readonly Block[]): readonly Block[] {
  if (typeof content !== "string") return content;
  return content === "" ? [] : [{ type: "text", text: content }];
}

function tokensOf(...parts: unknown[]): number {
  const bytes = parts.reduce<number>(
    (sum, part) => sum + (part === undefined ? 0 : JSON.stringify(part).length),
    0,
  );
  return bytes / BYTES_A_TOKEN;
}

/** Marks the prefixes that come again, if they are long enough to pay. */
function withAutomaticMarks(body: MessagesRequest, leastTokens: number): MessagesRequest {
  const { system, tools, messages } = body;
  let marked = body;
  if (tokensOf(system, tools) >= leastTokens) {
    const blocks = blocksOf(system ?? "");
    const tool = tools?.at(-1);
    if (blocks.length > 0) marked = { ...marked, system: withLastMarked(blocks) };
    else if (tools !== undefined && tool !== undefined) {
      marked = { ...marked, tools: [...tools.slice(0, -1), { ...tool, cache_control: MARK }] };
    }
  }
  const last = messages.at(-1);
  const goesOn = messages.some(({ role }) => role === "assistant");
  if (last?.role === "user" && goesOn && tokensOf(system, tools, messages) >= leastTokens) {
    const content = withLastMarked(blocksOf(last.content));
    marked = { ...marked, messages: [...messages.slice(0, -1), { ...last, content }] };
  }
  return marked;
}

/** The `prompt_cache` plugin; settings under `with:` are documented on its schema. */
const promptCache: PluginFactory = ({ define, z }): Plugin => {
  const ttl = (what: string) => z.enum(["5m", "1h"]).nullable().default(null).describe(what);
  return define({
    name: "prompt_cache",
    schema: z.strictObject({
      force_ttl: ttl("Life of every cache mark, whatever the client says; a key's own wins."),
      default_ttl: ttl("Life of the marks of a request that states none for any of them."),
      automatic: z.boolean().default(false).describe(
        "Mark long prefixes of requests that have no mark: tools and system prompt, and the conversation.",
      ),
      automatic_min_tokens: z.int().min(256).default(4_096).describe(
        "Tokens from which a prefix is marked; models do not cache shorter ones.",
      ),
      automatic_models: z.array(z.string().min(1)).default(["*claude*", "*nova*"]).describe(
        "Globs over the names clients ask for: other models know no cache marks.",
      ),
    }).prefault({}),
    requires: ["auth"],
    setup: (settings, host) => ({
      onCall(ctx) {
        const forced = ctx.principal?.key?.cache_ttl ?? settings.force_ttl;
        if (forced === null && settings.default_ttl === null && !settings.automatic) return;
        let { body } = ctx;
        const marks = marksOf(body);
        if (
          marks.length === 0 && settings.automatic &&
          host.matchesGlob(settings.automatic_models, ctx.model)
        ) {
          body = withAutomaticMarks(body, settings.automatic_min_tokens);
        }
        const unsaid = marks.every((mark) => mark.ttl === undefined);
        const life = forced ?? (unsaid ? settings.default_ttl : null);
        if (life !== null) body = withMarks(body, withTtl(life));
        if (body !== ctx.body) ctx.body = body;
      },
    }),
  });
};

export default promptCache;
