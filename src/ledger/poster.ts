/**
 * Sends what the journal holds to the store, in batches, in the background.
 *
 * A batch's bounds are noted and durable before it is sent, so that who sends it again, after a failure or after a
 * crash, sends the same under the same id: the store applies it once. The store remembers an id for
 * {@link REMEMBERED_MS}: a batch that was begun longer ago is not sent again, as nobody could tell whether it was
 * applied.
 * @module
 */
import type { CancelTimer, Clock } from "../clock.ts";
import { type Log, MinuteLog } from "../log.ts";
import type { Store } from "../storage/store.ts";
import type { Journal } from "./journal.ts";
import type { Batch, Segment } from "./segment.ts";

/** How long the store remembers a batch; a journal that nobody sends for longer may be counted in part. */
export const REMEMBERED_MS = 30 * 86_400_000;
/** Postings wait so long for others to be sent with. */
export const GATHER_MS = 250;
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 10_000;
/** A store that has not answered by then is asked again. */
const ANSWER_MS = 30_000;

/** What it needs. */
export interface PosterOptions {
  /** Where postings are found. */
  readonly journal: Journal;
  /** Where they go. */
  readonly store: Store;
  /** Time. */
  readonly clock: Clock;
  /** The log. */
  readonly log: Log;
  /** Told when a segment is in the store and removed. */
  readonly onRemoved: (segment: Segment) => void;
}

const UNREADABLE = "Cannot send all of the journal as it must be readable: a segment is not";

interface Waiter {
  readonly segments: Set<Segment>;
  /** Rounds that had begun before it came: how they end says nothing to it. */
  readonly after: number;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** Sends in the background. */
export class Poster {
  readonly #journal: Journal;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #minuteLog: MinuteLog;
  readonly #onRemoved: (segment: Segment) => void;
  readonly #waiters = new Set<Waiter>();
  readonly #unreadable = new Set<Segment>();
  /** Why a segment could not be written to in this round: others go on. */
  readonly #skipped = new Map<Segment, unknown>();
  readonly #stopping = Promise.withResolvers<never>();
  #running: Promise<void> | undefined;
  #cancelTimer: CancelTimer | undefined;
  #failures = 0;
  #rounds = 0;
  #stopped = false;

  /** Sends nothing yet. */
  constructor({ journal, store, clock, log, onRemoved }: PosterOptions) {
    this.#journal = journal;
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#minuteLog = new MinuteLog(log, clock);
    this.#onRemoved = onRemoved;
    this.#stopping.promise.catch(() => undefined); // whoever waits for it, if anybody does, handles it
  }

  /** Tells that there is something to send: it goes soon, or at once where it fills a batch. */
  kick(): void {
    if (this.#running !== undefined || this.#stopped || this.#failures > 0) return;
    if (this.#journal.segments.some(({ isFull }) => isFull)) void this.#run();
    else if (this.#next() !== undefined) this.#schedule(GATHER_MS);
  }

  /** Resolves when these segments are in the store; rejects with the reason when the store does not take them now. */
  async finished(segments: readonly Segment[]): Promise<void> {
    const open = segments.filter((segment) => this.#journal.segments.includes(segment));
    if (open.length === 0) return;
    if (open.some((segment) => this.#unreadable.has(segment))) throw new Error(UNREADABLE);
    const done = new Promise<void>((resolve, reject) => {
      this.#waiters.add({ segments: new Set(open), after: this.#rounds, resolve, reject });
    });
    void this.#run();
    await done;
  }

  /** Sends no more: an answer that is awaited is awaited no longer. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTimer?.();
    this.#stopping.reject(new Error("Cannot wait for the store as the ledger is closed"));
    await this.#running;
  }

  #schedule(ms: number): void {
    if (this.#stopped) return;
    this.#cancelTimer ??= this.#clock.after(ms, () => {
      this.#cancelTimer = undefined;
      void this.#run();
    });
  }

  #run(): Promise<void> {
    return this.#running ??= this.#round().finally(() => {
      this.#running = undefined;
      for (const waiter of this.#waiters) {
        if (waiter.segments.isDisjointFrom(this.#unreadable)) continue;
        this.#waiters.delete(waiter);
        waiter.reject(new Error(UNREADABLE));
      }
      if (this.#waiters.size > 0 && !this.#stopped) void this.#run();
      else this.kick();
    });
  }

  /** Sends all that is due. */
  async #round(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#skipped.clear();
    this.#rounds++;
    let first = true;
    try {
      for (;;) {
        const segment = this.#next();
        if (segment === undefined || this.#stopped) break;
        if (!first && this.#mayGather(segment)) break;
        this.#load(segment);
        const batch = this.#batchOf(segment);
        if (batch !== undefined) {
          await this.#post(segment, batch);
          first = false;
        }
        this.#end(segment);
      }
      for (const error of this.#skipped.values()) throw error;
    } catch (error) {
      if (!this.#stopped) this.#failed(error);
    }
  }

  #batchOf(segment: Segment): Batch | undefined {
    try {
      return segment.nextBatch(this.#clock.now());
    } catch (error) {
      this.#skipped.set(segment, error); // a full disk: what stands in memory needs none
      return undefined;
    }
  }

  #next(): Segment | undefined {
    return this.#journal.segments.find((segment) =>
      (segment.hasWork || segment.closed) && !this.#unreadable.has(segment) &&
      !this.#skipped.has(segment)
    );
  }

  /** Whether what is left may wait for more. */
  #mayGather(segment: Segment): boolean {
    return this.#journal.isActive(segment) && !segment.isFull && this.#waiters.size === 0 &&
      segment.left === segment.waiting;
  }

  #load(segment: Segment): void {
    if (segment.loaded) return;
    try {
      const { lines } = segment.load();
      if (lines === 0) return;
      this.#log.error("Damaged lines of the journal were skipped: what they held is not counted", {
        segment: segment.name,
        lines,
      });
    } catch (error) {
      this.#unreadable.add(segment);
      const fields = { segment: segment.name, cause: String(error) };
      this.#log.error("A segment of the journal cannot be read: it is left where it is", fields);
    }
  }

  async #post(segment: Segment, batch: Batch): Promise<void> {
    await segment.sync();
    const age = this.#clock.now() - batch.at;
    if (batch.tried && age >= REMEMBERED_MS) {
      this.#log.error(
        "A batch of the journal is too old to be sent again: whether it was counted is not known; see 'outcrop usage verify'",
        { batch: batch.id, begun: new Date(batch.at).toISOString(), writes: batch.writes.length },
      );
    } else {
      batch.tried = true;
      await this.#apply(segment, batch);
    }
    segment.done(batch);
    if (this.#failures === 0) return;
    this.#failures = 0;
    this.#log.warning("The store takes what waited in the journal", this.#journal.left);
  }

  async #apply(segment: Segment, batch: Batch): Promise<void> {
    const expiresAt = this.#clock.now() + REMEMBERED_MS;
    if (!batch.split) {
      try {
        await this.#answered(this.#store.apply(batch.id, batch.writes, { expiresAt }));
        return;
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        segment.split(batch); // the store will never take it as it is
        await segment.sync();
      }
    }
    for (const [at, write] of batch.writes.entries()) {
      try {
        await this.#answered(this.#store.apply(`${batch.id}.${at}`, [write], { expiresAt }));
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        this.#minuteLog.error("The store refuses a write for good: it is left out", {
          key: write.key.join(" "),
          cause: String(error),
        });
      }
    }
  }

  /** What `answer` resolves to; rejects when it takes too long. */
  async #answered<T>(answer: Promise<T>): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    const cancel = this.#clock.after(ANSWER_MS, () => {
      reject(new Error(`Cannot wait for the store as it must answer within ${ANSWER_MS} ms`));
    });
    try {
      return await Promise.race([answer, promise, this.#stopping.promise]);
    } finally {
      cancel();
    }
  }

  #end(segment: Segment): void {
    if (segment.hasWork || !segment.closed || this.#unreadable.has(segment)) return;
    this.#journal.remove(segment);
    this.#onRemoved(segment);
    for (const waiter of this.#waiters) {
      waiter.segments.delete(segment);
      if (waiter.segments.size > 0) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }

  #failed(error: unknown): void {
    const ms = Math.min(FIRST_RETRY_MS * 2 ** this.#failures++, LONGEST_RETRY_MS);
    this.#minuteLog.error("What requests leave waits in the journal: the store did not take it", {
      ...this.#journal.left,
      cause: String(error),
    });
    this.#rejectAll(error);
    this.#schedule(ms * (0.5 + Math.random() / 2)); // apart from what others wait, so that they do not all come at once
  }

  #rejectAll(reason: unknown): void {
    for (const waiter of this.#waiters) {
      if (waiter.after >= this.#rounds) continue;
      this.#waiters.delete(waiter);
      waiter.reject(reason);
    }
  }
}
