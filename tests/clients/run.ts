/**
 * The `clients` task: installs real clients from npm, then runs the tests that drive them.
 * @module
 */
const HERE = new URL(".", import.meta.url).pathname;
const CACHE = `${HERE}.cache`;
const CLAUDE_CODE = "@anthropic-ai/claude-code-linux-x64@2.1.330";

function write(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function install(): Promise<void> {
  if (await exists(`${CACHE}/node_modules/@anthropic-ai/claude-code-linux-x64/claude`)) return;
  await Deno.mkdir(CACHE, { recursive: true });
  await Deno.writeTextFile(`${CACHE}/package.json`, '{"private":true}\n');
  write(`Installing ${CLAUDE_CODE} (some 240 MB)\n`);
  // The program itself, without the script that would choose it for the platform.
  const npm = new Deno.Command("npm", {
    args: [
      "install",
      "--no-audit",
      "--no-fund",
      "--ignore-scripts",
      "--loglevel=error",
      CLAUDE_CODE,
    ],
    cwd: CACHE,
    stdin: "null",
  });
  const { code } = await npm.spawn().status;
  if (code !== 0) Deno.exit(code);
}

await install();
const tests = new Deno.Command(Deno.execPath(), {
  args: ["run", "--allow-all", `${HERE}../run.ts`, `${HERE}claude_code.ts`],
});
Deno.exit((await tests.spawn().status).code);
