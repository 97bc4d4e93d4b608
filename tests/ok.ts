/**
 * The `ok` task: format, lint, documentation, dependencies, types, tests; stops at the first that is not.
 *
 * `--no-test` leaves the tests out, for who runs them by themselves.
 * @module
 */
import { dependencyFacts, dependencyFindings } from "./lint/dependencies.ts";
import { undocumented } from "./lint/documentation.ts";

function write(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

async function step(name: string, args: string[]): Promise<void> {
  write(`ok: ${name}\n`);
  const { code } = await new Deno.Command(Deno.execPath(), { args, stdin: "null" }).spawn().status;
  if (code === 0) return;
  write(`ok: ${name} failed\n`);
  Deno.exit(code);
}

await step("format", ["fmt", "--check", "--quiet"]);
await step("lint", ["lint", "--quiet"]);
write("ok: documentation\n");
const findings = await undocumented();
if (findings.length > 0) {
  write(`${findings.join("\n")}\nok: documentation failed\n`);
  Deno.exit(1);
}
write("ok: dependencies\n");
const wrong = dependencyFindings(await dependencyFacts());
if (wrong.length > 0) {
  write(`${wrong.join("\n")}\nok: dependencies failed\n`);
  Deno.exit(1);
}
await step("types", ["check", "--quiet", "src", "plugins", "tests", "bench", "examples"]);
if (!Deno.args.includes("--no-test")) await step("tests", ["task", "--quiet", "test"]);
