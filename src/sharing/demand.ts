/**
 * How much a replica takes of a bucket: what it goes by when it leases more than it needs at once.
 * @module
 */
import { PARTS } from "./levels.ts";

/** What a replica leases beyond its need is at most this share of a minute's worth, by all replicas together. */
const LEASED_SHARE = 1 / 4;
/** It is at least this share, and enough for some requests. */
const LEAST_SHARE = 1 / 50;
const LEAST_REQUESTS = 4;
/** It lasts so long at the replica's own pace. */
const LASTS_MS = 1_000;
/** Replicas keep so far apart on average that an entry is written some hundred times a second, however many they are. */
const APART_MS = 40;
/** A pace is not measured over less. */
const LEAST_MEASURED_MS = 50;

/** How long something takes where there are many replicas: so long, and longer the more there are. */
export function spaced(ms: number, replicas: number): number {
  return Math.max(ms, APART_MS * replicas);
}

/** The demand for one bucket. Parts are as in {@link PARTS}, and whole. */
export class Demand {
  /** Parts that requests wait for. */
  waiting = 0;
  /** Parts that a request takes, as of late. */
  usual = 0;
  /** Taken since it was last looked at how fast, and how fast that was: parts a millisecond. */
  #taken = 0;
  #measuredAt: number;
  #pace = 0;

  /** None so far. */
  constructor(now: number) {
    this.#measuredAt = now;
  }

  /** Notes what a request took. */
  took(parts: number): void {
    this.#taken += parts;
    this.usual = this.usual === 0 ? parts : Math.round((3 * this.usual + parts) / 4);
  }

  /** Looks how fast parts were taken. */
  measure(now: number): void {
    const elapsed = now - this.#measuredAt;
    if (elapsed < LEAST_MEASURED_MS) return;
    const pace = this.#taken / elapsed;
    this.#pace = this.#pace === 0 ? pace : (this.#pace + pace) / 2;
    this.#taken = 0;
    this.#measuredAt = now;
  }

  /** What to hold beyond the need: what some requests take, and no part of one. */
  extra(limit: number, replicas: number): number {
    const whole = limit * PARTS;
    const wanted = Math.max(
      this.#pace * spaced(LASTS_MS, replicas),
      whole * LEAST_SHARE,
      this.usual * LEAST_REQUESTS,
    );
    const extra = Math.floor(Math.min(wanted, whole * LEASED_SHARE / replicas));
    return this.usual === 0 ? extra : extra - extra % this.usual;
  }

  /** Of what is left, what requests wait for, and as much as further ones would take: fractions are left to others. */
  fitting(left: number): number {
    const beyond = left - this.waiting;
    return beyond <= 0 || this.usual === 0 ? left : left - beyond % this.usual;
  }
}
