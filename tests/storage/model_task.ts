/**
 * The `model` task: random calls by several at once against a model of the store, on each store.
 *
 * `deno task model [STEPS]` makes so many steps on each, 10,000 unless told, which also writes `bench/stores.json`;
 * `FC_SEED=…` repeats a run.
 * @module
 */
import { table } from "../../src/cli/terminal.ts";
import { localServer } from "../dynamodb_local.ts";
import { SEED } from "../seed.ts";
import { runModel } from "./model/run.ts";
import { MODELLED } from "./model/stores.ts";

const FULL = 10_000;
const STEPS = Number(Deno.args[0] ?? FULL);

function write(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

write(`FC_SEED=${SEED}`);
const { backend } = await localServer();
const rows = [];
for (const [name, open] of Object.entries(MODELLED)) {
  const handles = await open();
  const began = performance.now();
  const steps = await runModel(handles, { steps: STEPS, seed: SEED });
  await handles.close();
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  rows.push({ store: name, on: name === "dynamodb" ? backend : "", steps, seconds, wrong: 0 });
}
write(table(rows));
if (STEPS === FULL) {
  const figures = { deno: Deno.version.deno, seed: SEED, rows };
  const file = new URL("../../bench/stores.json", import.meta.url);
  await Deno.writeTextFile(file, `${JSON.stringify(figures, null, 2)}\n`);
}
