/**
 * The journal of an instance: notes postings, all of one turn of the event loop with one write.
 *
 * A posting is noted when write(2) has returned: the end of the process does not lose it. It is made durable within
 * {@link SYNC_MS}, together with all that came since the last time, so that a power cut loses no more than that.
 *
 * Segments grow to {@link SEGMENT_BYTES}; one that is in the store is removed. Where the store is down, postings stay
 * on disk, and those whose turn is far off in nobody's memory. A disk that takes nothing more is told, and postings
 * stand in memory until it does.
 * @module
 */
import { setImmediate } from "node:timers";
import type { CancelTimer, Clock } from "../clock.ts";
import { type Log, MinuteLog } from "../log.ts";
import type { BatchLimits, StoreWrite } from "../storage/store.ts";
import type { Posting } from "./batch.ts";
import type { JournalFolder } from "./folder.ts";
import { Segment } from "./segment.ts";

/** Size at which a segment takes no more: what is read at once when its turn comes. */
const SEGMENT_BYTES = 1_000_000;
/** Bytes of postings in memory that wait for the store, beside the segment that is sent and the one that is written. */
const HELD_BYTES = 16_000_000;
/** The first write that is not durable waits so long, and then for the disk. */
const SYNC_MS = 25;
/** A disk that has failed is tried again after so long. */
const DISK_RETRY_MS = 10_000;

/** What a journal is made from. */
export interface JournalOptions {
  /** Where it is. */
  readonly folder: JournalFolder;
  /** Time. */
  readonly clock: Clock;
  /** The log. */
  readonly log: Log;
  /** What the store takes at once. */
  readonly limits: BatchLimits;
  /** Told when postings have been noted. */
  readonly onNoted: () => void;
}

/** Postings of this turn of the event loop. */
interface Turn {
  readonly segment: Segment;
  readonly text: string[];
  readonly postings: Posting[];
  readonly written: Promise<void>;
}

/** The journal of an instance. */
export class Journal {
  readonly #folder: JournalFolder;
  readonly #clock: Clock;
  readonly #log: MinuteLog;
  readonly #limits: BatchLimits;
  readonly #onNoted: () => void;
  /** What is not in the store yet, in the order in which it is sent. */
  readonly #segments: Segment[] = [];
  #made = 0;
  #active: Segment | undefined;
  #turn: Turn | undefined;
  #cancelSync: CancelTimer | undefined;
  #diskFailedAt = -Infinity;

  /** Writes nothing yet. */
  constructor({ folder, clock, log, limits, onNoted }: JournalOptions) {
    this.#folder = folder;
    this.#clock = clock;
    this.#log = new MinuteLog(log, clock);
    this.#limits = limits;
    this.#onNoted = onNoted;
  }

  /** What is not in the store yet, in the order in which it is sent. */
  get segments(): readonly Segment[] {
    return this.#segments;
  }

  /** Postings that are not in the store yet, of segments in memory, and whether there are others. */
  get left(): { readonly postings: number; readonly unread: number } {
    return {
      postings: this.#segments.reduce((sum, { left }) => sum + left, 0),
      unread: this.#segments.filter(({ loaded }) => !loaded).length,
    };
  }

  /** Segments made so far: who watches the size looks again when another was. */
  get made(): number {
    return this.#made;
  }

  /** Bytes of the folder's segments, and of postings that stand in memory alone. */
  size(): { readonly onDisk: number; readonly inMemory: number } {
    const inMemory = this.#segments.filter(({ onDisk }) => !onDisk)
      .reduce((sum, { heldBytes }) => sum + heldBytes, 0);
    return { onDisk: this.#folder.size(), inMemory };
  }

  /** Notes a posting; resolves when it is written. */
  note(writes: readonly StoreWrite[]): Promise<void> {
    const turn = this.#turn ??= this.#newTurn();
    const { text, posting } = turn.segment.line(writes);
    turn.text.push(text);
    turn.postings.push(posting);
    return turn.written;
  }

  /** Writes what was noted so far; gives the segments that hold all of it, and take no more. */
  cut(): readonly Segment[] {
    this.#write();
    this.#endActive();
    return [...this.#segments];
  }

  /** Takes over segments that others have left. */
  adopt(segments: readonly Segment[]): void {
    this.#segments.unshift(...segments);
  }

  /** Whether a segment still takes postings. */
  isActive(segment: Segment): boolean {
    return segment === this.#active;
  }

  /** Removes a segment that is in the store. */
  remove(segment: Segment): void {
    const at = this.#segments.indexOf(segment);
    if (at >= 0) this.#segments.splice(at, 1);
    segment.remove();
  }

  /** Closes all files, whole and durable; those with nothing left in them are removed. */
  async close(): Promise<void> {
    const left = this.cut();
    this.#cancelSync?.();
    await Promise.all(left.map((segment) => segment.close()));
  }

  #newTurn(): Turn {
    const segment = this.#active ??= this.#newSegment();
    const { promise, resolve } = Promise.withResolvers<void>();
    setImmediate(() => {
      this.#write();
      resolve();
      this.#onNoted();
    });
    return { segment, text: [], postings: [], written: promise };
  }

  #newSegment(): Segment {
    const name = `${this.#folder.instance}-${this.#made++}`;
    const segment = this.#onDisk(name) ?? Segment.inMemory(name, this.#limits);
    this.#segments.push(segment);
    this.#forgetSome();
    return segment;
  }

  #onDisk(name: string): Segment | undefined {
    if (this.#clock.monotonic() - this.#diskFailedAt < DISK_RETRY_MS) return undefined;
    try {
      return Segment.create(this.#folder.path, name, this.#limits);
    } catch (error) {
      this.#tellDisk(error);
      return undefined;
    }
  }

  #write(): void {
    const turn = this.#turn;
    this.#turn = undefined;
    if (turn === undefined) return;
    const { segment, postings } = turn;
    try {
      segment.append(turn.text.join(""), postings);
    } catch (error) {
      this.#tellDisk(error);
      this.#endActive();
      this.#inMemory(postings);
      return;
    }
    if (segment.onDisk) this.#syncSoon();
    const retry = !segment.onDisk && this.#clock.monotonic() - this.#diskFailedAt >= DISK_RETRY_MS;
    if (segment.bytes >= SEGMENT_BYTES || segment.heldBytes >= SEGMENT_BYTES || retry) {
      this.#endActive();
    }
  }

  /** What the disk did not take. */
  #inMemory(postings: readonly Posting[]): void {
    const segment = this.#active = this.#newSegment();
    const lines = postings.map(({ writes }) => segment.line(writes));
    segment.append("", lines.map(({ posting }) => posting));
  }

  #endActive(): void {
    const segment = this.#active;
    this.#active = undefined;
    if (segment === undefined) return;
    segment.closed = true;
    if (!segment.hasWork) this.remove(segment);
  }

  #syncSoon(): void {
    this.#cancelSync ??= this.#clock.after(SYNC_MS, () => {
      this.#cancelSync = undefined;
      for (const segment of this.#segments) {
        if (segment.loaded) segment.sync().catch((error) => this.#tellDisk(error));
      }
    });
  }

  /** The newest of those that wait go first: their turn is the last. */
  #forgetSome(): void {
    let held = 0;
    for (const segment of this.#segments.slice(1)) {
      held += segment.heldBytes;
      if (held < HELD_BYTES || !segment.onDisk || !segment.loaded) continue;
      segment.forget();
      if (!segment.loaded) segment.close().catch((error) => this.#tellDisk(error));
    }
  }

  #tellDisk(error: unknown): void {
    this.#diskFailedAt = this.#clock.monotonic();
    this.#log.error("The journal cannot be written: what is noted meanwhile lives in memory only", {
      journal: this.#folder.path,
      cause: String(error),
    });
  }
}
