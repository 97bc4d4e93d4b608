/**
 * The frame that a stream is made of, read by sight: `{"contentBlockIndex":0,"delta":{"text":"…"},"p":"…"}`. To parse
 * it costs more than all that is done with it.
 *
 * Source: recorded streams ([R]).
 * @module
 */

import { codesOf, standsAt } from "../../bytes.ts";

const INDEX = codesOf('{"contentBlockIndex":');
const TEXT = codesOf(',"delta":{"text":"');
const PADDING = codesOf(',"p":"');
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const BRACE_END = 0x7d;
/** Longer ones are for the parser, which is good at them. */
const LONGEST = 64;

/** A part of a text. */
export interface TextDelta {
  /** Bedrock's index of the block. */
  readonly source: number;
  /** What is added to it. */
  readonly text: string;
}

/** Where a string ends that begins at `start` and holds nothing but printable ASCII; below zero if it does not. */
function plainEnd(bytes: Uint8Array, start: number, longest: number): number {
  for (let at = start; at < start + longest; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) return at;
    if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return -1;
  }
  return -1;
}

/** Whether nothing but padding stands from `at` to the payload's end. */
function endsAt(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== BRACE_END) return false;
  const rest = at + 1;
  if (bytes[rest] === BRACE_END) return rest + 1 === bytes.byteLength;
  if (!standsAt(bytes, rest, PADDING)) return false;
  const end = plainEnd(bytes, rest + PADDING.length, bytes.byteLength);
  return end >= 0 && bytes[end + 1] === BRACE_END && end + 2 === bytes.byteLength;
}

/** The text of a payload, where it is spelled so and short; undefined for any other, which is to be parsed. */
export function readTextDelta(bytes: Uint8Array): TextDelta | undefined {
  if (!standsAt(bytes, 0, INDEX)) return undefined;
  const digit = (bytes[INDEX.length] ?? 0) - 0x30;
  const start = INDEX.length + 1 + TEXT.length; // a tenth block and those behind it are for the parser
  if (digit < 0 || digit > 9 || !standsAt(bytes, INDEX.length + 1, TEXT)) return undefined;
  const end = plainEnd(bytes, start, LONGEST);
  if (end < 0 || !endsAt(bytes, end + 1)) return undefined;
  let text = "";
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]!);
  return { source: digit, text };
}
