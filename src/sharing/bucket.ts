/**
 * A token bucket that all replicas share, as one of them sees it: what it has leased, and the level of the rest as it
 * was last known, refilled since. Takes nothing from the store by itself: see `bucket_group.ts`.
 * @module
 */
import { Demand, spaced } from "./demand.ts";
import { Outage } from "./outage.ts";
import {
  type ByPeriod,
  laterOf,
  leasedByOthers,
  PARTS,
  type StoredBucket,
  sumOf,
  type WrittenLease,
} from "./levels.ts";

/** What of a bucket is needed to admit a request. */
export type Look =
  /** It can be taken at once. */
  | "covered"
  /** There is not enough, and no need to ask. */
  | "dry"
  /** There may be enough: the store must be asked. */
  | "ask";

/** How a bucket stands to the others of its group. */
export interface Standing {
  /** Unix milliseconds. */
  readonly now: number;
  /** Replicas that lease of it, as far as is known. */
  readonly replicas: number;
  /** Until when leases may be used. */
  readonly usableUntil: number;
  /** When the store was last heard of it. */
  readonly heardAt: number;
  /** At least 0, below 1. */
  readonly random: () => number;
}

/** Of this share of a minute's worth, a replica that is alone takes before it has leased it. */
const AHEAD_SHARE = 1 / 200;
/** That a bucket is dry is believed for so long: others may have given back. */
const DRY_MS = 2_000;
/** Replicas that wait for the same tokens ask again within this time, by chance: none is always the first. */
const SPREAD_MS = { least: 500, most: 5_000 } as const;
/** A lease that is in use is written anew when it may be used for no longer than this: not by all replicas at once. */
const RENEWED_MS = { least: 4_000, most: 16_000 } as const;

/** What {@link Bucket.plan} goes by. */
export interface PlanOptions {
  /** What the store holds of it now. */
  readonly stored: StoredBucket | undefined;
  /** Which period this is. */
  readonly period: number;
  /** Give all back. */
  readonly isIdle: boolean;
}

/** What {@link Bucket.plan} found: the lease to write. */
export interface Plan {
  /** Parts to hold from now on. */
  readonly held: number;
  /** Parts that are left to others. */
  readonly level: number;
  /** How many more are held than were. */
  readonly grown: number;
  /** What others have leased. */
  readonly others: ByPeriod;
  /** Parts wanted. */
  readonly wanted: number;
  /** What was used without the store. */
  readonly unpaid: number;
}

/** One bucket. Parts are as in {@link PARTS}. */
export class Bucket {
  #limit: number;
  /** Of the level: what others may lease, and when that was right. */
  #level: number;
  #at: number;
  #others: ByPeriod = [0, 0];
  /** Of the lease: what is left of it, below zero is owed; and what the store knows of it. */
  #held = 0;
  #written: WrittenLease = { parts: 0, period: -1 };
  readonly #demand: Demand;
  #renewedMs: number = RENEWED_MS.least;
  #askAfter = 0;
  #outage: Outage | undefined;

  /** A full one. */
  constructor(limit: number, now: number) {
    this.#limit = limit;
    this.#level = limit * PARTS;
    this.#at = now;
    this.#demand = new Demand(now);
  }

  /** Tokens a minute. */
  get limit(): number {
    return this.#limit;
  }

  /** Whether it counts for itself, as the store does not answer. */
  get isAlone(): boolean {
    return this.#outage !== undefined;
  }

  /** Whether the store is to be told: of a rest of a lease, or of what is owed. */
  get isHeld(): boolean {
    return this.#held !== 0 || this.#outage !== undefined;
  }

  /** Moves what is left by the change of the limit: what was used stays used. */
  setLimit(limit: number, now: number): void {
    if (limit === this.#limit) return;
    this.#refill(now);
    this.#level += (limit - this.#limit) * PARTS;
    this.#limit = limit;
    this.#outage?.setLimit(limit, now);
  }

  /** Parts that are left, as far as is known: of the shared level and of the lease. */
  left(now: number): number {
    if (this.#outage !== undefined) return this.#outage.left(now);
    this.#refill(now);
    return this.#level + this.#held;
  }

  /** Milliseconds until it holds so many parts. */
  msUntil(parts: number, now: number): number {
    if (this.#outage !== undefined) return this.#outage.msUntil(parts, now);
    const left = this.left(now);
    if (left >= parts) return 0;
    return this.#limit > 0 ? (parts - left) / this.#limit : Infinity;
  }

  /** Milliseconds until it admits a request for so many parts, where it does not now. */
  msUntilAdmits(parts: number, now: number): number {
    return Math.max(this.msUntil(parts, now), this.#askAfter - now, 0);
  }

  /** Whether so many parts can be taken. */
  look(parts: number, standing: Standing): Look {
    const { now, usableUntil, replicas } = standing;
    if (this.#outage !== undefined) return this.#outage.admits(parts, now) ? "covered" : "dry";
    const isHeard = Math.abs(now - standing.heardAt) < spaced(DRY_MS, replicas);
    if (this.left(now) < parts) return isHeard ? "dry" : "ask";
    const ahead = replicas === 1 ? this.#limit * PARTS * AHEAD_SHARE : 0;
    if (this.#held + ahead >= parts && now < usableUntil) return "covered";
    return now < this.#askAfter && isHeard ? "dry" : "ask";
  }

  /** Takes parts. Look first. */
  take(parts: number): void {
    this.#demand.took(parts);
    if (this.#outage !== undefined) this.#outage.take(parts);
    else this.#held -= parts;
  }

  /** Gives parts back; takes more where they are less than zero. */
  give(parts: number, now: number): void {
    if (this.#outage !== undefined) return this.#outage.give(parts, now);
    this.#refill(now); // first: what ran over meanwhile is lost; what runs over now, at the next look
    this.#held += parts;
  }

  /** Notes that a request waits for parts, or no longer. */
  wait(parts: number): void {
    this.#demand.waiting += parts;
  }

  /** Counts for itself from now on, within its share of the limit. */
  beAlone({ now, replicas, usableUntil }: Standing): void {
    if (this.#outage !== undefined) return;
    this.#refill(now);
    const own = now < usableUntil ? this.#held : Math.min(this.#held, 0);
    const level = own + (this.#level > 0 ? this.#level / replicas : this.#level);
    this.#outage = new Outage({ limit: this.#limit, replicas, level, now });
  }

  /** Whether the lease should be made larger, smaller or be paid for, beside the requests. */
  isDue({ now, replicas, usableUntil }: Standing): boolean {
    if (this.#outage !== undefined) return false;
    const extra = this.#demand.extra(this.#limit, replicas);
    if (this.#held < 0 || this.#held > 2 * extra + this.#demand.usual) return true;
    if (this.#held > 0 && usableUntil - now < this.#renewedMs) return true;
    return this.#held < extra / 3 && now >= this.#askAfter &&
      this.left(now) - this.#held >= this.#demand.usual;
  }

  /** Takes over what the store says. */
  learn(stored: StoredBucket | undefined, { at, period }: { at: number; period: number }): void {
    const limit = this.#limit;
    if (stored === undefined) {
      this.#others = [0, 0];
      this.#level = limit * PARTS;
    } else {
      this.#others = leasedByOthers(stored, { period, own: this.#written });
      this.#level = stored.level + (limit - stored.limit) * PARTS;
    }
    this.#at = at;
    const room = limit * PARTS - sumOf(this.#others);
    this.#level = Math.min(this.#level, room - this.#held);
  }

  /** What to lease: what requests wait for, and some beyond, or nothing. */
  plan({ now, replicas }: Standing, { stored, period, isIdle }: PlanOptions): Plan {
    this.#others = stored === undefined
      ? [0, 0]
      : leasedByOthers(stored, { period, own: this.#written });
    this.#refill(now);
    const unpaid = this.#outage?.unpaid(now) ?? 0;
    const left = this.#level + this.#held - unpaid;
    const wanted = isIdle ? 0 : this.#demand.waiting + this.#demand.extra(this.#limit, replicas);
    const held = Math.max(0, Math.min(wanted, this.#demand.fitting(left)));
    const grown = held - this.#held + unpaid;
    return { held, level: left - held, grown, others: this.#others, wanted, unpaid };
  }

  /** What a plan gives back is out of reach before others may take it; undone where the plan was not written. */
  giveUp({ grown }: Plan, { undo = false } = {}): void {
    if (grown < 0) this.#grow(undo ? -grown : grown);
  }

  /** Notes that a plan is written. */
  wrote(plan: Plan, { standing, period }: { standing: Standing; period: number }): void {
    const { now, replicas, random } = standing;
    // What was taken or given meanwhile stays so: the plan is applied by its change.
    if (plan.grown > 0) this.#grow(plan.grown);
    this.#held -= plan.unpaid;
    this.#written = { parts: plan.held, period };
    if (this.#outage !== undefined) {
      const since = this.#outage.unpaid(now) - plan.unpaid;
      this.#held -= Math.max(0, since);
      this.#outage = undefined;
    }
    this.#renewedMs = RENEWED_MS.least + random() * (RENEWED_MS.most - RENEWED_MS.least);
    this.#demand.measure(now);
    const isShort = replicas > 1 && plan.held < plan.wanted;
    this.#askAfter = isShort ? this.#nextTry({ now, replicas }, random()) : 0;
  }

  #nextTry({ now, replicas }: { now: number; replicas: number }, chance: number): number {
    const { usual } = this.#demand;
    const spread = Math.min(Math.max(usual / this.#limit, SPREAD_MS.least), SPREAD_MS.most);
    return now + this.msUntil(usual, now) + spaced(spread, replicas) * chance;
  }

  #grow(parts: number): void {
    this.#held += parts;
    this.#level -= parts;
  }

  #refill(now: number): void {
    const at = laterOf(this.#at, now);
    const left = this.#level + this.#held + this.#limit * Math.max(0, at - this.#at);
    const room = this.#limit * PARTS - sumOf(this.#others);
    this.#level = Math.min(left, room) - this.#held;
    this.#at = at;
  }
}
