/**
 * Steps 6 to 9 in one call: resolve, translate, send, decode.
 * @module
 */
import { ApiError } from "../anthropic/error.ts";
import type { Clock } from "../clock.ts";
import type { ServiceTier } from "../config/schema.ts";
import { errorFields, type Log } from "../log.ts";
import type { Answer, AnswerFacts } from "./answer.ts";
import { BedrockError, brokenAnswer } from "./errors.ts";
import { LessonPlan, withoutLessons } from "./learn.ts";
import type { Lesson, Lessons } from "./lessons.ts";
import type { Target } from "./models.ts";
import type { BetaRule } from "./native/betas.ts";
import type { Profiles } from "./profiles.ts";
import { readAll } from "../net/http_client.ts";
import { prepare, type Prepared, type Question } from "./prepare.ts";
import { withRetries } from "./retry.ts";
import type { Sender } from "./send.ts";
import { BatchStream } from "./stream.ts";
import { inlineUrlSources, type UrlFetcher } from "./url_sources.ts";

/** What a call needs beside the question. */
export interface CallOptions {
  /** The model's name, to be resolved. */
  model: string;
  /** Service tier that overrides the alias's and the rules'. */
  tier: ServiceTier | undefined;
  /** Ends the call, in whatever phase. */
  signal: AbortSignal;
  /** The exchange's log. */
  log: Log;
}

/** What the client to Bedrock is made of. */
export interface BedrockOptions {
  /** Resolves names. */
  profiles: Profiles;
  /** Signs and sends. */
  sender: Sender;
  /** The operator's rules on betas. */
  betaRules: readonly BetaRule[];
  /** What models were found to refuse. */
  lessons: Lessons;
  /** Time. */
  clock: Clock;
  /** Fetches what a client names by URL. */
  fetchUrl: UrlFetcher;
  /** Further tries after the first; see `limits.retries` in config.yaml. */
  retries: number;
  /** A number in [0, 1), for the jitter. @default Math.random */
  random?: () => number;
}

/** Milliseconds that waiting between tries may take in all: the patience of a client at its first byte. */
const RETRY_BUDGET_MS = 8_000;

/** Fields or betas that one request may lose to refusals before its client is told. */
const MOST_LESSONS = 3;

/** Asks models on Bedrock. */
export class Bedrock {
  readonly #options: BedrockOptions;

  /** Opens no connection yet. */
  constructor(options: BedrockOptions) {
    this.#options = options;
  }

  /**
   * Asks the model, then its fallbacks while the failures are of the kind that another try may mend. A
   * streamed answer is given back when its first frame has arrived: until then a failure is an HTTP status.
   *
   * @throws {ApiError} What the client is to be told
   * @throws The signal's reason, if it aborts
   */
  async ask(asked: Question, options: CallOptions): Promise<Answer> {
    const { profiles } = this.#options;
    const { target, fallbacks } = await profiles.resolve(options.model, options.signal);
    const body = await inlineUrlSources(asked.body, this.#options.fetchUrl, options.signal);
    const question = body === asked.body ? asked : { ...asked, body };
    let failure: unknown;
    for (const candidate of [target, ...fallbacks]) {
      const chosen = options.tier === undefined || candidate !== target
        ? candidate
        : { ...candidate, tier: options.tier };
      try {
        return await this.#askTarget(chosen, question, options);
      } catch (error) {
        if (!(error instanceof BedrockError) || !error.retryable) throw error;
        failure = error;
        options.log.warning("Model {model} failed: {exception}", {
          model: chosen.modelId,
          exception: error.exception,
          bedrock_request: error.bedrockRequestId,
        });
      }
    }
    throw failure;
  }

  /** Asks one model. What its refusals name, and it can do without, is left out: up to three times. */
  async #askTarget(target: Target, question: Question, options: CallOptions): Promise<Answer> {
    const known = this.#options.lessons.of(target.modelId, target.route);
    const lesson = new LessonPlan(known);
    for (let turn = 0;; turn++) {
      const taught = withoutLessons(question, lesson.all);
      const untiered = target.tier !== undefined && taught.request.refused.includes("service_tier");
      const asked = untiered ? { ...target, tier: undefined } : target;
      const prepared = prepare(asked, taught.request, this.#options.betaRules);
      const left = untiered ? ["service_tier"] : [];
      const dropped = [...taught.dropped, ...prepared.dropped, ...left];
      try {
        const answer = await this.#askPrepared(asked, { ...prepared, dropped }, options);
        if (lesson.learned.length > 0) this.#remember(target, lesson.learned, options.log);
        return answer;
      } catch (error) {
        const sent = { body: taught.request.body, betas: prepared.betas, tier: asked.tier };
        const more = error instanceof BedrockError && turn < MOST_LESSONS &&
          lesson.take(error, sent);
        if (!more) throw error;
      }
    }
  }

  #remember(target: Target, learned: readonly Lesson[], log: Log): void {
    log.info("Learned what {model} refuses", {
      model: target.modelId,
      route: target.route,
      learned,
    });
    this.#options.lessons.learn(target.modelId, target.route, learned).catch((error: unknown) =>
      log.warning("A lesson is kept in this process only: the store did not take it", {
        cause: errorFields(error),
      })
    );
  }

  #askPrepared(target: Target, prepared: Prepared, options: CallOptions): Promise<Answer> {
    const { signal, log } = options;
    if (prepared.dropped.length > 0) {
      log.debug("Dropped what the model cannot take", {
        model: target.modelId,
        dropped: prepared.dropped,
      });
    }
    return withRetries(() => this.#try(target, prepared, signal), {
      retries: this.#options.retries,
      budgetMs: RETRY_BUDGET_MS,
      clock: this.#options.clock,
      signal,
      ...(this.#options.random === undefined ? {} : { random: this.#options.random }),
      onRetry: ({ exception, bedrockRequestId }, waitMs) =>
        log.info("Trying again in {wait} ms after {exception}", {
          wait: Math.round(waitMs),
          exception,
          model: target.modelId,
          bedrock_request: bedrockRequestId,
        }),
    });
  }

  async #try(target: Target, prepared: Prepared, signal: AbortSignal): Promise<Answer> {
    const answer = await this.#options.sender.send(prepared.request, signal);
    const facts: { -readonly [name in keyof AnswerFacts]: AnswerFacts[name] } = {
      target,
      bedrockRequestId: answer.header("x-amzn-requestid") ?? undefined,
      tier: answer.header("x-amzn-bedrock-service-tier") ?? target.tier,
      dropped: prepared.dropped,
    };
    const onTier = (tier: string) => void (facts.tier = tier);
    try {
      if (!prepared.streamed) {
        const bytes = await readAll(answer.body);
        const { message, bytes: passed } = prepared.read(bytes, onTier);
        return { kind: "message", message, bytes: passed, facts };
      }
      const batches = new BatchStream(answer.body, prepared.decoder(onTier));
      await batches.open();
      return { kind: "stream", batches, facts };
    } catch (error) {
      signal.throwIfAborted();
      throw asBedrockError(error);
    }
  }
}

/** Nothing has reached the client yet, so whatever broke may be tried again. */
function asBedrockError(error: unknown): BedrockError {
  if (error instanceof BedrockError) return error;
  if (error instanceof ApiError) return brokenAnswer(error.message, error);
  return brokenAnswer("Amazon Bedrock's answer was cut: try again", error);
}
