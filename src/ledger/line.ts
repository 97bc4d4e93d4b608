/**
 * Lines of a journal: a checksum, and what was noted, as JSON.
 *
 * Text, so that people can read a journal, and so that what follows a damaged line is found again at the next line
 * end: JSON text holds none.
 * @module
 */
import { crc32 } from "node:zlib";
import type { StoreWrite } from "../storage/store.ts";

/** The form of lines that this version writes and reads. */
export const JOURNAL_VERSION = 1;

/** What a line notes. */
export type Line =
  /** The first of a segment: the form of its lines, and its name. */
  | readonly ["j", version: number, name: string]
  /** A posting, and its number in the segment. */
  | readonly ["p", number: number, writes: readonly StoreWrite[]]
  /** A batch is about to be sent: of these postings, the last exclusive, at this Unix time in milliseconds. */
  | readonly ["b", from: number, to: number, at: number]
  /** The batch that begins with this posting was refused as a whole: its writes go one by one. */
  | readonly ["s", from: number]
  /** The batch of these postings is in the store. */
  | readonly ["d", from: number, to: number];

const CHECKSUM = 8;
const LINE_END = 10;
const TAGS = new Set(["j", "p", "b", "s", "d"]);

/** A line as text, with its line end. */
export function encodeLine(line: Line): string {
  const json = JSON.stringify(line);
  return `${crc32(json).toString(16).padStart(CHECKSUM, "0")} ${json}\n`;
}

/** What bytes of a journal hold. */
export interface Decoded {
  /** The lines whose checksum is right. */
  readonly lines: readonly Line[];
  /** Bytes up to the end of the last of them: behind it stands what a crash cut off. */
  readonly whole: number;
  /** Damaged lines before the last good one. */
  readonly damaged: number;
}

/** Reads lines: those that are damaged are counted, and those behind them read all the same. */
export function decodeLines(bytes: Uint8Array): Decoded {
  const decoder = new TextDecoder();
  const lines: Line[] = [];
  let [whole, damaged, since] = [0, 0, 0];
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(LINE_END, start);
    if (end < 0) break;
    const line = decodeLine(bytes.subarray(start, end), decoder);
    if (line === undefined) {
      since++;
    } else {
      lines.push(line);
      [whole, damaged, since] = [end + 1, damaged + since, 0];
    }
    start = end + 1;
  }
  return { lines, whole, damaged };
}

function decodeLine(bytes: Uint8Array, decoder: TextDecoder): Line | undefined {
  if (bytes.length <= CHECKSUM + 1) return undefined;
  const json = bytes.subarray(CHECKSUM + 1);
  const wanted = decoder.decode(bytes.subarray(0, CHECKSUM + 1));
  if (wanted !== `${crc32(json).toString(16).padStart(CHECKSUM, "0")} `) return undefined;
  const line = JSON.parse(decoder.decode(json)) as Line; // written by us: the checksum says so
  return TAGS.has(line[0]) ? line : undefined;
}
