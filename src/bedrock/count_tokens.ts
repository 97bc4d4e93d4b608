/**
 * How many input tokens a request has, by who knows best: Bedrock's CountTokens where the model has it, mantle's
 * endpoint next, else an estimate. Never fatal: a client that cannot count burns tokens to find out.
 *
 * Source: Bedrock API reference, CountTokens ([T]); which models have it ([L 2026-09-05]).
 * @module
 */
import { ApiError } from "../anthropic/error.ts";
import { estimateTokens } from "../anthropic/estimate.ts";
import type { MessagesRequest } from "../anthropic/types.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Target } from "./models.ts";
import { claudeFeatures } from "./native/features.ts";
import { mantleIdOf } from "./model_table.ts";
import type { BetaRule } from "./betas.ts";
import { buildNativeRequest, type NativeBuilt } from "./native/request.ts";
import type { Profiles } from "./profiles.ts";
import { type BedrockRequest, readJson, type Sender } from "./send.ts";
import { encodeModelPath } from "./sign.ts";
import { namesUrls } from "./url_sources.ts";

/** A count, and who counted. */
export interface TokenCount {
  /** Input tokens. */
  readonly tokens: number;
  /** `bedrock`, `mantle` or `estimate`. */
  readonly source: "bedrock" | "mantle" | "estimate";
}

/** What is to be counted. */
export interface CountQuestion {
  /** The body as received. */
  readonly raw: Uint8Array;
  /** What {@link raw} parses to. */
  readonly original: MessagesRequest;
  /** The body after plugins. */
  readonly body: MessagesRequest;
  /** `anthropic-beta` values. */
  readonly betas: readonly string[];
  /** Model's name. */
  readonly model: string;
  /** Ends the asking. */
  readonly signal: AbortSignal;
  /** The exchange's log. */
  readonly log: Log;
}

/** What counting needs. */
export interface TokenCounterOptions {
  /** Resolves names. */
  profiles: Profiles;
  /** Signs and sends. */
  sender: Sender;
  /** The operator's rules on betas. */
  betaRules: readonly BetaRule[];
  /** Time. */
  clock: Clock;
}

/** Longest wait for Bedrock's count: the estimate is at hand. */
const PATIENCE_MS = 3_000;
/** Who does not count a model is not asked for it again for so long. */
const SKIP_MS = 10 * 60_000;
/** After a failure that may pass, the first time; four times as long at each further one. */
const FIRST_SKIP_MS = 30_000;
/** Models remembered as not counted. */
const MOST_SKIPPED = 1_000;

const encoder = new TextEncoder();

/** Counts tokens. */
export class TokenCounter {
  readonly #options: TokenCounterOptions;
  readonly #skipped = new Map<string, { until: number; ms: number }>();

  /** Asks nobody yet. */
  constructor(options: TokenCounterOptions) {
    this.#options = options;
  }

  /**
   * Counts.
   *
   * @throws {ApiError} `not_found_error` for a model that is not served; nothing else
   */
  async count(question: CountQuestion): Promise<TokenCount> {
    const { target } = await this.#options.profiles.resolve(question.model, question.signal);
    const sources = namesUrls(question.body) ? [] : sourcesOf(target);
    for (const source of sources) {
      const tokens = await this.#ask(source, target, question);
      if (tokens !== undefined) return { tokens, source };
    }
    return { tokens: estimateTokens(question.body), source: "estimate" };
  }

  async #ask(
    source: "bedrock" | "mantle",
    target: Target,
    question: CountQuestion,
  ): Promise<number | undefined> {
    const { clock, sender } = this.#options;
    const key = `${source} ${target.modelId}`;
    if ((this.#skipped.get(key)?.until ?? 0) > clock.monotonic()) return undefined;
    const patience = new AbortController();
    const cancel = clock.after(
      PATIENCE_MS,
      () => patience.abort(new Error("The count took too long")),
    );
    try {
      const request = source === "bedrock"
        ? this.#bedrockRequest(target, question)
        : this.#mantleRequest(target, question);
      const response = await sender.send(
        request,
        AbortSignal.any([patience.signal, question.signal]),
      );
      const tokens = tokensIn(await readJson(response));
      this.#skipped.delete(key);
      return tokens;
    } catch (error) {
      question.signal.throwIfAborted();
      const reason = error instanceof Error ? error.message : String(error);
      question.log.debug("Tokens of {model} are not counted by {source}", {
        model: target.modelId,
        source,
        reason,
      });
      this.#skip(key, error);
      return undefined;
    } finally {
      cancel();
    }
  }

  #skip(key: string, error: unknown): void {
    const ms = skipMs(error, this.#skipped.get(key)?.ms ?? 0);
    if (ms === 0) return;
    if (this.#skipped.size >= MOST_SKIPPED) this.#skipped.clear();
    this.#skipped.set(key, { until: this.#options.clock.monotonic() + ms, ms });
  }

  #body(target: Target, question: CountQuestion, route: "invoke" | "mantle"): NativeBuilt {
    const { modelId, baseId } = target;
    return buildNativeRequest({
      raw: question.raw,
      original: question.original,
      body: counted(question.body),
      target: {
        modelId: route === "mantle" ? mantleIdOf(baseId) : modelId,
        baseId,
        route,
        tier: undefined,
      },
      betas: question.betas,
      systemRefused: false,
      decisions: { rules: this.#options.betaRules },
      stream: false,
    });
  }

  /** The foundation model counts: profiles have no CountTokens. */
  #bedrockRequest(target: Target, question: CountQuestion): BedrockRequest {
    const { body } = this.#body(target, question, "invoke");
    return {
      host: "runtime",
      service: "bedrock",
      method: "POST",
      path: `/model/${encodeModelPath(target.baseId)}/count-tokens`,
      headers: { "content-type": "application/json", accept: "application/json" },
      body: encoder.encode(JSON.stringify({ input: { invokeModel: { body: body.toBase64() } } })),
      region: target.region,
    };
  }

  #mantleRequest(target: Target, question: CountQuestion): BedrockRequest {
    const built = this.#body(target, question, "mantle");
    return {
      host: "mantle",
      service: "bedrock-mantle",
      method: "POST",
      path: `${built.path}/count_tokens`,
      headers: built.headers,
      body: built.body,
      region: target.region,
    };
  }
}

/**
 * Who may know, best first. CountTokens is asked with InvokeModel's body on whichever route: a body of Converse's
 * is counted far too low ([L]).
 */
function sourcesOf({ family, route, baseId, facts }: Target): ("bedrock" | "mantle")[] {
  if (family !== "claude") return [];
  const byBedrock = route !== "mantle" &&
    (facts?.countTokens ?? claudeFeatures(baseId).countTokens);
  return byBedrock ? ["bedrock", "mantle"] : ["mantle"];
}

/** Refusals of the model, not of what is to be counted. */
const NOT_COUNTED = /support|model identifier/i;

/** How long not to ask again: at all for a request that is refused for what is in it, as the next one is another. */
function skipMs(error: unknown, before: number): number {
  if (!(error instanceof ApiError)) return Math.min(Math.max(before * 4, FIRST_SKIP_MS), SKIP_MS);
  switch (error.type) {
    case "invalid_request_error":
      return NOT_COUNTED.test(error.message) ? SKIP_MS : 0;
    case "permission_error":
    case "not_found_error":
      return SKIP_MS;
    default:
      return Math.min(Math.max(before * 4, FIRST_SKIP_MS), SKIP_MS);
  }
}

/** The answer of either endpoint. */
function tokensIn(answer: unknown): number {
  const { inputTokens, input_tokens } = answer as { inputTokens?: unknown; input_tokens?: unknown };
  const tokens = inputTokens ?? input_tokens;
  if (typeof tokens !== "number" || !Number.isInteger(tokens)) {
    throw new TypeError("Cannot use a count that must be a whole number: it is none");
  }
  return tokens;
}

/** CountTokens wants a body that InvokeModel would take: max_tokens must lie above the thinking budget. */
function counted(body: MessagesRequest): MessagesRequest {
  return { ...body, max_tokens: (body.thinking?.budget_tokens ?? 0) + 1, stream: false };
}
