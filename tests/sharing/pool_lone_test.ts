/** A pool with one replica: it refuses where the sum is taken, and nowhere else. */
import assert from "node:assert/strict";
import { asyncProperty, integer } from "fast-check";
import { between, seededRandom } from "../../src/simulator/random.ts";
import { checkAsyncProperty } from "../seed.ts";
import { openReplicas, type Replica } from "./replicas.ts";

const CAPACITY = 20;

async function simulate(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const { clock, replicas } = openReplicas(1);
  const replica = replicas[0] as Replica;
  const held: (() => void)[] = [];
  for (let step = 0; step < 1_000; step++) {
    const dice = random();
    if (dice < 0.4) {
      const { pool } = replica;
      const granted = await pool.take(1, { capacity: CAPACITY });
      assert.equal(typeof granted === "number", held.length < CAPACITY, `${held.length} are taken`);
      if (typeof granted === "number") held.push(() => pool.give(granted));
    } else if (dice < 0.8) held.splice(between(random, 0, Math.max(held.length - 1, 0)), 1)[0]?.();
    else clock.advance(between(random, 0, 300)); // what falls due has begun, and not yet ended
  }
  for (const give of held) give();
  await replica.sharing.close();
}

Deno.test("a lone replica is refused only where all is taken, also while it gives back what was idle", () =>
  checkAsyncProperty(asyncProperty(integer({ min: 0 }), simulate), 20));
