/**
 * The plugin contract. A plugin is a file whose default export is a {@link PluginFactory}; it imports types
 * from here and nothing else, so that it loads the same from source and in the compiled binary.
 *
 * | hook | kind | order | sees | may |
 * |---|---|---|---|---|
 * | `setup` / `close` | async | list / reverse | settings, host | throw = refuse to start |
 * | `onRequest` | async, sequential | list order | headers, route; no body | set `principal`, `state`; reject |
 * | `onCall` | async, first reply wins | list order | + checked `body` | change `body`, `model`, `tier`, headers; reject; reply |
 * | `onEvent` | sync, sequential | reverse order | each event, streamed or not | replace, split or drop it; reject |
 * | `onComplete` | async, parallel, once | | outcome, usage, timings | observe |
 *
 * A hook that throws, overruns its deadline or returns nonsense fails the request (500 `api_error`, or an
 * `error` event once the answer has begun) unless the operator opened it with `on_error: continue`.
 * Plugins are trusted code inside the process: nothing here is a sandbox.
 *
 * @example
 * ```ts
 * import type { PluginFactory } from "./plugin.ts";
 *
 * const businessHours: PluginFactory = ({ define, z }) =>
 *   define({
 *     name: "business_hours",
 *     schema: z.strictObject({ from: z.int().min(0).max(23), to: z.int().min(1).max(24) }),
 *     setup: ({ from, to }, host) => ({
 *       onRequest(ctx) {
 *         const hour = new Date(host.clock.now()).getUTCHours();
 *         if (hour >= from && hour < to) return;
 *         return ctx.reject("permission_error", `Cannot serve as the hour must be in [${from}, ${to}): it is ${hour}`);
 *       },
 *     }),
 *   });
 * export default businessHours;
 * ```
 *
 * @module
 */
import type { z } from "zod";
import type { ApiErrorOptions, ApiErrorType } from "../anthropic/error.ts";
import type { AnthropicEvent, Message, MessagesRequest, Usage } from "../anthropic/types.ts";
import type { Clock } from "../clock.ts";
import type { ServiceTier } from "../config/schema.ts";
import type { Log } from "../log.ts";
import type { Billed, CallEstimate } from "../pricing/billing.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { KeyRecord, KeyVerdict } from "../storage/keys.ts";
import type { Claim, SharedBucket, SharedLimits } from "../sharing/limits.ts";
import type { Pool } from "../sharing/pool.ts";
import type { Reservation, Reserved } from "../sharing/reservation.ts";
import type { Shared } from "../sharing/shared.ts";
import type { SharedSlots, Slot } from "../sharing/slots.ts";
import type { Period, Span } from "../sharing/span.ts";
import type { Store, StoreWrite } from "../storage/store.ts";

export type { AnthropicEvent, ApiErrorOptions, ApiErrorType, Clock, KeyRecord, KeyVerdict };
export type { Billed, CallEstimate, Period, Pool, Reservation, Reserved, Shared, Span };
export type { Claim, SharedBucket, SharedLimits, SharedSlots, Slot };
export type { Ledger, Log, Message, MessagesRequest, ServiceTier, Store, StoreWrite, Usage };

/** The endpoint a request came to; all of them need a principal, and `metrics` the master key. */
export type Endpoint = "messages" | "count_tokens" | "models" | "metrics";

/** Who sends the request: set by the plugin that authenticates, read by all after it. */
export interface Principal {
  /** Stable public id, e.g. `key_7f3k2m9x1c`: for counters and records. */
  readonly id: string;
  /** Human name: for logs and tables. */
  readonly name: string;
  /** The key's attributes (limits, tier, models …) where a stored key was presented. */
  readonly key?: KeyRecord;
}

/**
 * What plugins leave for one another during a request. A plugin widens it by declaration merging, with
 * optional members: `declare module "…/plugin.ts" { interface State { my_plugin?: … } }`.
 */
// deno-lint-ignore no-empty-interface
export interface State {}

/** What every hook may read of the request. */
export interface ExchangeView {
  /** The id in the `request-id` header, in error bodies and in each log line of this request. */
  readonly id: string;
  /** The endpoint. */
  readonly endpoint: Endpoint;
  /** The request's headers. Credentials are in them: never log them. */
  readonly headers: Headers;
  /** Unix milliseconds at which the request arrived. */
  readonly startedAt: number;
  /** Shared between the plugins of one request. */
  readonly state: State;
}

/** Refuses the request. Throws, and is remembered even if a `try` swallows it: `return ctx.reject(…)`. */
export interface Reject {
  /** `message` goes to the client word for word, with the status of `type` unless `options.status` says other. */
  reject(type: ApiErrorType, message: string, options?: ApiErrorOptions): never;
}

/** What `onRequest` sees: the body is not yet read. */
export interface RequestContext extends ExchangeView, Reject {
  /** Who sends it; undefined until a plugin says so. */
  principal: Principal | undefined;
  /** Headers of the answer, whatever it will be. */
  readonly responseHeaders: Headers;
  /** Aborts when the client has gone or this hook's deadline has passed. */
  readonly signal: AbortSignal;
}

/** What `onCall` sees: the body, checked. */
export interface CallContext extends ExchangeView, Reject {
  /** Who sends it. */
  readonly principal: Principal | undefined;
  /** The body; frozen. To change it, assign a changed copy: `ctx.body = { ...ctx.body, max_tokens: 100 }`. */
  body: MessagesRequest;
  /** The model to resolve; at first the one the client asked for. */
  model: string;
  /** Bedrock service tier that overrides the alias's and the rules'. */
  tier: ServiceTier | undefined;
  /** Headers of the answer. */
  readonly responseHeaders: Headers;
  /** Aborts when the client has gone or this hook's deadline has passed. */
  readonly signal: AbortSignal;
  /**
   * What the request may come to, as it stands now; worked out when first asked for.
   *
   * @param tier The service tier, where no plugin has chosen one yet. Default: the model's own
   */
  estimate(tier?: ServiceTier): CallEstimate;
}

/** What `onCall` may return to answer the request itself; plugins listed before it still see the answer. */
export interface Reply {
  /** The answer; streamed to a client that asked for a stream. */
  readonly message: Message;
}

/** What `onEvent` sees. */
export interface EventContext extends ExchangeView, Reject {
  /** Who asked. */
  readonly principal: Principal | undefined;
  /** The body as it was sent on; frozen. */
  readonly body: MessagesRequest;
  /** Whether the client asked for a stream. */
  readonly streaming: boolean;
}

/** How a request ended. */
export type Outcome = "ok" | "rejected" | "failed" | "aborted";

/** Which model served the request, and how. */
export interface Served {
  /** Bedrock model id, profile id or ARN. */
  readonly modelId: string;
  /** `invoke`, `messages`, `mantle` or `converse`. */
  readonly route: string;
  /** AWS region. */
  readonly region: string;
  /** Service tier that Bedrock says it served with, else the one asked for. */
  readonly tier?: string;
  /** `x-amzn-requestid` of the answer. */
  readonly bedrockRequestId?: string;
  /** Foundation model id: what prices go by. */
  readonly baseModel: string;
}

/** What `onComplete` sees. */
export interface CompleteContext extends ExchangeView {
  /** Who asked. */
  readonly principal: Principal | undefined;
  /** The body as it was sent on; undefined when the request ended before it was read. */
  readonly body: MessagesRequest | undefined;
  /** Model name the client asked for. */
  readonly model: string | undefined;
  /** How it ended. */
  readonly outcome: Outcome;
  /** HTTP status of the answer; 499 when the client left before one. */
  readonly status: number;
  /** The error the client was told. */
  readonly error: { readonly type: string; readonly message: string } | undefined;
  /** What Bedrock reported, untouched by plugins; null when it reported nothing or was not asked. */
  readonly usage: Usage | null;
  /**
   * What the request costs: by the usage, or by the least that can have been used where the final figure
   * never came; null when Bedrock did nothing for it (refused, answered by a plugin, failed at once).
   */
  readonly billed: Billed | null;
  /** Why the answer ended. */
  readonly stopReason: string | null;
  /** What served it; undefined when nothing did. */
  readonly served: Served | undefined;
  /** Durations in milliseconds since the request arrived. */
  readonly timings: {
    /** First byte of the answer to the client. */
    readonly firstByteMs: number | null;
    /** The end. */
    readonly totalMs: number;
  };
  /** The answer as this plugin passed it on, where it asked with `collectMessage`. */
  readonly message: Message | undefined;
  /** Aborts when this hook's deadline has passed. */
  readonly signal: AbortSignal;
}

/** What `onEvent` may return: nothing = unchanged, an event instead, or several (none = dropped). */
export type EventResult = void | AnthropicEvent | readonly AnthropicEvent[];

/** The hooks of one plugin; each is optional. */
export interface Hooks {
  /** async, sequential, list order. Before a byte of the body is read. Returning is no refusal: `ctx.reject` is. */
  onRequest?(ctx: RequestContext): void | Promise<void>;
  /** async, list order, first reply wins. */
  onCall?(ctx: CallContext): void | Reply | Promise<void | Reply>;
  /** sync, sequential, reverse list order. Must not return a promise. The event is frozen: return another to change it. */
  onEvent?(event: AnthropicEvent, ctx: EventContext): EventResult;
  /** async, parallel, exactly once per request, whatever happened. */
  onComplete?(ctx: CompleteContext): void | Promise<void>;
  /** async, reverse list order, when the server stops. */
  close?(): void | Promise<void>;
}

/** Looks up API keys; the same for every plugin. */
export interface KeyDirectory {
  /** Tells whose key this is, or why it is refused. */
  verify(presented: string): KeyVerdict | Promise<KeyVerdict>;
  /** Notes that a key was used now; costs the store at most one write a minute and key. */
  used(id: string): void;
}

/** What a plugin gets from the program. */
export interface Host {
  /** The plugin's name. */
  readonly name: string;
  /** The store, as seen through a prefix of the plugin's own. */
  readonly store: Store;
  /** Takes what must not be lost, for the same part of the store. */
  readonly ledger: Ledger;
  /** What is shared with the same plugin in every other worker and machine. */
  readonly shared: Shared;
  /** API keys. */
  readonly keys: KeyDirectory;
  /** A log that names the plugin in each line and redacts secrets. */
  readonly log: Log;
  /** Time. */
  readonly clock: Clock;
  /** Whether a name matches one of some globs, in which `*` stands for any text. */
  matchesGlob(globs: readonly string[], name: string): boolean;
  /**
   * What the plugin keeps in memory for as long as the process lives: a reload of config.yaml sets plugins up
   * anew, and hands the new one what the old one left here.
   */
  readonly memory: Map<string, unknown>;
}

/** What a plugin says of itself. */
export interface PluginDefinition<Schema extends z.ZodType = z.ZodType> {
  /** Lower-case letters, digits and `_`; the name other plugins require and the log shows. */
  readonly name: string;
  /** Settings under `with:`; use `z.strictObject` so that a misspelled key is an error at start. */
  readonly schema: Schema;
  /**
   * `closed`: a failing hook fails the request. `open`: the failure is logged and the request goes on.
   * `on_error` in config.yaml wins. `sealed`: closed, and cannot be opened: for what says who comes in.
   * @default "closed"
   */
  readonly failure?: "closed" | "open" | "sealed";
  /**
   * Deadline of each async hook, in milliseconds. `timeout_ms` in config.yaml wins.
   * @default 2000
   */
  readonly timeoutMs?: number;
  /** Names of plugins that must stand before this one in the list. */
  readonly requires?: readonly string[];
  /** Whether `onComplete` wants the whole answer as `ctx.message`; costs a fold of every event. */
  readonly collectMessage?: boolean;
  /**
   * Whether the last bytes of the answer wait for this plugin's `onComplete`, so that what it records is
   * safe before the client sees the end.
   * @default false
   */
  readonly holdsReply?: boolean;
  /** Makes the hooks; called once at start. */
  setup(settings: z.output<Schema>, host: Host): Hooks | Promise<Hooks>;
}

/** A definition whose settings type is checked and forgotten. Made by `define`. */
export type Plugin = PluginDefinition<z.ZodType>;

/** What a factory is handed, so that a plugin file needs no imports at run time. */
export interface PluginTools {
  /** Checks the definition's types: settings are those of its schema. */
  define<Schema extends z.ZodType>(definition: PluginDefinition<Schema>): Plugin;
  /** zod 4, for the settings' schema. */
  readonly z: typeof z;
}

/** The default export of a plugin file. */
export type PluginFactory = (tools: PluginTools) => Plugin;
