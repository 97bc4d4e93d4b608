/**
 * Token buckets as the store holds them: several that belong together (e.g. requests and tokens of one key) in one
 * entry, with what replicas have leased of each.
 *
 * A bucket's level and all that is leased of it never exceed its capacity, which is a minute's worth. Leases are
 * counted by periods of twenty seconds: those that were written in this period or the one before are in force, older
 * ones have lapsed, so that what a crashed replica held is forgotten, and the entry stays small however many
 * replicas there are.
 * @module
 */

/**
 * Parts of a token. A limit per minute refills as many parts a millisecond as it has tokens, so that whole
 * milliseconds and whole tokens are counted without rounding.
 */
export const PARTS = 60_000;
/** Leases are counted by periods of so many milliseconds, and in force until the end of the one after theirs. */
export const PERIOD_MS = 20_000;
/** A time that lies further ahead than this is one of a clock that is wrong: it is not believed. */
export const MOST_SKEW_MS = 5_000;

/** A sum of the period before this one, and of this. */
export type ByPeriod = readonly [before: number, now: number];

/** One bucket. */
export interface StoredBucket {
  /** Tokens a minute. */
  readonly limit: number;
  /** Parts that are left to lease; below zero is owed. */
  readonly level: number;
  /** Parts that replicas hold. */
  readonly leased: ByPeriod;
}

/** Buckets in one entry. */
export interface StoredBuckets {
  /** Unix milliseconds at which the levels were right. */
  readonly at: number;
  /** Which period this is: Unix milliseconds divided by its length. */
  readonly period: number;
  /** Replicas that leased. */
  readonly replicas: ByPeriod;
  /** By kind. */
  readonly buckets: Readonly<Record<string, StoredBucket>>;
}

/** The later of a time and now, for clocks of two machines differ: time never goes back, nor far ahead of our clock. */
export function laterOf(at: number, now: number): number {
  return at > now + MOST_SKEW_MS ? now : Math.max(at, now);
}

function moved(sums: ByPeriod, periods: number): ByPeriod {
  if (periods <= 0) return sums;
  return periods === 1 ? [sums[1], 0] : [0, 0];
}

/** The sum of both periods. */
export function sumOf([before, now]: ByPeriod): number {
  return before + now;
}

/** The buckets as they stand now: refilled, without leases that have lapsed. */
export function standing(stored: StoredBuckets | undefined, now: number): StoredBuckets {
  const period = Math.floor(now / PERIOD_MS);
  if (stored === undefined) return { at: now, period, replicas: [0, 0], buckets: {} };
  const at = laterOf(stored.at, now);
  const elapsed = Math.max(0, at - stored.at);
  const ahead = at === now ? period : Math.max(period, stored.period);
  const periods = ahead - stored.period;
  const buckets: Record<string, StoredBucket> = {};
  for (const [kind, bucket] of Object.entries(stored.buckets)) {
    const leased = moved(bucket.leased, periods);
    const room = bucket.limit * PARTS - sumOf(leased);
    const level = Math.min(room, bucket.level + bucket.limit * elapsed);
    buckets[kind] = { limit: bucket.limit, level, leased };
  }
  return { at, period: ahead, replicas: moved(stored.replicas, periods), buckets };
}

/** A lease as a replica remembers it: how much was written of it, and in which period. */
export interface WrittenLease {
  /** Parts. */
  readonly parts: number;
  /** When. */
  readonly period: number;
}

/** What others have leased: all of it, without the replica's own. */
export function leasedByOthers(
  { leased }: StoredBucket,
  { period, own }: { period: number; own: WrittenLease },
): ByPeriod {
  const [before, now] = leased;
  if (own.period === period) return [before, Math.max(0, now - own.parts)];
  return own.period === period - 1 ? [Math.max(0, before - own.parts), now] : leased;
}
