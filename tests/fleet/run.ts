/**
 * The `fleet` task: eight processes on one DynamoDB Local. Prints what they let through, writes `bench/fleet.json`, and
 * exits with 1 where a limit, a budget or a revocation did not hold, or what they allow was not to be had.
 * @module
 */
import { type FleetOptions, runFleet } from "./fleet.ts";

const OPTIONS: FleetOptions = { processes: 8, seconds: 60, limit: 240, budgetUsd: 0.05 };

const result = await runFleet(OPTIONS);
const text = `${JSON.stringify({ deno: Deno.version.deno, ...result }, null, 2)}\n`;
Deno.stdout.writeSync(new TextEncoder().encode(text));
await Deno.writeTextFile(new URL("../../bench/fleet.json", import.meta.url), text);

const held = [result.together, result.lone].every(({ admitted, allowed, other }) => {
  const share = admitted.reduce((sum, one) => sum + one, 0) / allowed;
  return share <= 1.02 && share >= 0.95 && Object.keys(other).length === 0;
});
const { revoked_ms, spent_usd, request_usd, budgetUsd } = result;
const isSpent = spent_usd <= budgetUsd + request_usd && spent_usd > 0.99 * budgetUsd;
const isWell = held && revoked_ms <= 2_000 && isSpent;
Deno.exit(isWell ? 0 : 1);
