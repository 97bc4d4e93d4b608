/**
 * Random numbers that a seed repeats.
 * @module
 */

/** Gives a number in [0, 1) at each call. */
export type Random = () => number;

/** A generator from a seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number from `least` to `most`. */
export function between(random: Random, least: number, most: number): number {
  return least + Math.floor(random() * (most - least + 1));
}

/** Padding as Bedrock puts into every event: letters, of no meaning, so that sizes tell nothing. */
export function padding(random: Random): string {
  return "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".slice(
    0,
    between(random, 1, 60),
  );
}

/** Bytes in pieces cut at random places. */
export function splitRandomly(bytes: Uint8Array, random: Random): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.byteLength) {
    const size = random() < 0.5 ? between(random, 1, 12) : between(random, 13, 400);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}
