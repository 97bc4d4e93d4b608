/** Some processes on one DynamoDB Local; `deno task fleet` is the whole campaign. */
import assert from "node:assert/strict";
import { runFleet } from "./fleet.ts";

Deno.test("three processes on one table: limits and budgets hold, a revoked key is refused everywhere within 2 s", async () => {
  const result = await runFleet({ processes: 3, seconds: 8, limit: 120, budgetUsd: 0.004 });
  const told = JSON.stringify(result);
  for (const { admitted, allowed, other } of [result.together, result.lone]) {
    const sum = admitted.reduce((total, one) => total + one, 0);
    assert.ok(sum <= allowed * 1.02, told);
    assert.ok(sum >= allowed * 0.85, told);
    assert.ok(Math.min(...admitted) > 0, told);
    assert.deepEqual(other, {}, told);
  }
  assert.ok(result.revoked_ms <= 2_000, told);
  assert.ok(result.revoked_refused > 0, told);
  assert.ok(result.spent_usd > 0.0039, told); // all of it can be spent
  assert.ok(result.spent_usd <= 0.004 + result.request_usd, told);
});
