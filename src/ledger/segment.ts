/**
 * A segment of a journal: postings in order, which of them were sent as one batch, and which are in the store.
 *
 * What is to be sent stands in memory; a segment whose turn is far off forgets it, and reads its file when the turn
 * has come. A segment without a file stands in memory alone.
 * @module
 */
import type { BatchLimits, StoreWrite } from "../storage/store.ts";
import { BatchFill, type Posting, remakeBatch } from "./batch.ts";
import { decodeLines, encodeLine, JOURNAL_VERSION, type Line } from "./line.ts";
import { SegmentFile } from "./segment_file.ts";

/** Postings that were sent together, or are about to be. */
export interface Batch {
  /** By which the store knows it again. */
  readonly id: string;
  /** Its first posting. */
  readonly from: number;
  /** Behind its last posting. */
  readonly to: number;
  /** Unix milliseconds at which it was made. */
  readonly at: number;
  /** What is written. */
  readonly writes: readonly StoreWrite[];
  /** Whether the store refused it as a whole, so that its writes go one by one. */
  split: boolean;
  /** Whether it may have reached the store. */
  tried: boolean;
}

/** What was found wrong in a segment's file. */
export interface Damage {
  /** Lines that could not be read, before others that could. */
  readonly lines: number;
}

const encoder = new TextEncoder();

/** One segment. */
export class Segment {
  /** Its name, in the file's name and in the ids of its batches. */
  readonly name: string;
  /** Whether it takes no more postings. */
  closed = false;
  readonly #file: SegmentFile | undefined;
  #numbered = 0;
  readonly #limits: BatchLimits;
  #waiting: Posting[] = [];
  /** The first of them, as the next batch. */
  #fill: BatchFill;
  #open: Batch[] = [];
  #held = 0;
  #loaded = true;

  private constructor(name: string, file: SegmentFile | undefined, limits: BatchLimits) {
    this.name = name;
    this.#file = file;
    this.#limits = limits;
    this.#fill = new BatchFill(limits);
  }

  /**
   * A new one, in a file of the folder.
   *
   * @throws {Error} If the file cannot be made or written
   */
  static create(folder: string, name: string, limits: BatchLimits): Segment {
    const segment = new Segment(name, SegmentFile.create(segmentPath(folder, name)), limits);
    segment.#note(["j", JOURNAL_VERSION, name]);
    return segment;
  }

  /** A new one, in memory alone. */
  static inMemory(name: string, limits: BatchLimits): Segment {
    return new Segment(name, undefined, limits);
  }

  /** One that is there; not read yet. */
  static existing(folder: string, name: string, limits: BatchLimits): Segment {
    const segment = new Segment(name, SegmentFile.existing(segmentPath(folder, name)), limits);
    segment.#loaded = false;
    segment.closed = true;
    return segment;
  }

  /** Bytes of its file. */
  get bytes(): number {
    return this.#file?.bytes ?? 0;
  }

  /** Bytes of the postings that it holds in memory. */
  get heldBytes(): number {
    return this.#held;
  }

  /** Whether it has a file. */
  get onDisk(): boolean {
    return this.#file !== undefined;
  }

  /** Whether its file need not be read before it can go on. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** Postings that are in no batch yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Whether they are more than one batch. */
  get isFull(): boolean {
    return this.#fill.isFull;
  }

  /** Postings that are not in the store yet; 0 of one that is not loaded. */
  get left(): number {
    return this.#open.reduce((sum, { from, to }) => sum + to - from, this.#waiting.length);
  }

  /** Whether something of it is to be sent, as far as is known. */
  get hasWork(): boolean {
    return !this.#loaded || this.#waiting.length > 0 || this.#open.length > 0;
  }

  /** The line of a posting that is to be appended, with the next number. */
  line(writes: readonly StoreWrite[]): { readonly text: string; readonly posting: Posting } {
    const number = this.#numbered++;
    const text = encodeLine(["p", number, writes]);
    return { text, posting: { number, writes, size: text.length } };
  }

  /**
   * Writes the lines of postings, and takes them for sending.
   *
   * @throws {Error} If the disk does not take them: nothing is taken then
   */
  append(text: string, postings: readonly Posting[]): void {
    this.#file?.append(encoder.encode(text));
    for (const posting of postings) {
      this.#waiting.push(posting);
      this.#fill.take(posting);
      this.#held += posting.size;
    }
  }

  /** Resolves when all that was written is durable. */
  async sync(): Promise<void> {
    await this.#file?.sync();
  }

  /**
   * The batch that is next: one that was begun, or a new one, which is noted first. It may be sent once the segment
   * is durable. Undefined when nothing waits.
   *
   * @throws {Error} If the disk does not take the note
   */
  nextBatch(now: number): Batch | undefined {
    const [begun] = this.#open;
    if (begun !== undefined || this.#waiting.length === 0) return begun;
    const { count, writes } = this.#fill;
    const from = this.#waiting[0]?.number ?? 0;
    const to = (this.#waiting[count - 1]?.number ?? 0) + 1;
    this.#note(["b", from, to, now]);
    const batch = { id: this.#idOf(from), from, to, at: now, writes, split: false, tried: false };
    for (const { size } of this.#waiting.splice(0, count)) this.#held -= size;
    this.#refill();
    this.#open.push(batch);
    return batch;
  }

  /** Notes that a batch goes write by write. */
  split(batch: Batch): void {
    this.#note(["s", batch.from]);
    batch.split = true;
  }

  /** Notes that a batch is in the store. Where the disk does not take the note, a crash has it sent again. */
  done(batch: Batch): void {
    this.#open = this.#open.filter((one) => one !== batch);
    this.#note(["d", batch.from, batch.to]);
  }

  /** Gives up the memory of what it holds, where it can be read again. */
  forget(): void {
    if (!this.closed || this.#file === undefined || this.#open.length > 0) return;
    this.#waiting = [];
    this.#refill();
    this.#held = 0;
    this.#loaded = false;
  }

  /**
   * Reads its file: what a crash cut off is cut off the file too.
   *
   * @throws {Error} If it cannot be read, or is of another version
   */
  load(): Damage {
    if (this.#file === undefined || this.#loaded) return { lines: 0 };
    const { lines, whole, damaged } = decodeLines(this.#file.read());
    const version = lines.find(([tag]) => tag === "j")?.[1];
    if (version !== undefined && version !== JOURNAL_VERSION) {
      throw new Error(
        `Cannot read ${this.#file.path} as it must be of version ${JOURNAL_VERSION}: it is of ${version}; ` +
          "start the version of Outcrop that wrote it",
      );
    }
    this.#file.truncate(whole);
    this.#replay(lines);
    this.#loaded = true;
    return { lines: damaged };
  }

  /** Closes its file when it is durable; it is opened again where that must be. */
  async close(): Promise<void> {
    await this.#file?.closeDurable();
  }

  /** Removes its file. */
  remove(): void {
    this.#file?.remove();
  }

  #refill(): void {
    this.#fill = new BatchFill(this.#limits);
    for (const posting of this.#waiting) if (!this.#fill.take(posting)) break;
  }

  #idOf(from: number): string {
    return `${this.name}.${from}`;
  }

  #note(line: Line): void {
    this.#file?.append(encoder.encode(encodeLine(line)));
  }

  #replay(lines: readonly Line[]): void {
    const waiting = new Map<number, Posting>();
    const open = new Map<number, Batch>();
    const taken = (from: number, to: number) => {
      const postings = [...waiting.values()].filter(({ number }) => number >= from && number < to);
      for (const { number } of postings) waiting.delete(number);
      return postings;
    };
    for (const line of lines) {
      if (line[0] === "p") {
        const [, number, writes] = line;
        waiting.set(number, { number, writes, size: encodeLine(line).length });
        this.#numbered = Math.max(this.#numbered, number + 1);
      } else if (line[0] === "b") {
        const [, from, to, at] = line;
        const writes = remakeBatch(taken(from, to));
        open.set(from, { id: this.#idOf(from), from, to, at, writes, split: false, tried: true });
      } else if (line[0] === "s") {
        const batch = open.get(line[1]);
        if (batch !== undefined) batch.split = true;
      } else if (line[0] === "d") {
        taken(line[1], line[2]);
        open.delete(line[1]);
      }
    }
    this.#waiting = [...waiting.values()];
    this.#refill();
    this.#open = [...open.values()];
    this.#held = this.#waiting.reduce((sum, { size }) => sum + size, 0);
  }
}

/** Ends of the names of segments' files. */
export const SEGMENT_EXTENSION = ".journal";

function segmentPath(folder: string, name: string): string {
  return `${folder}/${name}${SEGMENT_EXTENSION}`;
}
