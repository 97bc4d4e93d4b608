/**
 * The `soak` task: 200 keys, mixed load, random faults, ten minutes; then an hour's worth of it, compressed.
 *
 * `deno task soak [--seconds N] [--rate N] [--minutes N] [--per-minute N] [--seed N] [--write]`; `--write` keeps the
 * figures in bench/soak.json.
 * @module
 */
import { parseArgs } from "node:util";
import { hour } from "./hour.ts";
import { soak } from "./soak.ts";
import { failures, hourFailures, hourTold, told } from "./verdict.ts";

/** Bytes of the heap that a request may keep, by figures that blur a little. */
const BLUR_BYTES = 50;

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

const { values } = parseArgs({
  args: Deno.args,
  options: {
    seconds: { type: "string", default: "600" },
    rate: { type: "string", default: "80" },
    minutes: { type: "string", default: "60" },
    "per-minute": { type: "string", default: "600" },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
    write: { type: "boolean", default: false },
  },
});
const folder = await Deno.makeTempDir();
const hourFolder = await Deno.makeTempDir();
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
  const compressed = await hour({
    minutes: Number(values.minutes),
    perMinute: Number(values["per-minute"]),
    keys: 200,
    seed,
    folder: hourFolder,
  });
  say(hourTold(compressed));
  if (values.write) {
    const file = new URL("../../bench/soak.json", import.meta.url);
    const kept = { ...result, hour: compressed };
    await Deno.writeTextFile(file, `${JSON.stringify(kept, undefined, 2)}\n`);
  }
  const wrong = [
    ...failures(result, { memory: true }),
    ...hourFailures(compressed, { bytes: BLUR_BYTES }),
  ];
  for (const line of wrong) say(`NOT: ${line}`);
  Deno.exitCode = wrong.length === 0 ? 0 : 1;
} finally {
  for (const made of [folder, hourFolder]) await Deno.remove(made, { recursive: true });
}
