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

let passed = 0;
let failed = 0;
let rest = "";
for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
  write(part);
  rest += part;
  const lines = rest.split("\n");
  rest = lines.pop() ?? "";
  for (const line of lines) {
    const counts = /^(?:ok|FAILED) \| (\d+) passed(?: \([^)]*\))? \| (\d+) failed/.exec(line);
    passed += Number(counts?.[1] ?? 0);
    failed += Number(counts?.[2] ?? 0);
  }
}
clearTimeout(deadline);
const { code } = await child.status;
write(`${passed} passed, ${failed} failed\n`);
Deno.exit(passed === 0 ? 1 : code);
