/** A slice of what `deno task model` runs in full: random calls at once, against a model of the store. */
import { SEED } from "../seed.ts";
import { runModel } from "./model/run.ts";
import { MODELLED } from "./model/stores.ts";

const STEPS: Readonly<Record<string, number>> = { memory: 2_000, deno_kv: 1_000, dynamodb: 200 };

for (const [name, open] of Object.entries(MODELLED)) {
  Deno.test(`${name}: random calls by several at once do what the model does`, async () => {
    const handles = await open();
    try {
      await runModel(handles, { steps: STEPS[name] ?? 200, seed: SEED });
    } finally {
      await handles.close();
    }
  });
}
