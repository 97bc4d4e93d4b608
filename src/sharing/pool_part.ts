/**
 * What one replica holds of a pool, and how it changes that in the store.
 * @module
 */
import type { Clock } from "../clock.ts";
import type { PutOptions, Store, StoreKey, StoreWrite, Version } from "../storage/store.ts";
import { heldBy, type PoolCounters, viewPool, withLease } from "./pool_entry.ts";

/** A part is its replica's own for so long after it last wrote. */
export const LEASE_MS = 30_000;
/** Without an end of its own, a pool is forgotten so long after it was last written. */
const FORGOTTEN_MS = 3_600_000;

/** A pool as its replica sees it. */
export interface PoolView {
  /** What is spent. */
  readonly spent: number;
  /** What the replica holds: free, taken by requests, or spent by a posting that is not yet in the store. */
  readonly mine: number;
  /** What all others hold. */
  readonly others: number;
}

/** Where a pool is. */
export interface PoolPlace {
  /** The store. */
  readonly store: Store;
  /** Time. */
  readonly clock: Clock;
  /** The pool's entry. */
  readonly key: StoreKey;
  /** Unix milliseconds after which the pool is forgotten. @default an hour after its last use */
  readonly expiresAt?: number | undefined;
}

function newLease(): string {
  return crypto.randomUUID().slice(0, 13);
}

/** A part of a pool, held for some time under a name that was never used before. */
export class PoolPart {
  readonly #place: PoolPlace;
  #lease = newLease();
  /** Whether the store knows the lease. One that it does not know holds nothing but what requests have taken. */
  #isHeld = false;
  /** Monotonic time until which the part is certainly ours. */
  #until = -Infinity;
  #free = 0;
  #reserved = 0;

  /** Holds nothing yet. */
  constructor(place: PoolPlace) {
    this.#place = place;
  }

  /** What is free to take. */
  get free(): number {
    return this.#free;
  }

  /** What requests under way have taken. */
  get reserved(): number {
    return this.#reserved;
  }

  /** Whether the store knows of it. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Whether the lease is in force. */
  isOurs(now: number): boolean {
    return now < this.#until;
  }

  /** Whether half of the lease is over. */
  isDue(now: number): boolean {
    return this.#isHeld && now >= this.#until - LEASE_MS / 2;
  }

  /** Takes of what is free. */
  reserve(amount: number): number {
    this.#free -= amount;
    this.#reserved += amount;
    return amount;
  }

  /** Undoes {@link reserve}. */
  give(granted: number): void {
    this.#reserved -= granted;
    if (this.#isHeld) this.#free += granted; // else the part it came from is lost
  }

  /** Undoes {@link reserve} but for what was spent, which may be more: what the ledger must post. */
  spend(granted: number, spent: number): StoreWrite {
    this.give(granted);
    const ours = Math.min(spent, this.#free);
    this.#free -= ours;
    const { key, expiresAt } = this.#place;
    return {
      key,
      add: this.#isHeld ? { spent, [heldBy(this.#lease)]: -ours } : { spent },
      ...(expiresAt === undefined ? {} : { expiresAt }),
    };
  }

  /**
   * Changes by compare-and-set how much is held: by `delta` of what `plan` makes of the pool as it is at that moment.
   *
   * @throws {Error} If the store fails: what it holds is then left to lapse, as nobody knows what was written
   */
  async exchange<P extends { readonly delta: number }>(
    plan: (view: PoolView) => P,
  ): Promise<P> {
    const { store, clock, key } = this.#place;
    for (;;) {
      const startedAt = clock.monotonic();
      const entry = await store.get<PoolCounters>(key);
      const now = clock.now();
      const counters = entry?.value ?? {};
      const stored = viewPool(counters, this.#lease, now);
      if (this.#isHeld && stored.mine === undefined) this.#lose();
      const reserved = this.#reserved;
      const mine = this.#isHeld ? stored.mine ?? 0 : reserved;
      const made = plan({ spent: stored.spent, mine, others: stored.others });
      const { delta } = made;
      const held = mine + delta;
      const isAsStored = held === 0 ? stored.mine === undefined : held === stored.mine;
      if (isAsStored && !this.isDue(startedAt)) return made;
      if (delta < 0) this.#free += delta; // out of reach before others may take it
      const next = withLease(counters, this.#lease, { held, until: now + LEASE_MS, now });
      const expiresAt = this.#place.expiresAt ?? now + FORGOTTEN_MS;
      const when = entry === undefined ? "absent" : { version: entry.version };
      if (await this.#put(next, { expiresAt, when }) === undefined) {
        if (delta < 0) this.#free -= delta;
        continue;
      }
      if (delta > 0) this.#free += delta;
      if (!this.#isHeld) this.#free += reserved - this.#reserved; // given back meanwhile
      this.#isHeld = held !== 0;
      this.#until = startedAt + LEASE_MS;
      return made;
    }
  }

  async #put(counters: PoolCounters, options: PutOptions): Promise<Version | undefined> {
    try {
      return await this.#place.store.put(this.#place.key, counters, options);
    } catch (error) {
      this.#lose();
      throw error;
    }
  }

  /** Begins anew with what requests have taken: the part is another's by now, or its size is unknown. */
  #lose(): void {
    this.#lease = newLease();
    this.#isHeld = false;
    this.#until = -Infinity;
    this.#free = 0;
  }
}
