/**
 * Which names somebody may have meant.
 * @module
 */

/** Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b` (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] &&
        a[row - 2] === b[column - 1];
      if (swapped) cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1);
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] ?? 0;
}

/**
 * The names most like `name`, best first: those within a third of its length in edits, and those that contain
 * it or are contained in it.
 *
 * @example
 * ```ts
 * import { nearest } from "./nearest.ts";
 * if (nearest("modles", ["models", "listen"])[0] !== "models") throw new Error("a swap is one edit");
 * ```
 */
export function nearest(name: string, candidates: Iterable<string>, max: number = 3): string[] {
  const wanted = name.toLowerCase().slice(0, 100);
  const allowed = Math.max(2, Math.floor(wanted.length / 3));
  const scored: { candidate: string; score: number }[] = [];
  for (const candidate of candidates) {
    const text = candidate.toLowerCase();
    const contained = Math.min(wanted.length, text.length) >= 3 &&
      (text.includes(wanted) || wanted.includes(text));
    const distance = editDistance(wanted, text);
    if (contained || distance <= allowed) {
      scored.push({ candidate, score: contained ? Math.min(distance, 1.5) : distance });
    }
  }
  return scored.sort((a, b) => a.score - b.score).slice(0, max).map(({ candidate }) => candidate);
}
