/** Slices of the soak, of some seconds; `deno task soak` runs the whole. */
import assert from "node:assert/strict";
import { SEED } from "../seed.ts";
import { hour } from "./hour.ts";
import { soak } from "./soak.ts";
import { failures, hourFailures, hourTold, told } from "./verdict.ts";

async function say(text: string): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(`${text}\n`));
}

Deno.test("a slice of the soak: nothing is lost, doubled or left open", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const result = await soak({ seconds: 4, rate: 60, keys: 200, seed: SEED, folder, patience: 5 });
    await say(told(result));
    assert.deepEqual(failures(result, { memory: false }), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("six compressed minutes: what requests take is given back, and no timer is left", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const result = await hour({ minutes: 6, perMinute: 200, keys: 20, seed: SEED, folder });
    await say(hourTold(result));
    assert.deepEqual(hourFailures(result, { bytes: 2_000 }), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
