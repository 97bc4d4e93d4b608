/**
 * Steps 2 and 5: the hooks that run before Bedrock is asked.
 * @module
 */
import { checkMessagesRequest } from "../anthropic/request.ts";
import type { Message, MessagesRequest } from "../anthropic/types.ts";
import { RefusingContext } from "./context.ts";
import { type Exchange, freezeDeep } from "./exchange.ts";
import { applyPolicy, HookRun, type LoadedPlugin, runHook } from "./guard.ts";
import type {
  CallContext,
  CallEstimate,
  Principal,
  Reply,
  RequestContext,
  ServiceTier,
} from "./plugin.ts";

class OnRequestContext extends RefusingContext implements RequestContext {
  get responseHeaders(): Headers {
    return this.run.exchange.answerHeaders;
  }

  get signal(): AbortSignal {
    return this.run.signal;
  }

  get principal(): Principal | undefined {
    return this.run.exchange.principal;
  }

  set principal(principal: Principal | undefined) {
    this.run.mustBeLive("set the principal");
    // Many requests are shown the same record of a key: none can change it for the others.
    this.run.exchange.principal = freezeDeep(principal);
  }
}

class OnCallContext extends RefusingContext implements CallContext {
  get responseHeaders(): Headers {
    return this.run.exchange.answerHeaders;
  }

  get signal(): AbortSignal {
    return this.run.signal;
  }

  get principal(): Principal | undefined {
    return this.run.exchange.principal;
  }

  get body(): MessagesRequest {
    return this.run.exchange.frozenBody as MessagesRequest;
  }

  set body(body: MessagesRequest) {
    this.run.mustBeLive("change the body");
    this.run.exchange.body = body;
  }

  get model(): string {
    return this.run.exchange.model as string;
  }

  set model(model: string) {
    this.run.mustBeLive("change the model");
    this.run.exchange.model = model;
  }

  get tier(): ServiceTier | undefined {
    return this.run.exchange.tier;
  }

  set tier(tier: ServiceTier | undefined) {
    this.run.mustBeLive("change the tier");
    this.run.exchange.tier = tier;
  }

  estimate(tier?: ServiceTier): CallEstimate {
    return this.run.exchange.estimate(tier);
  }
}

/**
 * Step 2: who is it, and may they come in? Runs every `onRequest` in list order.
 *
 * @throws {ApiError} If a plugin refuses
 * @throws {PluginFailure} If a closed plugin fails, or returns something
 */
export async function runOnRequest(
  plugins: readonly LoadedPlugin[],
  exchange: Exchange,
): Promise<void> {
  for (const plugin of plugins) {
    const { hooks } = plugin;
    if (hooks.onRequest === undefined) continue;
    const run = new HookRun(exchange, plugin, "onRequest");
    const { principal } = exchange;
    const running: unknown = runHook(run, () => hooks.onRequest?.(new OnRequestContext(run)));
    const result = running instanceof Promise ? await running : running;
    if (!run.failed && result !== undefined) {
      // Whoever returns something, such as false, may mean to refuse by it.
      applyPolicy(
        run,
        new TypeError(
          "Cannot use what onRequest returned: it must be nothing; ctx.reject() refuses",
        ),
      );
    }
    if (run.failed) exchange.principal = principal;
  }
}

function isReply(value: unknown): value is Reply {
  if (typeof value !== "object" || value === null || !("message" in value)) return false;
  const message = value.message as Partial<Message> | null;
  return typeof message === "object" && message !== null && message.type === "message" &&
    Array.isArray(message.content) && typeof message.usage === "object" && message.usage !== null;
}

/** An answer that a plugin gave itself, and the plugins that see it: those listed before. */
export interface PluginReply {
  /** The answer. */
  readonly message: Message;
  /** The plugins between the replier and the client, in list order. */
  readonly outer: readonly LoadedPlugin[];
}

/**
 * Step 5: limits, tiers, rewriting, a cached answer. Runs `onCall` in list order until one replies.
 *
 * @throws {ApiError} If a plugin refuses
 * @throws {PluginFailure} If a closed plugin fails, replies with no message, or leaves an invalid body
 */
export async function runOnCall(
  plugins: readonly LoadedPlugin[],
  exchange: Exchange,
): Promise<PluginReply | undefined> {
  for (let position = 0; position < plugins.length; position++) {
    const plugin = plugins[position]!;
    const { hooks } = plugin;
    if (hooks.onCall === undefined) continue;
    const run = new HookRun(exchange, plugin, "onCall");
    const { body, model, tier } = exchange;
    const running = runHook(run, () => hooks.onCall?.(new OnCallContext(run)));
    const result = running instanceof Promise ? await running : running;
    if (run.failed) {
      Object.assign(exchange, { body, model, tier });
      continue;
    }
    try {
      if (exchange.body !== body) checkMessagesRequest(exchange.body);
      if (typeof exchange.model !== "string") {
        throw new TypeError("Cannot resolve a model that is no string");
      }
      if (result !== undefined && !isReply(result)) {
        throw new TypeError("Cannot use what onCall returned: it must be nothing or { message }");
      }
    } catch (error) {
      Object.assign(exchange, { body, model, tier });
      applyPolicy(run, error);
      continue;
    }
    if (result !== undefined) return { message: result.message, outer: plugins.slice(0, position) };
  }
  return undefined;
}
