/**
 * How long Bedrock may take: to a connection, to its first event, in silence, and in all.
 * @module
 */
import { ApiError } from "../anthropic/error.ts";
import type { CancelTimer, Clock } from "../clock.ts";
import type { DeadlineSeconds } from "../config/schema.ts";
import type { ConnectionWatch } from "../net/http_client.ts";
import { BedrockError } from "./errors.ts";

/** Deadlines in milliseconds; see `limits.deadlines` in config.yaml. */
export interface Deadlines {
  /** To a connection, TLS included. */
  readonly connectMs: number;
  /** To a stream's first event. */
  readonly firstByteMs: number;
  /** Silence between two events of a stream. */
  readonly idleMs: number;
  /** To an answer that does not stream. */
  readonly wholeMs: number;
  /** All of it: tries, fallbacks, and the answer to its end. */
  readonly totalMs: number;
}

/** The deadlines of a name: those of its alias over those of all. */
export function deadlinesOf(
  all: DeadlineSeconds,
  alias: { readonly [name in keyof DeadlineSeconds]?: number | undefined } = {},
): Deadlines {
  const ms = (name: keyof DeadlineSeconds) => Math.ceil((alias[name] ?? all[name]) * 1_000);
  return {
    connectMs: ms("connect_s"),
    firstByteMs: ms("first_byte_s"),
    idleMs: ms("idle_s"),
    wholeMs: ms("whole_s"),
    totalMs: ms("total_s"),
  };
}

/** What a watch needs. */
export interface WatchOptions {
  /** Time. */
  readonly clock: Clock;
  /** The deadlines. */
  readonly deadlines: Deadlines;
  /** When all of it must be done, by {@link Clock.monotonic}. */
  readonly endsAt: number;
  /** Whether the answer streams. */
  readonly streamed: boolean;
  /** Ends the try, in whatever phase. */
  readonly signal: AbortSignal;
  /** Told when a stream breaks that had begun. */
  readonly onBroken?: () => void;
}

function timeout(exception: string, message: string, mendable: boolean): BedrockError {
  return new BedrockError("timeout_error", message, { exception, retryable: mendable });
}

function seconds(ms: number): string {
  return `${ms / 1_000} s`;
}

/**
 * Watches over one try, from its sending to the end of its answer, with one timer: that looks back when it runs,
 * and waits for the rest. {@link end} must be called, however the try ends.
 */
export class Watch implements ConnectionWatch {
  readonly #options: WatchOptions;
  readonly #startedAt: number;
  readonly #abort = new AbortController();
  readonly #gone: () => void;
  #cancelTimer: CancelTimer | undefined;
  /** When the timer runs. */
  #armedFor = Infinity;
  /** Since when a connection is being made. */
  #connectingSince: number | undefined;
  #streaming = false;
  /** Since when somebody waits for an event; a client that reads slowly is no silence of Bedrock's. */
  #waitingSince: number | undefined;
  #failure: ApiError | undefined;

  /** Starts to watch. */
  constructor(options: WatchOptions) {
    this.#options = options;
    this.#startedAt = options.clock.monotonic();
    const { signal } = options;
    this.#gone = () => {
      this.end();
      if (signal.reason instanceof ApiError) this.#failure = signal.reason;
      this.#abort.abort(signal.reason);
    };
    signal.addEventListener("abort", this.#gone, { once: true });
    if (signal.aborted) this.#gone();
    else this.#arm(this.#startedAt);
  }

  /** Aborts when a deadline has passed, or the signal given does. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Which deadline has passed, or who else ended it, as the client is told of it. */
  get failure(): ApiError | undefined {
    return this.#failure;
  }

  /** A connection is being made. */
  connecting(): void {
    const now = this.#options.clock.monotonic();
    this.#connectingSince = now;
    this.#armEarlier(now);
  }

  /** The connection is made. */
  connected(): void {
    this.#connectingSince = undefined;
  }

  /** Somebody waits for the next event. */
  waiting(): void {
    if (!this.#streaming) return;
    this.#waitingSince = this.#options.clock.monotonic();
  }

  /** An event has come. */
  arrived(): void {
    this.#waitingSince = undefined;
    if (this.#streaming) return;
    this.#streaming = true;
    this.#armEarlier(this.#options.clock.monotonic());
  }

  /** The stream broke. */
  broke(): void {
    if (this.#streaming && !this.#options.signal.aborted) this.#options.onBroken?.();
  }

  /** Ends the watch: no timer is left. */
  end(): void {
    this.#cancelTimer?.();
    this.#options.signal.removeEventListener("abort", this.#gone);
  }

  /** When the phase that the try is in must be over. */
  #due(now: number): number {
    const { deadlines, streamed, endsAt } = this.#options;
    const first = this.#startedAt + (streamed ? deadlines.firstByteMs : deadlines.wholeMs);
    const phase = this.#streaming ? (this.#waitingSince ?? now) + deadlines.idleMs : first;
    const connect = this.#connectingSince === undefined
      ? Infinity
      : this.#connectingSince + deadlines.connectMs;
    return Math.min(phase, connect, endsAt);
  }

  #arm(now: number): void {
    this.#armedFor = this.#due(now);
    this.#cancelTimer = this.#options.clock.after(
      Math.max(0, this.#armedFor - now),
      () => this.#look(),
    );
  }

  #armEarlier(now: number): void {
    if (this.#due(now) >= this.#armedFor) return;
    this.#cancelTimer?.();
    this.#arm(now);
  }

  #look(): void {
    const now = this.#options.clock.monotonic();
    if (now < this.#due(now)) return this.#arm(now);
    const failure = this.#passed(now);
    this.#failure = failure;
    this.#abort.abort(failure);
  }

  #passed(now: number): BedrockError {
    const { deadlines, streamed, endsAt } = this.#options;
    const { connectMs, firstByteMs, idleMs, wholeMs, totalMs } = deadlines;
    if (now >= endsAt) {
      const message = `Amazon Bedrock did not end its answer within ${seconds(totalMs)}`;
      return timeout("TotalTimeout", message, false);
    }
    if (this.#connectingSince !== undefined && now >= this.#connectingSince + connectMs) {
      const message = `Amazon Bedrock could not be reached within ${seconds(connectMs)}: try again`;
      return timeout("ConnectTimeout", message, true);
    }
    if (this.#streaming) {
      const message = `Amazon Bedrock fell silent for ${seconds(idleMs)}: try again`;
      return timeout("IdleTimeout", message, true);
    }
    const ms = streamed ? firstByteMs : wholeMs;
    const message = `Amazon Bedrock did not answer within ${seconds(ms)}: try again`;
    return timeout("AnswerTimeout", message, true);
  }
}
