/**
 * Limits that all replicas share, without a write per request: a replica leases tokens of a shared bucket in blocks,
 * admits requests from its lease at once, and exchanges with the store beside them.
 *
 * By how much all replicas together may exceed a limit, which is a full bucket and what refills over the time:
 *
 * - Leases are taken out of the bucket before they are used, and a bucket and its leases never hold more than a
 *   minute's worth: by nothing, where the store answers and clocks agree.
 * - A replica that leases alone takes up to 1/200 of a minute's worth before it has leased it, and pays for it by its
 *   next lease. It hears of others at that lease.
 * - Clocks: by what refills in the time by which the fastest clock is ahead, once: 1/60 of a minute's worth for a
 *   second.
 * - Tokens are reserved by estimate: what a request is billed beyond it is owed by the bucket, and paid by its refill.
 * - Where the store does not answer, each replica counts for itself, within the limit divided by the number of
 *   replicas that leased of the bucket when it last heard: the whole limit, where it never did.
 *
 * What a crashed replica held is lost, at most a quarter of a minute's worth divided by the number of replicas; the
 * refill makes it good.
 * @module
 */
import type { CancelTimer, Clock } from "../clock.ts";
import type { Store } from "../storage/store.ts";
import { BucketGroup, type GroupOptions } from "./bucket_group.ts";
import { fittingId } from "./fitting_id.ts";
import { PARTS } from "./levels.ts";
import { SharedBucket } from "./shared_bucket.ts";
import { SharedTime } from "./shared_time.ts";
import type { StoreOutage } from "./store_outage.ts";

export type { SharedBucket };

/** What limits stand on. */
export interface SharedLimitsOptions {
  /** The store. */
  readonly store: Store;
  /** Time. */
  readonly clock: Clock;
  /** Whether the store answers. */
  readonly outage: StoreOutage;
  /** At least 0, below 1. @default Math.random */
  readonly random?: () => number;
}

/** What a request takes of a bucket: at most all it can hold, or it is never admitted. */
export interface Claim {
  /** The bucket. */
  readonly bucket: SharedBucket;
  /** How much. */
  readonly amount: number;
}

interface Known {
  readonly group: BucketGroup;
  readonly buckets: Map<string, SharedBucket>;
  /** Monotonic time of the last request. */
  usedAt: number;
}

const PARTITION = "buckets";
/** A request waits so long for the store, then the replica counts for itself. */
const PATIENCE_MS = 1_000;
/** What is leased is looked over so often, given back after so long without a request, forgotten after so long. */
const LOOK_OVER_MS = 2_000;
const IDLE_MS = 20_000;
const FORGOTTEN_MS = 60_000;
/** Others may take, between the lease and the request that waited for it: it waits again so often. */
const MOST_TURNS = 4;

/** The limits of one store. */
export class SharedLimits {
  readonly #options: GroupOptions;
  readonly #outage: StoreOutage;
  readonly #known = new Map<string, Known>();
  readonly #underWay = new Set<Promise<void>>();
  #cancelTimer: CancelTimer | undefined;
  #isClosed = false;

  /** Asks the store nothing yet. */
  constructor(options: SharedLimitsOptions) {
    const { store, clock, random = Math.random } = options;
    this.#options = { store, random, time: new SharedTime(clock) };
    this.#outage = options.outage;
  }

  /** Names whose buckets are in memory. */
  get size(): number {
    return this.#known.size;
  }

  /**
   * A bucket. Buckets of one id are leased together.
   *
   * @param kind What it holds
   * @param limit How much a minute, from now on; what was used stays used
   */
  bucket(id: string, kind: string, limit: number): SharedBucket {
    const { time } = this.#options;
    const known = this.#use(id);
    const { group } = known;
    const state = group.bucket(kind, limit);
    let bucket = known.buckets.get(kind);
    if (bucket === undefined) {
      bucket = new SharedBucket({
        bucket: state,
        group,
        time,
        onGive: () => this.#given(id, group),
      });
      known.buckets.set(kind, bucket);
    }
    return bucket;
  }

  /** Takes all claims, or none. At once where leases cover them, or it is known that they cannot be met. */
  take(claims: readonly Claim[]): boolean | Promise<boolean> {
    return this.#tryTake(claims, this.#outage.isDown) ?? this.#askAndTake(claims);
  }

  /** Gives back all leases. Call it when no request is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer?.();
    await Promise.all(this.#underWay);
    const held = [...this.#known.values()].filter(({ group }) => group.isHeld);
    this.#known.clear();
    for (const { group } of held) {
      if (this.#outage.isDown) return; // what is leased lapses by itself
      await this.#exchange(group, { isIdle: true });
    }
  }

  #use(id: string): Known {
    const usedAt = this.#options.time.monotonic();
    let known = this.#known.get(id);
    if (known === undefined) {
      const group = new BucketGroup([PARTITION, fittingId(id)], this.#options);
      known = { group, buckets: new Map(), usedAt };
      this.#known.set(id, known);
    }
    known.usedAt = usedAt;
    this.#schedule();
    return known;
  }

  /** Undefined where the store must be asked: never where this replica may count for itself. */
  #tryTake(claims: readonly Claim[], mayBeAlone: boolean): boolean | undefined {
    const now = this.#options.time.now();
    let isKnown = true;
    for (const { bucket: { state, group }, amount } of claims) {
      const parts = amount * PARTS;
      let look = state.isAlone && !mayBeAlone ? "ask" : state.look(parts, group.standing(now));
      if (look === "ask" && mayBeAlone) {
        group.beAlone(now);
        look = state.look(parts, group.standing(now));
      }
      if (look === "ask") isKnown = false;
      if (look !== "dry") continue;
      this.#renew(group);
      return false;
    }
    if (!isKnown) return undefined;
    for (const { bucket: { state }, amount } of claims) state.take(amount * PARTS);
    for (const { bucket: { group } } of claims) this.#renew(group);
    return true;
  }

  async #askAndTake(claims: readonly Claim[]): Promise<boolean> {
    const groups = new Set(claims.map(({ bucket: { group } }) => group));
    const until = this.#options.time.monotonic() + PATIENCE_MS;
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      for (const { bucket: { state }, amount } of claims) state.wait(amount * PARTS);
      const exchanges = [...groups].map((group) => this.#exchange(group));
      await this.#patiently(Promise.all(exchanges), until);
      for (const { bucket: { state }, amount } of claims) state.wait(-amount * PARTS);
      const taken = this.#tryTake(claims, this.#outage.isDown);
      if (taken !== undefined) return taken;
    }
    return this.#tryTake(claims, true) === true;
  }

  #patiently(work: Promise<unknown>, until: number): Promise<void> {
    const { time } = this.#options;
    return new Promise((resolve) => {
      const cancel = time.after(until - time.monotonic(), () => {
        this.#outage.begin(new Error(`The store took more than ${PATIENCE_MS} ms`));
        resolve();
      });
      void work.then(() => {
        cancel();
        resolve();
      });
    });
  }

  /** Never rejects: a store that does not answer is an outage. */
  #exchange(group: BucketGroup, { isIdle = false } = {}): Promise<void> {
    this.#outage.asked();
    const work = group.exchange({ isIdle })
      .then(() => this.#outage.end(), (error) => this.#outage.begin(error))
      .finally(() => this.#underWay.delete(work));
    this.#underWay.add(work);
    return work;
  }

  /** Exchanges beside the requests, where it is due. */
  #renew(group: BucketGroup): void {
    if (this.#isClosed) return;
    const isDue = this.#outage.isDown ? this.#outage.isDue : group.isDue(this.#options.time.now());
    if (isDue) void this.#exchange(group);
  }

  #given(id: string, group: BucketGroup): void {
    if (this.#known.get(id)?.group === group) this.#renew(group);
    // The request outlasted what was known of its buckets.
    else if (!this.#isClosed && !this.#outage.isDown) void this.#exchange(group, { isIdle: true });
  }

  #schedule(): void {
    if (this.#isClosed || this.#known.size === 0) return;
    this.#cancelTimer ??= this.#options.time.after(
      LOOK_OVER_MS * (0.5 + this.#options.random()),
      () => {
        this.#cancelTimer = undefined;
        this.#lookOver();
        this.#schedule();
      },
    );
  }

  #lookOver(): void {
    const now = this.#options.time.monotonic();
    for (const [id, { group, usedAt }] of this.#known) {
      const idle = now - usedAt;
      if (idle < IDLE_MS) this.#renew(group);
      else if (idle >= FORGOTTEN_MS && (this.#outage.isDown || !group.isHeld)) {
        this.#known.delete(id);
      } else if (group.isHeld && !this.#outage.isDown) void this.#exchange(group, { isIdle: true });
    }
  }
}
