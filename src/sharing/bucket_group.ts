/**
 * Buckets that belong together, e.g. requests and tokens of one key: one entry of the store, which a replica reads
 * and writes for all of them at once, beside its requests.
 * @module
 */
import type { Store, StoreKey, Version } from "../storage/store.ts";
import { Bucket, type Plan, type Standing } from "./bucket.ts";
import type { SharedTime } from "./shared_time.ts";
import { PARTS, PERIOD_MS, standing, type StoredBuckets, sumOf } from "./levels.ts";

/** What groups stand on. */
export interface GroupOptions {
  /** The store. */
  readonly store: Store;
  /** Time. */
  readonly time: SharedTime;
  /** At least 0, below 1. */
  readonly random: () => number;
}

/** What is to be written, and what it changes. */
interface Change {
  readonly next: StoredBuckets;
  readonly plans: ReadonlyMap<Bucket, Plan>;
  readonly isNeeded: boolean;
  readonly isNew: boolean;
  readonly standing: Standing;
  readonly expiresAt: number;
}

/** Others may write first: after so many times the store counts as one that does not answer. */
const MOST_TURNS = 8;
/** Clocks differ: a lease is not used in the last second of its life. */
const MARGIN_MS = 1_000;
/** Longer than this no answer is waited for. */
const LONGEST_MS = 60_000;
/** Exchanges beside requests are so far apart. */
const APART_MS = 250;
/** The entry is forgotten so long after its buckets are full. */
const FORGOTTEN_MS = 60_000;
const LONGEST_LIFE_MS = 100 * 365 * 86_400_000;

/** Buckets of one name. */
export class BucketGroup {
  readonly #options: GroupOptions;
  readonly #key: StoreKey;
  readonly #buckets = new Map<string, Bucket>();
  /** What the store holds, as of the version; undefined where that is not known. */
  #stored: StoredBuckets | undefined;
  #version: Version | "absent" | undefined;
  #heardAt = -Infinity;
  #replicas = 1;
  /** Period of the last lease that was written. */
  #period = -1;
  #countedIn = -1;
  #exchange: Promise<void> | undefined;
  /** Exchanges so far: one that is given up is none of them. */
  #runs = 0;
  #exchangedAt = -Infinity;
  /** Knows nothing yet. */
  constructor(key: StoreKey, options: GroupOptions) {
    this.#key = key;
    this.#options = options;
  }

  /** The bucket of a kind, with this limit from now on. */
  bucket(kind: string, limit: number): Bucket {
    const now = this.#options.time.now();
    let bucket = this.#buckets.get(kind);
    if (bucket === undefined) {
      bucket = new Bucket(limit, now);
      this.#buckets.set(kind, bucket);
      if (this.#stored !== undefined) {
        const { at, period, buckets } = standing(this.#stored, now);
        bucket.learn(buckets[kind], { at, period });
      }
    } else bucket.setLimit(limit, now);
    return bucket;
  }

  /** How it stands. */
  standing(now: number): Standing {
    return {
      now,
      replicas: this.#replicas,
      usableUntil: (this.#period + 2) * PERIOD_MS - MARGIN_MS,
      heardAt: this.#heardAt,
      random: this.#options.random,
    };
  }

  /** Whether it need be kept. */
  get isHeld(): boolean {
    return this.#exchange !== undefined || [...this.#buckets.values()].some(({ isHeld }) => isHeld);
  }

  /** Whether leases should be written, beside the requests. */
  isDue(now: number): boolean {
    if (this.#exchange !== undefined || Math.abs(now - this.#exchangedAt) < APART_MS) return false;
    const standing = this.standing(now);
    for (const bucket of this.#buckets.values()) if (bucket.isDue(standing)) return true;
    return false;
  }

  /** Counts all buckets by this replica alone. */
  beAlone(now: number): void {
    const standing = this.standing(now);
    for (const bucket of this.#buckets.values()) bucket.beAlone(standing);
  }

  /**
   * Leases what is wanted, or gives all back; the exchange under way, where there is one.
   *
   * @throws {Error} If the store fails
   */
  exchange({ isIdle }: { isIdle: boolean }): Promise<void> {
    return this.#exchange ??= this.#inTime(this.#run(isIdle, ++this.#runs)).finally(() => {
      this.#exchange = undefined;
      this.#exchangedAt = this.#options.time.now();
    });
  }

  /** An answer that never comes must not end the leasing: it is given up, and comes to nothing. */
  #inTime(work: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#options.time.after(LONGEST_MS, () => {
        this.#runs++;
        this.#version = undefined;
        reject(new Error(`The store did not answer within ${LONGEST_MS} ms`));
      });
      work.then(resolve, reject).finally(cancel);
    });
  }

  async #run(isIdle: boolean, run: number): Promise<void> {
    const { store, time } = this.#options;
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      // Who is alone need not read what it wrote itself.
      const isRead = this.#version === undefined || this.#replicas > 1;
      if (isRead && !await this.#read(run)) return;
      let change = this.#change(time.now(), isIdle);
      if (!change.isNeeded && !isRead) {
        if (!await this.#read(run)) return;
        change = this.#change(time.now(), isIdle);
      }
      if (!change.isNeeded) return;
      const { next, expiresAt } = change;
      const version = this.#version as Version | "absent";
      const when = version === "absent" ? version : { version };
      this.#version = undefined; // unknown, should the answer be lost
      for (const [bucket, plan] of change.plans) bucket.giveUp(plan);
      const written = await store.put(this.#key, next, { when, expiresAt });
      if (run !== this.#runs) return;
      if (written === undefined) {
        for (const [bucket, plan] of change.plans) bucket.giveUp(plan, { undo: true });
        continue;
      }
      this.#version = written;
      this.#wrote(change);
      return;
    }
    throw new Error(
      `Cannot lease of ${this.#key[1]} as others wrote first ${MOST_TURNS} times`,
    );
  }

  /** False where the answer came too late. */
  async #read(run: number): Promise<boolean> {
    const { store, time } = this.#options;
    const entry = await store.get<StoredBuckets>(this.#key);
    if (run !== this.#runs) return false;
    if (entry !== undefined) time.hear(entry.value.at);
    const now = time.now();
    this.#heardAt = now;
    const version = entry?.version ?? "absent";
    if (version === this.#version) return true; // what this replica knows is more exact
    this.#version = version;
    this.#stored = standing(entry?.value, now);
    const { at, period, buckets, replicas } = this.#stored;
    this.#replicas = Math.max(1, ...replicas);
    for (const [kind, bucket] of this.#buckets) bucket.learn(buckets[kind], { at, period });
    return true;
  }

  #change(now: number, isIdle: boolean): Change {
    const base = standing(this.#stored, now);
    const { at, period } = base;
    const isNew = !isIdle && this.#countedIn !== period;
    const [before, current] = base.replicas;
    const counted = [before, current + (isNew ? 1 : 0)] as const;
    const replicas = Math.max(1, ...counted);
    const how = { ...this.standing(now), replicas };
    const buckets = { ...base.buckets };
    const plans = new Map<Bucket, Plan>();
    let isNeeded = false;
    let full = 0;
    for (const [kind, bucket] of this.#buckets) {
      const plan = bucket.plan(how, { stored: base.buckets[kind], period, isIdle });
      plans.set(bucket, plan);
      isNeeded ||= plan.grown !== 0 || plan.held > 0 || bucket.isAlone;
      buckets[kind] = {
        limit: bucket.limit,
        level: plan.level,
        leased: [plan.others[0], plan.others[1] + plan.held],
      };
    }
    for (const { level, limit, leased } of Object.values(buckets)) {
      full = Math.max(full, (limit * PARTS - level - sumOf(leased)) / Math.max(limit, 1));
    }
    const life = Math.min(Math.max(full, 2 * PERIOD_MS) + FORGOTTEN_MS, LONGEST_LIFE_MS);
    const next: StoredBuckets = { at, period, replicas: counted, buckets };
    return { next, plans, isNeeded, isNew, standing: how, expiresAt: Math.ceil(now + life) };
  }

  #wrote({ next, plans, isNew, standing }: Change): void {
    const now = this.#options.time.now();
    this.#stored = next;
    this.#heardAt = now;
    this.#replicas = standing.replicas;
    this.#period = next.period;
    if (isNew) this.#countedIn = next.period;
    for (const [bucket, plan] of plans) {
      bucket.wrote(plan, { standing: { ...standing, now }, period: next.period });
    }
  }
}
