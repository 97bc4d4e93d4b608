/** A few kills of each kind; `deno task crash` is the whole campaign. */
import assert from "node:assert/strict";
import { SEED } from "../seed.ts";
import { outage } from "./outage.ts";
import { crashCampaign } from "./campaign.ts";
import type { StoreName } from "./stage.ts";

const SLICES: readonly [store: StoreName, workers: number, kills: number][] = [
  ["deno_kv", 1, 3],
  ["deno_kv", 2, 3],
  ["dynamodb", 1, 2],
];

for (const [store, workers, kills] of SLICES) {
  Deno.test(`killed ${kills} times under load, every reply is counted once (${store}, workers: ${workers})`, async () => {
    const result = await crashCampaign({ store, workers, kills, seed: SEED, clients: 6 });
    const { lost, doubled, misspent, wrong, replies, records, summed } = result;
    assert.deepEqual(
      { lost, doubled, misspent, wrong },
      { lost: 0, doubled: 0, misspent: 0, wrong: 0 },
      JSON.stringify(result),
    );
    // How many replies there were between kills is the machine's affair; that there were some is ours.
    assert.ok(replies > kills && records >= replies && summed === records, JSON.stringify(result));
  });
}

Deno.test("cut off DynamoDB for some seconds under load, every reply is counted once, and no client sees it", async () => {
  const result = await outage({ seconds: 5, seed: SEED, clients: 6 });
  const { lost, doubled, misspent, wrong, server_errors, ready } = result;
  assert.deepEqual(
    { lost, doubled, misspent, wrong, server_errors },
    { lost: 0, doubled: 0, misspent: 0, wrong: 0, server_errors: {} },
    JSON.stringify(result),
  );
  assert.ok(result.log_lines < 15, JSON.stringify(result)); // of each kind a line a minute
  // What has waited goes to the store after the outage, which may be slow then: ready or degraded, never out.
  assert.deepEqual([...new Set(ready)], ["200 ready", "200 degraded"]);
});
