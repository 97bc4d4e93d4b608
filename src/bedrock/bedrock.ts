/**
 * Steps 6 to 9 in one call: resolve, translate, send, decode.
 * @module
 */
import { ApiError } from "../anthropic/error.ts";
import type { Clock } from "../clock.ts";
import type { ServiceTier } from "../config/schema.ts";
import { errorFields, type Log } from "../log.ts";
import type { Answer, AnswerFacts } from "./answer.ts";
import { Circuits } from "./circuit.ts";
import { type Deadlines, Watch } from "./deadlines.ts";
import { BedrockError, brokenAnswer } from "./errors.ts";
import { LessonPlan, withoutLessons } from "./learn.ts";
import type { Lesson, Lessons } from "./lessons.ts";
import type { Target } from "./models.ts";
import type { BetaRule } from "./betas.ts";
import type { Profiles } from "./profiles.ts";
import { readAll } from "../net/http_client.ts";
import { prepare, type Prepared, type Question } from "./prepare.ts";
import { withRetries } from "./retry.ts";
import type { Sender } from "./send.ts";
import { BatchStream } from "./stream.ts";
import { tierToAsk } from "./tier.ts";
import { inlineUrlSources, type UrlFetcher } from "./url_sources.ts";

/** What a call needs beside the question. */
export interface CallOptions {
  /** The model's name, to be resolved. */
  model: string;
  /** Service tier that overrides the alias's and the rules'. */
  tier: ServiceTier | undefined;
  /** Ends the call, in whatever phase. */
  signal: AbortSignal;
  /** Milliseconds that the client still waits: no further try begins later. */
  patienceMs: number;
  /** The exchange's log. */
  log: Log;
  /** Told how many bytes of what the client names by URL are held; throws if they are more than may be. */
  onFetched?: (bytes: number) => void;
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
  /** Milliseconds within which another try may begin; see `limits.retry_for_s`. */
  retryForMs: number;
  /** A number in [0, 1), for the jitter. @default Math.random */
  random?: () => number;
}

/** Fields or betas that one request may lose to refusals before its client is told. */
const MOST_LESSONS = 3;

/** What the tries of one call go by. */
interface Call extends CallOptions {
  readonly deadlines: Deadlines;
  /** When all of it must be done. */
  readonly endsAt: number;
  /** When the last further try may begin. */
  readonly retryUntil: number;
}

/** Asks models on Bedrock. */
export class Bedrock {
  readonly #options: BedrockOptions;
  readonly #circuits: Circuits;

  /** Opens no connection yet. */
  constructor(options: BedrockOptions) {
    this.#options = options;
    this.#circuits = new Circuits(options.clock);
  }

  /**
   * Asks the model, then its fallbacks while the failures are of the kind that another target may mend; a fallback
   * that cannot take the request at all is passed over. One whose circuit is open is asked behind the others. A
   * streamed answer is given back when its first frame has arrived: until then a failure is an HTTP status.
   *
   * @throws {ApiError} What the client is to be told
   * @throws The signal's reason, if it aborts
   */
  async ask(asked: Question, options: CallOptions): Promise<Answer> {
    const { profiles, clock, retryForMs } = this.#options;
    const startedAt = clock.monotonic();
    const { target, fallbacks, deadlines } = await profiles.resolve(options.model, options.signal);
    const { signal, onFetched } = options;
    const body = await inlineUrlSources(asked.body, this.#options.fetchUrl, {
      signal,
      onHeld: onFetched,
    });
    const question = body === asked.body ? asked : { ...asked, body };
    const call: Call = {
      ...options,
      deadlines,
      endsAt: startedAt + deadlines.totalMs,
      retryUntil: startedAt + Math.min(retryForMs, options.patienceMs),
    };
    const failures = new Failures();
    for (const candidate of this.#inOrder(target, fallbacks)) {
      const chosen = options.tier === undefined || candidate !== target
        ? candidate
        : { ...candidate, tier: options.tier };
      try {
        return await this.#askTarget(chosen, question, call);
      } catch (error) {
        signal.throwIfAborted();
        const own = candidate === target;
        if (!mayGoOn(error, own) || clock.monotonic() >= call.endsAt) throw error;
        failures.add(error, own);
        const { exception = error.type, bedrockRequestId } = error as Partial<BedrockError>;
        options.log.warning("Model {model} failed: {exception}", {
          model: chosen.modelId,
          exception,
          bedrock_request: bedrockRequestId,
        });
      }
    }
    throw failures.told;
  }

  /** Who is asked in turn. Looked at one by one, so that an answer of the first leaves the others' circuits alone. */
  *#inOrder(target: Target, fallbacks: readonly Target[]): Generator<Target> {
    if (fallbacks.length === 0) return yield target;
    const last: Target[] = [];
    for (const candidate of [target, ...fallbacks]) {
      if (this.#circuits.mayLead(candidate)) yield candidate;
      else last.push(candidate);
    }
    yield* last;
  }

  /** Asks one model. What its refusals name, and it can do without, is left out: up to three times. */
  async #askTarget(target: Target, question: Question, call: Call): Promise<Answer> {
    const known = this.#options.lessons.of(target.modelId, target.route);
    const lesson = new LessonPlan(known);
    for (let turn = 0;; turn++) {
      const taught = withoutLessons(question, lesson.all);
      const { tier, dropped: untiered } = tierToAsk(target, taught.request);
      const asked = tier === target.tier ? target : { ...target, tier };
      const prepared = prepare(asked, taught.request, this.#options.betaRules);
      const dropped = [...taught.dropped, ...prepared.dropped, ...untiered];
      try {
        const answer = await this.#askPrepared(asked, { ...prepared, dropped }, call);
        if (lesson.learned.length > 0) this.#remember(target, lesson.learned, call.log);
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

  #askPrepared(target: Target, prepared: Prepared, call: Call): Promise<Answer> {
    const { signal, log, retryUntil } = call;
    if (prepared.dropped.length > 0) {
      log.debug("Dropped what the model cannot take", {
        model: target.modelId,
        dropped: prepared.dropped,
      });
    }
    return withRetries(() => this.#try(target, prepared, call), {
      retries: this.#circuits.isOpen(target) ? 0 : this.#options.retries,
      until: retryUntil,
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

  async #try(target: Target, prepared: Prepared, call: Call): Promise<Answer> {
    const { signal, log, deadlines, endsAt } = call;
    const { streamed } = prepared;
    const circuits = this.#circuits;
    const watch = new Watch({
      clock: this.#options.clock,
      deadlines,
      endsAt,
      streamed,
      signal,
      onBroken: () => circuits.failed(target, log),
    });
    try {
      const answer = await this.#receive(target, prepared, watch);
      circuits.succeeded(target, log);
      if (!streamed) watch.end();
      return answer;
    } catch (cause) {
      watch.end();
      signal.throwIfAborted();
      const error = asBedrockError(watch.failure ?? cause);
      if (error.retryable || error === watch.failure) circuits.failed(target, log);
      else if (!error.ours) circuits.succeeded(target, log);
      throw error;
    }
  }

  /** Sends once, and reads: a stream to its first events, anything else to its end. */
  async #receive(target: Target, prepared: Prepared, watch: Watch): Promise<Answer> {
    const answer = await this.#options.sender.send(prepared.request, watch.signal, watch);
    const facts: { -readonly [name in keyof AnswerFacts]: AnswerFacts[name] } = {
      target,
      bedrockRequestId: answer.header("x-amzn-requestid") ?? undefined,
      tier: answer.header("x-amzn-bedrock-service-tier") ?? target.tier,
      dropped: prepared.dropped,
    };
    const onTier = (tier: string) => void (facts.tier = tier);
    if (!prepared.streamed) {
      const bytes = await readAll(answer.body);
      const { message, bytes: passed } = prepared.read(bytes, onTier);
      return { kind: "message", message, bytes: passed, facts };
    }
    const batches = new BatchStream(answer.body, prepared.decoder(onTier), watch);
    await batches.open();
    return { kind: "stream", batches, facts };
  }
}

/** Whether another target may do it: what the one that was asked for refuses is refused, what a fallback refuses is not. */
function mayGoOn(error: unknown, own: boolean): error is ApiError {
  return own ? error instanceof BedrockError && error.elsewhere : error instanceof ApiError;
}

/** Failures of all targets: which of them the client is told. */
class Failures {
  #own: ApiError | undefined;
  #mendable: ApiError | undefined;

  add(error: ApiError, own: boolean): void {
    if (own) this.#own = error;
    if (error instanceof BedrockError && error.retryable) this.#mendable ??= error;
  }

  /** One that passes, so that the client tries again; else that of the model that was asked for. */
  get told(): ApiError | undefined {
    return this.#mendable ?? this.#own;
  }
}

/** Nothing has reached the client yet, so whatever broke may be tried again. */
function asBedrockError(error: unknown): BedrockError {
  if (error instanceof BedrockError) return error;
  if (error instanceof ApiError) return brokenAnswer(error.message, error);
  return brokenAnswer("Amazon Bedrock's answer was cut: try again", error);
}
