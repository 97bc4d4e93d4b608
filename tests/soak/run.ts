/**
 * The `soak` task: 200 keys, mixed load, random faults, ten minutes.
 *
 * `deno task soak [--seconds N] [--rate N] [--seed N] [--write]`; `--write` keeps the figures in bench/soak.json.
 * @module
 */
import { parseArgs } from "node:util";
import { soak } from "./soak.ts";
import { failures, told } from "./verdict.ts";

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

const { values } = parseArgs({
  args: Deno.args,
  options: {
    seconds: { type: "string", default: "600" },
    rate: { type: "string", default: "80" },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
    write: { type: "boolean", default: false },
  },
});
const folder = await Deno.makeTempDir();
try {
  const seed = Number(values.seed);
  say(`soak of ${values.seconds} s, seed ${seed}`);
  const result = await soak({
    seconds: Number(values.seconds),
    rate: Number(values.rate),
    keys: 200,
    patience: 10,
    seed,
    folder,
    progress: say,
  });
  say(told(result));
  if (values.write) {
    const file = new URL("../../bench/soak.json", import.meta.url);
    await Deno.writeTextFile(file, `${JSON.stringify(result, undefined, 2)}\n`);
  }
  const wrong = failures(result, { memory: true });
  for (const line of wrong) say(`NOT: ${line}`);
  Deno.exitCode = wrong.length === 0 ? 0 : 1;
} finally {
  await Deno.remove(folder, { recursive: true });
}
