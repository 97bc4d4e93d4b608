/**
 * Time, as something that can be handed in: the program uses {@link systemClock}, tests a fake one,
 * so that no test waits for real seconds.
 * @module
 */

/** Undoes a timer made by {@link Clock.after}. Calling it twice, or after the timer ran, does nothing. */
export type CancelTimer = () => void;

/** What the program may ask of time. */
export interface Clock {
  /** Milliseconds since the Unix epoch. May jump when the machine's clock is set. */
  now(): number;
  /** Milliseconds from an arbitrary start, never going back: for durations. */
  monotonic(): number;
  /** Runs `run` once after `ms` milliseconds. The timer does not keep the process alive. */
  after(ms: number, run: () => void): CancelTimer;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, run) {
    const id = setTimeout(run, ms);
    Deno.unrefTimer(id);
    return () => clearTimeout(id);
  },
};
