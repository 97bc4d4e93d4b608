/**
 * A bucket while the store does not answer: each replica counts for itself, within its share of the limit. The share
 * is one part in as many as there were replicas when the store was last heard.
 * @module
 */
import { laterOf, PARTS } from "./levels.ts";

/** What a bucket begins with. */
export interface OutageOptions {
  /** Tokens a minute, of all replicas. */
  readonly limit: number;
  /** Replicas that share it. */
  readonly replicas: number;
  /** Parts that this one may take now. */
  readonly level: number;
  /** Unix milliseconds. */
  readonly now: number;
}

/** One replica's share of a bucket. */
export class Outage {
  readonly #replicas: number;
  #limit: number;
  #level: number;
  #at: number;
  /** Parts that were taken and not given back: what the store does not know of. */
  #used = 0;

  /** See {@link OutageOptions}. */
  constructor({ limit, replicas, level, now }: OutageOptions) {
    this.#limit = limit;
    this.#replicas = replicas;
    this.#level = Math.min(level, this.#capacity);
    this.#at = now;
  }

  /** Parts that come back in a millisecond. */
  get rate(): number {
    return this.#limit / this.#replicas;
  }

  get #capacity(): number {
    return this.rate * PARTS;
  }

  /** Another limit: what was used stays used. */
  setLimit(limit: number, now: number): void {
    this.#refill(now);
    this.#level += (limit - this.#limit) / this.#replicas * PARTS;
    this.#limit = limit;
  }

  /** Whether so many parts can be taken. A full share admits any request, however small it is: it owes the rest. */
  admits(parts: number, now: number): boolean {
    return this.left(now) >= Math.min(parts, this.#capacity);
  }

  /** Parts that are left. */
  left(now: number): number {
    this.#refill(now);
    return this.#level;
  }

  /** Milliseconds until it admits a request for so many parts. */
  msUntil(parts: number, now: number): number {
    const missing = Math.min(parts, this.#capacity) - this.left(now);
    return missing <= 0 ? 0 : missing / this.rate;
  }

  /** Takes parts. */
  take(parts: number): void {
    this.#level -= parts;
    this.#used += parts;
  }

  /** Gives parts back. */
  give(parts: number, now: number): void {
    this.#refill(now);
    this.#level += parts;
    this.#used -= parts;
  }

  /**
   * Parts to take of the shared bucket when the store answers again: what was used, without what has been refilled
   * meanwhile, for an outage that outlasts a minute leaves the shared bucket full.
   */
  unpaid(now: number): number {
    this.#refill(now);
    return Math.min(this.#used, this.#capacity - this.#level);
  }

  #refill(now: number): void {
    const at = laterOf(this.#at, now);
    const level = this.#level + this.rate * Math.max(0, at - this.#at);
    this.#level = Math.min(level, this.#capacity);
    this.#at = at;
  }
}
