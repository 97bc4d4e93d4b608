/**
 * The `clients` task: installs real clients from npm, then runs the tests that drive them.
 * @module
 */
const HERE = new URL(".", import.meta.url).pathname;
const CACHE = `${HERE}.cache`;
const INSTALLED = `${CACHE}/installed.json`;
const TESTS = [
  "claude_code.ts",
  "claude_code_2_1_330.ts",
  "claude_code_2_1_197.ts",
  "claude_code_models.ts",
  "agent_sdk.ts",
];

const CLAUDE_CODE = "npm:@anthropic-ai/claude-code-linux-x64";
/** Claude Code's programs themselves, without the script that would choose one for the platform. */
const MANIFEST = JSON.stringify({
  private: true,
  dependencies: {
    "claude-code-2.1.330": `${CLAUDE_CODE}@2.1.330`,
    "claude-code-2.1.197": `${CLAUDE_CODE}@2.1.197`,
    "@anthropic-ai/claude-agent-sdk": "0.3.330",
    "zod": "4.6.7",
  },
});

function write(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

/** What the last install that came to its end has installed. */
async function installed(): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(INSTALLED);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function install(): Promise<void> {
  if (await installed() === MANIFEST) return;
  await Deno.mkdir(CACHE, { recursive: true });
  await Deno.writeTextFile(`${CACHE}/package.json`, MANIFEST);
  write("Installing two versions of Claude Code and its Agent SDK (some 660 MB)\n");
  const npm = new Deno.Command("npm", {
    args: [
      "install",
      "--omit=optional", // the Agent SDK's own copy of Claude Code
      "--no-audit",
      "--no-fund",
      "--ignore-scripts",
      "--loglevel=error",
    ],
    cwd: CACHE,
    stdin: "null",
  });
  const { code } = await npm.spawn().status;
  if (code !== 0) Deno.exit(code);
  await Deno.writeTextFile(INSTALLED, MANIFEST);
}

await install();
const tests = new Deno.Command(Deno.execPath(), {
  args: [
    "run",
    "--allow-all",
    `${HERE}../run.ts`,
    "--parallel", // the files: clients wait more than they work
    ...TESTS.map((file) => `${HERE}${file}`),
  ],
});
Deno.exit((await tests.spawn().status).code);
