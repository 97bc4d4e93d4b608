/**
 * A pool as the store holds it: one entry of counters, so that a posting of the ledger can move an amount from
 * what a replica holds to what is spent in one step.
 *
 * - `spent`: what is gone for good.
 * - `held/<lease>`: what a replica holds: free, taken by requests under way, or spent by a posting that is not yet
 *   in the store.
 * - `until/<lease>`: Unix milliseconds until which it does. A lease without it has lapsed: what is left under its
 *   name means nothing.
 *
 * @module
 */

/** The stored counters. */
export type PoolCounters = Readonly<Record<string, number>>;

/** Clocks of two machines may differ by so much: a lease of another is over that much later. */
export const CLOCK_SKEW_MS = 5_000;

/** What a pool's entry says to one replica. */
export interface StoredPool {
  /** What is spent. */
  readonly spent: number;
  /** What the replica's own lease holds; undefined if it has none, or another has cleared it away. */
  readonly mine: number | undefined;
  /** What all others hold. */
  readonly others: number;
}

const HELD = "held/";
const UNTIL = "until/";

/** Name of the counter of what a lease holds. */
export function heldBy(lease: string): string {
  return HELD + lease;
}

function isInForce(counters: PoolCounters, lease: string, now: number): boolean {
  const until = counters[UNTIL + lease];
  return until !== undefined && until + CLOCK_SKEW_MS > now;
}

function* leasesOf(counters: PoolCounters): Generator<string> {
  for (const name of Object.keys(counters)) {
    if (name.startsWith(UNTIL)) yield name.slice(UNTIL.length);
  }
}

/** The pool as the replica with this lease sees it. Its own lease counts as long as it stands there. */
export function viewPool(counters: PoolCounters, lease: string, now: number): StoredPool {
  let others = 0;
  for (const other of leasesOf(counters)) {
    if (other === lease || !isInForce(counters, other, now)) continue;
    others += Math.max(counters[HELD + other] ?? 0, 0);
  }
  const mine = counters[UNTIL + lease] === undefined ? undefined : counters[HELD + lease] ?? 0;
  return { spent: counters["spent"] ?? 0, mine, others };
}

/** The counters with this lease as told, without what has lapsed. A lease that holds nothing is left out. */
export function withLease(
  counters: PoolCounters,
  lease: string,
  { held, until, now }: { held: number; until: number; now: number },
): PoolCounters {
  const next: Record<string, number> = { spent: counters["spent"] ?? 0 };
  for (const other of leasesOf(counters)) {
    if (other === lease || !isInForce(counters, other, now)) continue;
    next[HELD + other] = counters[HELD + other] ?? 0;
    next[UNTIL + other] = counters[UNTIL + other] ?? 0;
  }
  if (held !== 0) {
    next[HELD + lease] = held;
    next[UNTIL + lease] = until;
  }
  return next;
}
