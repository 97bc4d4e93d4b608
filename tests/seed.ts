/**
 * The seed of this run's property tests: printed, and taken from `FC_SEED` to repeat a run.
 * @module
 */
import { assert, type IAsyncProperty, type IProperty } from "fast-check";

const given = Deno.env.get("FC_SEED");

/** One seed for the whole run. */
export const SEED: number = given === undefined ? Date.now() % 2 ** 31 : Number(given);

/** Checks a property `runs` times; a failure prints the seed and the smallest counterexample. */
export function checkProperty<T>(property: IProperty<T>, runs: number): void {
  assert(property, { seed: SEED, numRuns: runs });
}

/** The same for a property that is async. */
export async function checkAsyncProperty<T>(
  property: IAsyncProperty<T>,
  runs: number,
): Promise<void> {
  await assert(property, { seed: SEED, numRuns: runs });
}
