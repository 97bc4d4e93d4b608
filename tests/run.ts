/**
 * The test task: every test and every example in the documentation, then one line that counts them.
 *
 * `deno task test [FILE…]` runs some of them; `FC_SEED=…` repeats a run's random choices.
 * @module
 */
import { SEED } from "./seed.ts";

const GIVEN = Deno.args.length > 0 ? Deno.args : ["src", "plugins", "tests"];

function write(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

write(`FC_SEED=${SEED}\n`);
const child = new Deno.Command(Deno.execPath(), {
  args: ["test", "--allow-all", "--doc", ...GIVEN],
  env: { FC_SEED: String(SEED), NO_COLOR: "1" },
  stdout: "piped",
  stderr: "inherit",
}).spawn();

/** A test that waits for what never comes must fail, not stay. */
const DEADLINE_MS = 15 * 60_000;
const deadline = setTimeout(() => {
  write(
    "The tests did not end within 15 minutes: the last one named above waits for what does not come\n",
  );
  child.kill("SIGKILL");
}, DEADLINE_MS);

/** Data cases that passed and failed, by area. */
const areas = new Map<string, [passed: number, failed: number]>();

function countCase(line: string): void {
  const [, area, result] = /^case (\w+)\/\w+ \.\.\. (ok|FAILED)/.exec(line) ?? [];
  if (area === undefined) return;
  const counts = areas.get(area) ?? [0, 0];
  counts[result === "ok" ? 0 : 1]++;
  areas.set(area, counts);
}

/** A table of the areas, or nothing where no case ran. */
function caseTable(): string {
  if (areas.size === 0) return "";
  const rows = [...areas].sort(([a], [b]) => a < b ? -1 : 1);
  const sum = (which: 0 | 1) => rows.reduce((total, [, counts]) => total + counts[which], 0);
  return [["cases", ["passed", "failed"]] as const, ...rows, ["all", [sum(0), sum(1)]] as const]
    .map(([name, [ok, bad]]) =>
      `${name.padEnd(14)}${String(ok).padStart(8)}${String(bad).padStart(8)}\n`
    ).join("");
}

let passed = 0;
let failed = 0;
let rest = "";
for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
  write(part);
  rest += part;
  const lines = rest.split("\n");
  rest = lines.pop() ?? "";
  for (const line of lines) {
    countCase(line);
    const counts = /^(?:ok|FAILED) \| (\d+) passed(?: \([^)]*\))? \| (\d+) failed/.exec(line);
    passed += Number(counts?.[1] ?? 0);
    failed += Number(counts?.[2] ?? 0);
  }
}
clearTimeout(deadline);
const { code } = await child.status;
write(caseTable());
write(`${passed} passed, ${failed} failed\n`);
Deno.exit(passed === 0 ? 1 : code);
