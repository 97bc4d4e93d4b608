/**
 * What replicas share, as plugins reach it: by names of their own, see `Host.shared`.
 * @module
 */
import type { Clock } from "../clock.ts";
import { prefixedStore } from "../storage/prefixed.ts";
import type { Store, StoreKey } from "../storage/store.ts";
import { Pool } from "./pool.ts";
import { Reservation, type Want } from "./reservation.ts";
import { Calendar, type Period, type Span } from "./span.ts";

/** What a plugin shares with itself in all replicas. */
export interface Shared {
  /**
   * A sum that all replicas share; the same object for the same key. Ask for it with each request: a pool that is
   * idle is forgotten.
   *
   * @param expiresAt Unix milliseconds after which the store forgets it. Default: an hour after its last use
   */
  pool(key: StoreKey, options?: { readonly expiresAt?: number }): Pool;
  /** What a request may hold of several pools. */
  reservation(wants: readonly Want[]): Reservation;
  /** The present day, week or month of the calendar, in UTC. */
  span(period: Period): Span;
}

/** What the replicas of one store share. Outlives a reload of the configuration. */
export class Sharing {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #calendar: Calendar;
  readonly #pools = new Map<string, Pool>();

  /** Through `store`. */
  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    this.#calendar = new Calendar(() => clock.now());
  }

  /** As a plugin sees it. */
  of(plugin: string): Shared {
    const store = prefixedStore(this.#store, plugin);
    return {
      pool: (key, { expiresAt } = {}) => {
        const name = `${plugin}\n${key[0]}\n${key[1]}`;
        const known = this.#pools.get(name);
        if (known !== undefined) return known;
        const onIdle = () => void this.#pools.delete(name);
        const pool = new Pool({ store, clock: this.#clock, key, expiresAt, onIdle });
        this.#pools.set(name, pool);
        return pool;
      },
      reservation: (wants) => new Reservation(wants),
      span: (period) => this.#calendar.span(period),
    };
  }

  /** Gives back all that is free; what a store that fails does not take falls back when its time is over. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#pools.values()].map((pool) => pool.close()));
    this.#pools.clear();
  }
}
