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

/** Timers of a second or more run up to this much late: all that fall into one such span share a timer of the runtime's. */
const SPAN_MS = 100;
/** Shorter ones are kept to the millisecond. */
const COARSE_FROM_MS = 1_000;

/** Timers that are nearly always undone before they run: a place in a set, rather than a timer each. */
const spans = new Map<number, Set<() => void>>();

function runSpan(span: number): void {
  const due = spans.get(span);
  spans.delete(span);
  for (const run of due ?? []) { // looked at one by one: one may undo the next
    try {
      run();
    } catch (error) {
      reportError(error); // as of a timer of its own: the others run nevertheless
    }
  }
}

function afterCoarse(ms: number, run: () => void): CancelTimer {
  const now = performance.now();
  const span = Math.ceil((now + ms) / SPAN_MS);
  let due = spans.get(span);
  if (due === undefined) {
    spans.set(span, due = new Set());
    Deno.unrefTimer(setTimeout(runSpan, span * SPAN_MS - now, span));
  }
  const once = () => run(); // the same function may wait twice
  const place = due;
  place.add(once);
  return () => void place.delete(once);
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, run) {
    if (ms >= COARSE_FROM_MS) return afterCoarse(ms, run);
    const id = setTimeout(run, ms);
    Deno.unrefTimer(id);
    return () => clearTimeout(id);
  },
};
