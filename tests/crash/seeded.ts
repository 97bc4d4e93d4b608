/**
 * Numbers that a seed decides.
 * @module
 */

/** One sequence of them. */
export class Seeded {
  #state: number;

  /** The same seed gives the same sequence. */
  constructor(seed: number) {
    this.#state = Math.imul(seed + 1, 2_654_435_761) >>> 0;
  }

  /** A whole number from 0, below `end`. */
  below(end: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(this.#state / 2 ** 32 * end);
  }
}
