/**
 * Makes an Anthropic body one that a Claude model on Bedrock takes: nothing is copied that need not change, so
 * that the difference to the original is small and is told by identity.
 * @module
 */
import { foldSystemMessages, withoutCleared } from "../../anthropic/fold_system.ts";
import { foldCompactions } from "../../anthropic/fold_compaction.ts";
import { foldDeferred } from "../../anthropic/fold_deferred.ts";
import { foldToolChanges } from "../../anthropic/fold_tools.ts";
import { withoutDisplay } from "../../anthropic/thinking.ts";
import type { ContentBlock, InputMessage, MessagesRequest, Tool } from "../../anthropic/types.ts";
import { isSyntheticSignature } from "../converse/signature.ts";
import { EAGER_INPUT } from "../betas.ts";
import { claudeFeatures } from "./features.ts";

/** What rewriting goes by. */
export interface RewriteOptions {
  /** Foundation model id. */
  readonly baseId: string;
  /** The route. */
  readonly route: "invoke" | "messages" | "mantle";
  /** Betas that are sent. */
  readonly betas: readonly string[];
  /** Whether the model was found to refuse messages of role `system`. */
  readonly systemRefused: boolean;
  /** Whether a stream is asked for. */
  readonly streamed: boolean;
}

/** A body rewritten, and what was left out. */
export interface Rewritten {
  /** Shares with the body given what did not change. */
  readonly body: MessagesRequest;
  /** Fields left out, by name. */
  readonly dropped: readonly string[];
}

/** The same list when no item changed; items that became undefined are left out. */
function mapShared<T>(items: readonly T[], change: (item: T) => T | undefined): readonly T[] {
  let changed = false;
  const result: T[] = [];
  for (const item of items) {
    const next = change(item);
    if (next !== item) changed = true;
    if (next !== undefined) result.push(next);
  }
  return changed ? result : items;
}

function without<T extends object>(value: T, field: string): T {
  const copy = { ...value } as Record<string, unknown>;
  delete copy[field];
  return copy as T;
}

class Rewriter {
  readonly dropped = new Set<string>();
  readonly #options: RewriteOptions;

  constructor(options: RewriteOptions) {
    this.#options = options;
  }

  drop<T extends object>(value: T, field: string, name: string = field): T {
    if (!(field in value)) return value;
    this.dropped.add(name);
    return without(value, field);
  }

  /**
   * `scope` shares a cache between conversations of one organisation; Bedrock has no such thing. And older models
   * keep no cache for an hour.
   */
  cacheControl<T extends { readonly cache_control?: ContentBlock["cache_control"] }>(value: T): T {
    const control = value.cache_control;
    if (typeof control !== "object" || control === null) return value;
    const unscoped = this.drop(control, "scope", "cache_control.scope");
    const kept = control.ttl === "1h" && !claudeFeatures(this.#options.baseId).cacheHour
      ? this.drop(unscoped, "ttl", "cache_control.ttl")
      : unscoped;
    return kept === control ? value : { ...value, cache_control: kept };
  }

  block(block: ContentBlock): ContentBlock | undefined {
    if (block.type === "text" && typeof block.text === "string" && block.text.trim() === "") {
      return undefined;
    }
    if (block.type === "thinking") {
      const { signature } = block;
      // Claude refuses reasoning it has not signed; what another model thought is not needed to go on.
      const foreign = typeof signature !== "string" || signature === "" ||
        isSyntheticSignature(signature);
      if (foreign) this.dropped.add("thinking (unsigned)");
      return foreign ? undefined : block;
    }
    const marked = this.cacheControl(block);
    if (marked.type !== "tool_result" || !Array.isArray(marked.content)) return marked;
    const inner = marked.content as readonly ContentBlock[];
    const content = mapShared(inner, (one) => this.block(one));
    return content === inner ? marked : { ...marked, content };
  }

  message(message: InputMessage): InputMessage | undefined {
    const perTurn = this.sent("mid-conversation-output-config-") || this.sent("per-turn-control-");
    const kept = perTurn
      ? message
      : this.drop(message, "output_config", "messages[].output_config");
    // A message without words may still say how to go on.
    const nothing = kept.output_config === undefined ? undefined : kept;
    if (kept.content === undefined) return nothing;
    if (typeof kept.content === "string") return kept.content.trim() === "" ? nothing : kept;
    const content = mapShared(kept.content, (block) => this.block(block));
    if (content.length === 0) return nothing;
    return content === kept.content ? kept : { ...kept, content };
  }

  /** Whether a beta that begins so is sent. */
  sent(beta: string): boolean {
    return this.#options.betas.some((one) => one.startsWith(beta));
  }

  tool(tool: Tool): Tool {
    const { route, baseId } = this.#options;
    const strictly = route !== "mantle" && claudeFeatures(baseId).formats;
    const fields = [
      ...(strictly ? [] : ["strict"]),
      "allowed_callers", // nothing but the model itself calls tools on Bedrock
      // A beta and its fields are sent both, or neither.
      ...(this.sent("tool-examples-") ? [] : ["input_examples"]),
      ...(this.sent("tool-search-tool-") ? [] : ["defer_loading"]),
    ];
    const kept = fields.reduce((rest, field) => this.drop(rest, field, `tools[].${field}`), tool);
    return this.cacheControl(route === "invoke" ? this.uneager(kept) : kept);
  }

  /** InvokeModel streams a tool's input early by a beta, and refuses the tool's own word for it. */
  uneager(tool: Tool): Tool {
    const { betas, streamed } = this.#options;
    const said = !streamed || tool.eager_input_streaming !== true || betas.includes(EAGER_INPUT);
    if (!said) return this.drop(tool, "eager_input_streaming", "tools[].eager_input_streaming");
    return "eager_input_streaming" in tool ? without(tool, "eager_input_streaming") : tool;
  }

  /** What is said in mid-conversation, as far as the model takes it there. */
  conversation(given: MessagesRequest): MessagesRequest {
    const { baseId, systemRefused } = this.#options;
    const systemMessages = claudeFeatures(baseId).systemMessages && !systemRefused;
    const changes = systemMessages && this.sent("mid-conversation-tool-changes-");
    const changed = changes ? given : foldToolChanges(given);
    const { body, dropped } = this.sent("tool-search-tool-")
      ? { body: changed, dropped: [] }
      : foldDeferred(changed);
    for (const name of dropped) this.dropped.add(name);
    const clears = systemMessages && this.sent("mid-conversation-system-clear-at-");
    const whole = this.sent("compact-") ? body.messages : foldCompactions(body.messages);
    const shown = clears ? whole : withoutCleared(whole);
    const messages = systemMessages ? shown : foldSystemMessages(shown);
    return messages === body.messages ? body : { ...body, messages };
  }

  body(given: MessagesRequest): MessagesRequest {
    const features = claudeFeatures(this.#options.baseId);
    const body = this.conversation(given);
    const changes: Record<string, unknown> = {};
    const messages = mapShared(body.messages, (message) => this.message(message));
    if (messages !== body.messages) changes.messages = messages;
    if (Array.isArray(body.system)) {
      const blocks = body.system as readonly ContentBlock[];
      const system = mapShared(blocks, (block) => this.block(block));
      if (system !== blocks) changes.system = system.length === 0 ? undefined : system;
    }
    if (body.tools !== undefined && body.tools !== null) {
      const tools = mapShared(body.tools, (tool) => this.tool(tool));
      if (tools !== body.tools) changes.tools = tools;
    }
    let result: MessagesRequest = this.cacheControl(
      Object.keys(changes).length === 0 ? body : { ...body, ...changes },
    );
    const undisplayed = features.thinkingDisplay ? undefined : withoutDisplay(result.thinking);
    if (undisplayed !== undefined) {
      this.dropped.add("thinking.display");
      result = { ...result, thinking: undisplayed };
    }
    if (!features.sampling) {
      for (const field of ["temperature", "top_p", "top_k"]) result = this.drop(result, field);
    }
    return result;
  }
}

/** Rewrites a body for its model and route. */
export function rewriteNative(body: MessagesRequest, options: RewriteOptions): Rewritten {
  const rewriter = new Rewriter(options);
  return { body: rewriter.body(body), dropped: [...rewriter.dropped] };
}
