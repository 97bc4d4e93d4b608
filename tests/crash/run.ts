/**
 * The `crash` task: gateways killed at random moments under load, and cut off their store; a table of what clients saw
 * and what was counted. Exits with 1 where a reply was lost or counted twice.
 *
 * `deno task crash [KILLS] [SECONDS]` kills so often in each campaign (50), and cuts off for so long (60). With the
 * defaults it writes bench/crash.json. `FC_SEED=…` repeats the random choices.
 * @module
 */
import { table } from "../../src/cli/terminal.ts";
import { SEED } from "../seed.ts";
import { type CampaignResult, crashCampaign } from "./campaign.ts";
import { outage, type OutageResult } from "./outage.ts";
import type { StoreName } from "./stage.ts";

const [KILLS, SECONDS] = [Number(Deno.args[0] ?? 50), Number(Deno.args[1] ?? 60)];
const FIGURES = ["replies", "cut", "records", "lost", "doubled", "misspent", "wrong"] as const;
const CAMPAIGNS: readonly [store: StoreName, workers: number][] = [
  ["deno_kv", 1],
  ["deno_kv", 2],
  ["dynamodb", 1],
  ["dynamodb", 2],
];

function write(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

function row(name: string, result: CampaignResult | OutageResult): Record<string, string | number> {
  return {
    campaign: name,
    ...Object.fromEntries(FIGURES.map((figure) => [figure, result[figure]])),
  };
}

write(`FC_SEED=${SEED}`);
const campaigns: CampaignResult[] = [];
for (const [store, workers] of CAMPAIGNS) {
  if (KILLS === 0) break;
  const result = await crashCampaign({ store, workers, kills: KILLS, seed: SEED });
  campaigns.push(result);
  write(JSON.stringify(result));
}
const cutOff = await outage({ seconds: SECONDS, seed: SEED });
write(JSON.stringify(cutOff));
write(table([
  ...campaigns.map((one) => {
    const { store, workers, killed, crashed } = one;
    return row(`${store}, ${workers} workers: ${killed} kills, ${crashed} crashes`, one);
  }),
  row(`dynamodb away for ${SECONDS} s`, cutOff),
]));
if (KILLS === 50 && SECONDS === 60) {
  const file = new URL("../../bench/crash.json", import.meta.url);
  const results = { deno: Deno.version.deno, campaigns, outage: cutOff };
  await Deno.writeTextFile(file, `${JSON.stringify(results, null, 2)}\n`);
}
const bad = [...campaigns, cutOff].some((one) =>
  one.lost + one.doubled + one.misspent + one.wrong > 0
);
const unnamed = Object.keys(cutOff.server_errors).length > 0;
Deno.exit(bad || unnamed ? 1 : 0);
