/**
 * The range of sort strings that a listing reads.
 * @module
 */
import { compareUtf8 } from "./common.ts";
import type { ListOptions } from "./store.ts";

/** A range; absent = without end on that side. */
export interface SortRange {
  /** First, inclusive. */
  readonly lower?: string;
  /** Last, exclusive. */
  readonly upper?: string;
}

/**
 * The smallest string that comes after every string which begins with `prefix`; undefined if there is none.
 *
 * @example
 * ```ts
 * import { after } from "./range.ts";
 * if (after("ab") !== "ac") throw new Error("the last character's successor");
 * ```
 */
export function after(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0);
  while (points.length > 0) {
    const last = points.pop() ?? 0;
    if (last === 0x10ffff) continue; // the highest there is: its neighbour on the left goes up
    points.push(last === 0xd7ff ? 0xe000 : last + 1); // surrogates are no characters
    return String.fromCodePoint(...points);
  }
  return undefined;
}

/** The range that `from`, `to` and `prefix` leave; undefined if nothing can be in it. */
export function sortRange({ from, to, prefix }: ListOptions): SortRange | undefined {
  const lowers = [from, prefix].filter((bound) => bound !== undefined)
    .filter((bound) => bound !== ""); // which is no key, and before all of them
  const uppers = [to, prefix === undefined ? undefined : after(prefix)]
    .filter((bound) => bound !== undefined);
  const lower = lowers.sort((a, b) => compareUtf8(b, a))[0];
  const upper = uppers.sort(compareUtf8)[0];
  if (upper !== undefined && compareUtf8(lower ?? "", upper) >= 0) return undefined;
  return {
    ...(lower === undefined ? {} : { lower }),
    ...(upper === undefined ? {} : { upper }),
  };
}
