/**
 * One request and its answer, from arrival to `onComplete`: the only state that the steps share.
 * @module
 */
import type { ApiError } from "../anthropic/error.ts";
import { estimateTokens } from "../anthropic/estimate.ts";
import type { WireEvent } from "../anthropic/event.ts";
import type { Message, MessagesRequest, Usage } from "../anthropic/types.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Billed, Billing, CallEstimate } from "../pricing/billing.ts";
import { AnswerHeaders } from "./answer_headers.ts";
import type { Endpoint, ExchangeView, Principal, Served, ServiceTier, State } from "./plugin.ts";

/** What an exchange is opened with. */
export interface ExchangeOptions {
  /** The endpoint. */
  endpoint: Endpoint;
  /** The request's headers. */
  headers: Headers;
  /** Time. */
  clock: Clock;
  /** The server's log; lines of the exchange carry its id. */
  log: Log;
  /** Prices the request. */
  billing: Billing;
}

/** A refusal by a plugin: which, and what the client is told. */
export interface Rejection {
  /** The plugin's name. */
  readonly plugin: string;
  /** What the client is told. */
  readonly error: ApiError;
}

/** Reason of {@link Exchange.signal} when the client has gone. */
export class ClientGone extends Error {
  /** Always `ClientGone`. */
  override readonly name = "ClientGone";
}

/** Bytes of a delta beside what it adds: `{"type":"content_block_delta","index":0,"delta":{"type":…}}`. */
const DELTA_FRAME = 85;

/** A new id in the manner of Anthropic's, e.g. `req_3f0a…` (32 hexadecimal digits). */
export function newRequestId(): string {
  return `req_${crypto.randomUUID().replaceAll("-", "")}`;
}

/** The value, in which nothing can be changed any more: what plugins are shown. */
export function freezeDeep<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const member of Object.values(value)) freezeDeep(member);
  return value;
}

/** Counts that are told: null says that an ending does not tell one, not that what was told is void ([T]). */
function told(usage: Partial<Usage>): Partial<Usage> {
  return Object.fromEntries(Object.entries(usage ?? {}).filter(([, count]) => count !== null));
}

/** One request and its answer. */
export class Exchange implements ExchangeView {
  /** The id in the `request-id` header, in error bodies and in the log. */
  readonly id: string = newRequestId();
  /** The endpoint. */
  readonly endpoint: Endpoint;
  /** The request's headers. */
  readonly headers: Headers;
  /** Unix milliseconds of arrival. */
  readonly startedAt: number;
  /** What plugins leave for one another. */
  readonly state: State = {};
  /** Headers of the answer. */
  readonly answerHeaders: AnswerHeaders = new AnswerHeaders();
  /** Time. */
  readonly clock: Clock;
  /** Who sends it. */
  principal: Principal | undefined;
  /** The body as received. */
  rawBody: Uint8Array | undefined;
  /** What {@link rawBody} parses to. */
  original: MessagesRequest | undefined;
  /** The model to resolve, once the body is read. */
  model: string | undefined;
  /** A service tier chosen by a plugin. */
  tier: ServiceTier | undefined;
  /** The first refusal by a plugin. */
  rejection: Rejection | undefined;
  /** What Bedrock reported so far. */
  usage: Usage | null = null;
  /** Why the answer ended. */
  stopReason: string | null = null;
  /** What served the request; told anew when it is asked for, as the tier may come with the last event. */
  servedBy: (() => Served) | undefined;
  /** Told how many bytes the body holds; throws if they are more than may be held. */
  onBody: ((bytes: number) => void) | undefined;
  /** Milliseconds from arrival to the first byte of the answer. */
  firstByteMs: number | null = null;
  readonly #billing: Billing;
  /** Whether the final usage has come. */
  #counted = false;
  /** Bytes of the answer's parts so far, without what holds them. */
  #streamed = 0;
  #estimate:
    | { of: MessagesRequest; model: string; tier: ServiceTier | undefined; is: CallEstimate }
    | undefined;
  readonly #log: Log;
  #bound: Log | undefined;
  readonly #openedAt: number;
  readonly #abort = new AbortController();
  #body: MessagesRequest | undefined;

  /** Opens an exchange: gives it its id and starts its clock. */
  constructor(options: ExchangeOptions) {
    this.endpoint = options.endpoint;
    this.headers = options.headers;
    this.clock = options.clock;
    this.startedAt = options.clock.now();
    this.#openedAt = options.clock.monotonic();
    this.#log = options.log;
    this.#billing = options.billing;
  }

  /** What served the request. */
  get served(): Served | undefined {
    return this.servedBy?.();
  }

  /** The log, with this exchange's id on each line. */
  get log(): Log {
    return this.#bound ??= this.#log.with({ request: this.id });
  }

  /** Aborts when the client has gone; its reason is then a {@link ClientGone}. Or by {@link end}. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Tells everything that works for this exchange that the client has gone. */
  clientGone(): void {
    this.end(new ClientGone("the client closed the connection"));
  }

  /** Ends everything that works for this exchange; the client is told `reason`, if it is still there. */
  end(reason: ApiError | ClientGone): void {
    if (!this.#abort.signal.aborted) this.#abort.abort(reason);
  }

  /** The body as it is to be sent on; undefined until it is read. */
  get body(): MessagesRequest | undefined {
    return this.#body;
  }

  set body(body: MessagesRequest) {
    this.#body = body;
  }

  /** The body for a plugin's eyes: frozen through and through, at the first look. */
  get frozenBody(): MessagesRequest | undefined {
    return freezeDeep(this.#body);
  }

  /** Milliseconds since arrival. */
  elapsed(): number {
    return this.clock.monotonic() - this.#openedAt;
  }

  /** Notes the moment of the answer's first byte, once. */
  firstByte(): void {
    this.firstByteMs ??= this.elapsed();
  }

  /**
   * Takes usage and stop reason from an event as Bedrock sent it, before any plugin can touch it. Counts in
   * `message_delta` are cumulative and replace those of `message_start` (Anthropic, Streaming messages).
   */
  observe(event: WireEvent): void {
    if (event.type === "message_start" && event.value.type === "message_start") {
      this.usage = event.value.message.usage ?? null;
    } else if (event.type === "message_delta" && event.value.type === "message_delta") {
      const { delta, usage } = event.value;
      this.usage = { input_tokens: 0, output_tokens: 0, ...this.usage, ...told(usage) };
      this.stopReason = delta?.stop_reason ?? this.stopReason;
      this.#counted = true;
    } else if (event.type === "content_block_delta") {
      this.#streamed += Math.max(0, event.size - DELTA_FRAME);
    }
  }

  /** Takes usage and stop reason from a whole answer as Bedrock sent it. */
  observeMessage(message: Message): void {
    this.usage = message.usage;
    this.stopReason = message.stop_reason;
    this.#counted = true;
  }

  /** What the request may come to, as it stands; on `tier`, where no other is chosen. */
  estimate(tier?: ServiceTier): CallEstimate {
    const size = { model: this.model ?? "", tier: this.tier ?? tier };
    const body = this.#body as MessagesRequest;
    const known = this.#estimate?.of === body ? this.#estimate : undefined;
    if (known?.model === size.model && known.tier === size.tier) return known.is;
    const input_tokens = known?.is.input_tokens ?? estimateTokens(body);
    const output_tokens = Math.max(body.max_tokens ?? 0, 0);
    const is = this.#billing.estimate({ ...size, input_tokens, output_tokens });
    this.#estimate = { ...size, of: body, is };
    return is;
  }

  /** What the request is billed; null when Bedrock did nothing for it. */
  bill(): Billed | null {
    const { served } = this;
    if (served === undefined) return null;
    const model = { baseId: served.baseModel, tier: served.tier };
    const usage = this.#counted && this.usage !== null ? this.usage : this.#floor();
    return this.#billing.bill(usage, model, !this.#counted);
  }

  /** The least that was used: what was told, else the input as estimated and four bytes a token of output. */
  #floor(): Usage {
    const told = this.usage;
    const input = told !== null && told.input_tokens > 0 ? told.input_tokens : undefined;
    const cached = (told?.cache_read_input_tokens ?? 0) + (told?.cache_creation_input_tokens ?? 0);
    return {
      ...told,
      input_tokens: input ?? (cached > 0 ? 0 : this.estimate().input_tokens),
      output_tokens: Math.max(told?.output_tokens ?? 0, Math.floor(this.#streamed / 4)),
    };
  }
}
