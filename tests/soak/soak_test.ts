/** A slice of the soak, of some seconds; `deno task soak` runs the whole. */
import assert from "node:assert/strict";
import { SEED } from "../seed.ts";
import { soak } from "./soak.ts";
import { failures, told } from "./verdict.ts";

Deno.test("a slice of the soak: nothing is lost, doubled or left open", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const result = await soak({ seconds: 4, rate: 60, keys: 200, seed: SEED, folder, patience: 5 });
    Deno.stdout.writeSync(new TextEncoder().encode(`${told(result)}\n`));
    assert.deepEqual(failures(result, { memory: false }), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
