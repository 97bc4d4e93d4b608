/**
 * How many input tokens a request has, by who knows best: Bedrock's CountTokens where the model has it, mantle's
 * endpoint next, else an estimate. Never fatal: a client that cannot count burns tokens to find out.
 *
 * Source: Bedrock API reference, CountTokens ([T]); which models have it ([L 2026-09-05]).
 * @module
 */
import { estimateTokens } from "../anthropic/estimate.ts";
import type { MessagesRequest } from "../anthropic/types.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Target } from "./models.ts";
import { claudeFeatures } from "./native/features.ts";
import { buildNativeRequest } from "./native/request.ts";
import type { Profiles } from "./profiles.ts";
import { type BedrockRequest, readJson, type Sender } from "./send.ts";
import { encodeModelPath } from "./sign.ts";

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
  /** Time. */
  clock: Clock;
}

/** Longest wait for Bedrock's count: the estimate is at hand. */
const PATIENCE_MS = 3_000;
/** A model that could not be counted is estimated for so long, before Bedrock is asked again. */
const SKIP_MS = 10 * 60_000;
/** Models remembered as not counted. */
const MOST_SKIPPED = 1_000;

const encoder = new TextEncoder();

/** Counts tokens. */
export class TokenCounter {
  readonly #options: TokenCounterOptions;
  readonly #skipUntil = new Map<string, number>();

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
    for (const source of sourcesOf(target)) {
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
    if ((this.#skipUntil.get(key) ?? 0) > clock.monotonic()) return undefined;
    const patience = new AbortController();
    const cancel = clock.after(
      PATIENCE_MS,
      () => patience.abort(new Error("The count took too long")),
    );
    try {
      const request = source === "bedrock"
        ? bedrockRequest(target, question)
        : mantleRequest(target, question);
      const response = await sender.send(
        request,
        AbortSignal.any([patience.signal, question.signal]),
      );
      return tokensIn(await readJson(response));
    } catch (error) {
      question.signal.throwIfAborted();
      const reason = error instanceof Error ? error.message : String(error);
      question.log.debug("Tokens of {model} are not counted by {source}", {
        model: target.modelId,
        source,
        reason,
      });
      if (this.#skipUntil.size >= MOST_SKIPPED) this.#skipUntil.clear();
      this.#skipUntil.set(key, clock.monotonic() + SKIP_MS);
      return undefined;
    } finally {
      cancel();
    }
  }
}

/** Who may know. Mantle is asked only by who uses it: it has rights and a quota of its own. */
function sourcesOf({ family, route, baseId, facts }: Target): ("bedrock" | "mantle")[] {
  if (family !== "claude") return [];
  if (route === "mantle") return ["mantle"];
  return (facts?.countTokens ?? claudeFeatures(baseId).countTokens) && route === "invoke"
    ? ["bedrock"]
    : [];
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

function nativeBody(target: Target, question: CountQuestion, route: "invoke" | "mantle") {
  return buildNativeRequest({
    raw: question.raw,
    original: question.original,
    body: counted(question.body),
    target: { modelId: target.modelId, baseId: target.baseId, route, tier: undefined },
    betas: question.betas,
    refusedBetas: [],
    systemRefused: false,
    betaRules: [],
    stream: false,
  });
}

/** The foundation model counts: profiles have no CountTokens. */
function bedrockRequest(target: Target, question: CountQuestion): BedrockRequest {
  const built = nativeBody(target, question, "invoke");
  return {
    host: "runtime",
    service: "bedrock",
    method: "POST",
    path: `/model/${encodeModelPath(target.baseId)}/count-tokens`,
    headers: { "content-type": "application/json", accept: "application/json" },
    body: encoder.encode(
      JSON.stringify({ input: { invokeModel: { body: built.body.toBase64() } } }),
    ),
    region: target.region,
  };
}

function mantleRequest(target: Target, question: CountQuestion): BedrockRequest {
  const built = nativeBody(target, question, "mantle");
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
