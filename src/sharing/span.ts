/**
 * Days, weeks and months of the calendar, in UTC: days begin at midnight, weeks on Monday, months on the first.
 * @module
 */

/** Kinds of spans. */
export const PERIODS = ["day", "week", "month"] as const;
/** One of {@link PERIODS}. */
export type Period = typeof PERIODS[number];

/** One day, week or month. */
export interface Span {
  /** Its first day and its kind, e.g. `2026-11-23/week`. */
  readonly name: string;
  /** Unix milliseconds of its beginning. */
  readonly start: number;
  /** Unix milliseconds of its end. */
  readonly end: number;
}

/**
 * The span that a moment lies in.
 *
 * @example
 * ```ts
 * import { spanOf } from "./span.ts";
 * const week = spanOf("week", Date.UTC(2026, 10, 25)); // a Wednesday
 * if (week.name !== "2026-11-23/week") throw new Error(week.name);
 * ```
 */
export function spanOf(period: Period, now: number): Span {
  const at = new Date(now);
  const [year, month, day] = [at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()];
  const monday = day - (at.getUTCDay() + 6) % 7;
  const [start, end] = period === "day"
    ? [Date.UTC(year, month, day), Date.UTC(year, month, day + 1)]
    : period === "week"
    ? [Date.UTC(year, month, monday), Date.UTC(year, month, monday + 7)]
    : [Date.UTC(year, month, 1), Date.UTC(year, month + 1, 1)];
  return { name: `${new Date(start).toISOString().slice(0, 10)}/${period}`, start, end };
}

/** Tells the spans of now; remembers them, as they are asked for with each request. */
export class Calendar {
  readonly #now: () => number;
  readonly #spans = new Map<Period, Span>();

  /** By a clock. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** The span of now. */
  span(period: Period): Span {
    const now = this.#now();
    const known = this.#spans.get(period);
    if (known !== undefined && now >= known.start && now < known.end) return known;
    const span = spanOf(period, now);
    this.#spans.set(period, span);
    return span;
  }
}
