/**
 * What replicas share, as plugins reach it: by names of their own, see `Host.shared`.
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { prefixedStore } from "../storage/prefixed.ts";
import type { Store, StoreKey } from "../storage/store.ts";
import { fittingId } from "./fitting_id.ts";
import { SharedLimits } from "./limits.ts";
import { Pool } from "./pool.ts";
import { Reservation, type Want } from "./reservation.ts";
import { Calendar, type Period, type Span } from "./span.ts";
import { SharedSlots } from "./slots.ts";
import { StoreOutage } from "./store_outage.ts";

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
  /** Limits per minute that hold for all replicas together. */
  readonly limits: SharedLimits;
  /** Limits of how many at the same time, for all replicas together. */
  readonly slots: SharedSlots;
}

/** What the replicas of one store share. Outlives a reload of the configuration. */
export class Sharing {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #calendar: Calendar;
  readonly #log: Log | undefined;
  readonly #pools = new Map<string, Pool>();
  readonly #shared = new Map<string, Shared>();

  /** Through `store`; `log` is told when it does not answer. */
  constructor(store: Store, clock: Clock, { log }: { log?: Log } = {}) {
    this.#store = store;
    this.#clock = clock;
    this.#calendar = new Calendar(() => clock.now());
    this.#log = log;
  }

  /** As a plugin sees it. */
  of(plugin: string): Shared {
    const shared = this.#shared.get(plugin) ?? this.#open(plugin);
    this.#shared.set(plugin, shared);
    return shared;
  }

  #open(plugin: string): Shared {
    const clock = this.#clock;
    const store = prefixedStore(this.#store, plugin);
    const pool: Shared["pool"] = (key, { expiresAt } = {}) => {
      const name = `${plugin}\n${key[0]}\n${key[1]}`;
      const known = this.#pools.get(name);
      if (known !== undefined) return known;
      const onIdle = () => void this.#pools.delete(name);
      const opened = new Pool({ store, clock, key, expiresAt, onIdle });
      this.#pools.set(name, opened);
      return opened;
    };
    const outage = new StoreOutage({ clock, log: this.#log?.with({ plugin }) });
    return {
      reservation: (wants) => new Reservation(wants),
      span: (period) => this.#calendar.span(period),
      pool,
      limits: new SharedLimits({ store, clock, outage }),
      slots: new SharedSlots((id) => pool(["slots", fittingId(id)]), outage),
    };
  }

  /** Gives back all that is free; what a store that fails does not take falls back when its time is over. */
  async close(): Promise<void> {
    const limits = [...this.#shared.values()].map((shared) => shared.limits);
    await Promise.allSettled([...this.#pools.values(), ...limits].map((one) => one.close()));
    this.#pools.clear();
  }
}
