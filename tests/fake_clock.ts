import type { CancelTimer, Clock } from "../src/clock.ts";

interface Timer {
  at: number;
  run: () => void;
}

/** A {@link Clock} that moves only when told to; timers run in order of their time. */
export class FakeClock implements Clock {
  #now: number;
  readonly #started: number;
  readonly #timers = new Set<Timer>();

  /** Starts at `start` (Unix milliseconds). */
  constructor(start: number = Date.UTC(2026, 10, 23, 12, 0, 0)) {
    this.#now = start;
    this.#started = start;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now - this.#started;
  }

  after(ms: number, run: () => void): CancelTimer {
    const timer: Timer = { at: this.#now + ms, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Timers that wait: a test that leaves some behind has a leak. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves time forward by `ms`, running every timer that falls due on the way. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at);
      const next = due[0];
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#now = next.at;
      next.run();
    }
    this.#now = end;
  }
}
