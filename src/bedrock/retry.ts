/**
 * Step 8, more than once: another try, or another model, before the first byte only.
 * @module
 */
import type { Clock } from "../clock.ts";
import { BedrockError } from "./errors.ts";

/** How often and how long to try. */
export interface RetryOptions {
  /** Further tries after the first. */
  retries: number;
  /** When the last try may begin, by {@link Clock.monotonic}: beyond it the client is told at once. */
  until: number;
  /** Time. */
  clock: Clock;
  /** Ends the waiting. */
  signal: AbortSignal;
  /** Told before each wait. */
  onRetry?: (error: BedrockError, waitMs: number) => void;
  /** A number in [0, 1). @default Math.random */
  random?: () => number;
}

const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 4_000;

function wait(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const gone = () => {
      cancel();
      reject(signal.reason);
    };
    const cancel = clock.after(ms, () => {
      signal.removeEventListener("abort", gone);
      resolve();
    });
    signal.addEventListener("abort", gone, { once: true });
  });
}

/**
 * Runs `attempt` until it succeeds, fails for good, or the tries or the time are used up. Waits grow twofold
 * with full jitter (AWS Architecture Blog, Exponential backoff and jitter), on top of the wait that the other side
 * asked for.
 *
 * @throws {BedrockError} The last failure
 * @throws The signal's reason, if it aborts
 */
export async function withRetries<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { retries, until, clock, signal, onRetry, random = Math.random } = options;
  for (let tried = 0;; tried++) {
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof BedrockError) || !error.retryable || tried >= retries) throw error;
      const jitterMs = random() * Math.min(FIRST_WAIT_MS * 2 ** tried, LONGEST_WAIT_MS);
      const waitMs = (error.retryAfterMs ?? 0) + jitterMs;
      if (clock.monotonic() + waitMs > until) throw error;
      onRetry?.(error, waitMs);
      await wait(waitMs, clock, signal);
    }
  }
}
