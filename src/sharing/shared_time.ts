/**
 * Time as replicas agree on it: that of the fastest clock, as far as is known. What another wrote ahead of our clock
 * moves ours, so that no replica finds later than the others what has refilled.
 * @module
 */
import type { CancelTimer, Clock } from "../clock.ts";
import { MOST_SKEW_MS } from "./levels.ts";

/** A clock that can be moved forward by what others wrote. */
export class SharedTime implements Clock {
  readonly #clock: Clock;
  #ahead = 0;

  /** As this clock says, at first. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** See {@link Clock.now}. */
  now(): number {
    return this.#clock.now() + this.#ahead;
  }

  /** See {@link Clock.monotonic}. */
  monotonic(): number {
    return this.#clock.monotonic();
  }

  /** See {@link Clock.after}. */
  after(ms: number, run: () => void): CancelTimer {
    return this.#clock.after(ms, run);
  }

  /** Takes note of what time it is by another clock. One that is far ahead is wrong, and is not believed. */
  hear(at: number): void {
    const ahead = at - this.#clock.now();
    if (ahead <= MOST_SKEW_MS) this.#ahead = Math.max(this.#ahead, ahead);
  }
}
