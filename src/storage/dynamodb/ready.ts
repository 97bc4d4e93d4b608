/**
 * Makes an item ready to be added to, where the condition of `addUpdate` did not hold.
 * @module
 */
import { addCounters } from "../common.ts";
import { whenUnchanged } from "./add.ts";
import type { Database } from "./database.ts";
import { isConditionFailed } from "./errors.ts";
import { type Counters, countersItem, Held, type Item } from "./item.ts";

/**
 * Removes what has ended; lays what was put out as counters. The addition is then to be tried again.
 *
 * @throws {RangeError} If a sum would be no safe integer
 * @throws {TypeError} If the entry holds something that nothing can be added to
 */
export async function makeReady(
  database: Database,
  key: Item,
  { deltas, now }: { readonly deltas: Counters; readonly now: number },
): Promise<void> {
  const item = await database.getItem(key);
  if (item === undefined) return; // it went meanwhile
  const held = new Held(item);
  const unchanged = whenUnchanged(held.version);
  try {
    if (held.expiresMs <= now) {
      await database.deleteItem(key, unchanged);
      return;
    }
    addCounters(held.value(), deltas);
    if (held.isCounters) return; // it changed meanwhile
    const counters = addCounters(held.value(), {});
    // The version stays: whoever holds it has seen these very counters.
    await database.putItem({ Item: countersItem(key, counters, held), ...unchanged });
  } catch (error) {
    if (!isConditionFailed(error)) throw error; // else another writer was first: the next try will show
  }
}
