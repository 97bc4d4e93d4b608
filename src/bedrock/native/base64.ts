/**
 * Base64 out of bytes and into bytes: the runtime's own wants a string, and makes an array for each.
 *
 * Source: RFC 4648, section 4.
 * @module
 */

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PAD = 0x3d;
/** Value of each letter; below zero for what is none. */
const VALUES = new Int8Array(256).fill(-1);
for (let value = 0; value < LETTERS.length; value++) VALUES[LETTERS.charCodeAt(value)] = value;
/** Below it are control characters, line ends among them. */
const SPACE = 0x20;

/** Base64 among other bytes. */
export interface Encoded {
  /** Where it stands. */
  readonly bytes: Uint8Array;
  /** Where it begins. */
  readonly start: number;
  /** Where it ends. */
  readonly end: number;
}

/**
 * Decodes text on one line into `out` from `at` on, which must have room for three bytes for each four letters. Gives
 * the number of bytes; below zero if it is no base64, or holds control characters: that is for others to look at.
 */
export function decodeLine({ bytes, start, end }: Encoded, out: Uint8Array, at: number): number {
  const size = end - start;
  if (size === 0 || size % 4 !== 0) return -1;
  const padding = bytes[end - 1] !== PAD ? 0 : bytes[end - 2] !== PAD ? 1 : 2;
  const whole = padding === 0 ? end : end - 4;
  const from = at;
  let bad = 0;
  for (let read = start; read < whole; read += 4) {
    const word = VALUES[bytes[read]!]! << 18 | VALUES[bytes[read + 1]!]! << 12 |
      VALUES[bytes[read + 2]!]! << 6 | VALUES[bytes[read + 3]!]!;
    const first = word >>> 16 & 255, second = word >>> 8 & 255, third = word & 255;
    out[at++] = first;
    out[at++] = second;
    out[at++] = third;
    bad |= word | first - SPACE | second - SPACE | third - SPACE; // below zero once one of them is
  }
  if (padding > 0) {
    const third = padding === 2 ? 0 : VALUES[bytes[whole + 2]!]!;
    const word = VALUES[bytes[whole]!]! << 18 | VALUES[bytes[whole + 1]!]! << 12 | third << 6;
    const first = word >>> 16 & 255, second = word >>> 8 & 255;
    out[at++] = first;
    if (padding === 1) out[at++] = second;
    const unused = padding === 1 ? word & 255 : word & 0xffff; // bits that no encoder sets
    bad |= word | first - SPACE | (padding === 1 ? second - SPACE : 0) | -unused;
  }
  return bad < 0 ? -1 : at - from;
}
