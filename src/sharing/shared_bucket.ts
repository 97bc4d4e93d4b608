/**
 * A bucket of a limit that all replicas share, as whoever limits requests sees it: in tokens, by the clock.
 * @module
 */
import type { BucketGroup } from "./bucket_group.ts";
import type { Bucket } from "./bucket.ts";
import { PARTS } from "./levels.ts";
import type { SharedTime } from "./shared_time.ts";

/** What a bucket stands on. */
export interface SharedBucketOptions {
  /** What this replica knows of it. */
  readonly bucket: Bucket;
  /** The buckets it is stored with. */
  readonly group: BucketGroup;
  /** Time. */
  readonly time: SharedTime;
  /** Is told that the lease changed by what a request gave back. */
  readonly onGive: (group: BucketGroup) => void;
}

/** One bucket. Amounts are tokens, or requests. */
export class SharedBucket {
  readonly #options: SharedBucketOptions;

  /** See {@link SharedBucketOptions}. */
  constructor(options: SharedBucketOptions) {
    this.#options = options;
  }

  /** What this replica knows of it: for who takes. */
  get state(): Bucket {
    return this.#options.bucket;
  }

  /** The buckets it is stored with: for who takes. */
  get group(): BucketGroup {
    return this.#options.group;
  }

  /** How much a minute; also what it holds when full. */
  get limit(): number {
    return this.#options.bucket.limit;
  }

  /**
   * What is left of it, as this replica knows it: the level that the store last told it, refilled since, and its own
   * lease. What others took since is not in it. Below zero is owed.
   */
  get left(): number {
    const { bucket, time } = this.#options;
    return bucket.left(time.now()) / PARTS;
  }

  /** Milliseconds until so much is left. */
  msUntil(amount: number): number {
    const { bucket, time } = this.#options;
    return bucket.msUntil(amount * PARTS, time.now());
  }

  /** Milliseconds until a request for so much can be admitted, after it was not: 0 where nobody knows. */
  msUntilAdmits(amount: number): number {
    const { bucket, time } = this.#options;
    return bucket.msUntilAdmits(amount * PARTS, time.now());
  }

  /** Gives back what a request took and did not use; takes what it used beyond, where that is less than zero. */
  give(amount: number): void {
    if (amount === 0) return;
    const { bucket, group, time, onGive } = this.#options;
    bucket.give(amount * PARTS, time.now());
    onGive(group);
  }
}
