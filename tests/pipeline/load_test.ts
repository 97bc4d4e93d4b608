/** What stops the start: each wrong plugin, with its place in the file. */
import assert from "node:assert/strict";
import { systemClock } from "../../src/clock.ts";
import { parseConfig } from "../../src/config/load.ts";
import { Sharing } from "../../src/sharing/shared.ts";
import { DirectLedger } from "../../src/ledger/direct.ts";
import { openLog } from "../../src/log.ts";
import { closePlugins, loadPlugins } from "../../src/pipeline/load.ts";
import type { KeyDirectory } from "../../src/pipeline/plugin.ts";
import { openMemoryStore } from "../../src/storage/memory.ts";
import { builtins } from "../../plugins/mod.ts";

const nobody: KeyDirectory = {
  verify: () => ({ ok: false, reason: "unknown" }),
  used: () => undefined,
};

async function load(source: string, entry: string = "", env: Record<string, string> = {}) {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/mine.ts`, source);
    const text = `plugins:\n  - use: auth\n  - use: ./mine.ts\n${entry}`;
    const loaded = parseConfig(text, { file: `${folder}/config.yaml`, env: (name) => env[name] });
    const log = openLog({ level: "error", format: "json", write: () => {} });
    const store = openMemoryStore({ clock: systemClock });
    const memory = new Map();
    const clock = systemClock;
    const ledger = new DirectLedger(store, clock);
    const sharing = new Sharing(store, clock);
    const keys = nobody;
    return await loadPlugins({
      loaded,
      builtins,
      store,
      ledger,
      sharing,
      keys,
      log,
      clock,
      memory,
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const define = (members: string) =>
  `export default ({ define, z }) => define({ name: "mine", schema: z.strictObject({ from: z.int().default(1) }), ${members} });`;

const WRONG: Record<string, [source: string, wanted: RegExp, entry?: string]> = {
  "has no default export": [
    "export const plugin = 1;",
    /config\.yaml:3:5 plugins\.1\.use: .*default export: it has undefined$/,
  ],
  "does not parse": [
    "export default ({",
    /config\.yaml:3:5 plugins\.1\.use: Cannot load .*mine\.ts: /,
  ],
  "returns nothing": [
    "export default () => {};",
    /plugins\.1\.use: the plugin's factory must return what define\(\) returns/,
  ],
  "has a bad name": [
    "export default ({ define, z }) => define({ name: 'My-Plugin', schema: z.object({}), setup: () => ({}) });",
    /name must be lower-case letters, digits and _: it is "My-Plugin"$/,
  ],
  "has no schema": [
    "export default ({ define }) => define({ name: 'mine', setup: () => ({}) });",
    /plugin mine must have a zod schema/,
  ],
  "has no setup": [define(""), /plugin mine must have setup\(settings, host\)/],
  "has an unknown member": [
    define("failures: 'open', setup: () => ({})"),
    /unknown member 'failures': did you mean 'failure'\?/,
  ],
  "has a misspelled hook": [
    define("setup: () => ({ onRequests() {} })"),
    /plugin mine has an unknown hook 'onRequests': did you mean 'onRequest'\?/,
  ],
  "has a hook that is no function": [
    define("setup: () => ({ onCall: 5 })"),
    /hook onCall must be a function: it is number$/,
  ],
  "has an async onEvent": [
    define("setup: () => ({ async onEvent() {} })"),
    /onEvent must be a plain function/,
  ],
  "has a generator as onEvent": [
    define("setup: () => ({ *onEvent() {} })"),
    /onEvent must be a plain function/,
  ],
  "returns no hooks": [
    define("setup: () => 5"),
    /setup must return an object of hooks: it returned number$/,
  ],
  "refuses to start": [
    define("setup() { throw new Error('No licence found'); }"),
    /plugin mine refused to start: No licence found$/,
  ],
  "needs another plugin": [
    define("requires: ['budget'], setup: () => ({})"),
    /plugin mine needs 'budget' before it in the list/,
  ],
  "is given an unknown setting": [
    define("setup: () => ({})"),
    /config\.yaml:5:7 plugins\.1\.with.*Unrecognized key: "form"/,
    "    with:\n      form: 3\n",
  ],
  "is given a wrong setting": [
    define("setup: () => ({})"),
    /config\.yaml:5:7 plugins\.1\.with\.from: .*expected number/,
    "    with:\n      from: x\n",
  ],
  "stands in the list twice": [
    define("setup: () => ({})"),
    /plugin mine stands in the list twice/,
    "  - use: ./mine.ts\n",
  ],
  "has a policy that is none": [
    define('failure: "ajar", setup: () => ({})'),
    /plugin mine: failure must be one of closed, open, sealed/,
  ],
  "is sealed, and config.yaml would open it": [
    define('failure: "sealed", setup: () => ({})'),
    /config\.yaml:4:5 plugins\.1\.on_error: plugin mine says who comes in, and cannot be left out/,
    "    on_error: continue\n",
  ],
  "stands beside one that is not built in": [
    define("setup: () => ({})"),
    /config\.yaml:4:5 plugins\.2\.use: unknown plugin 'auht': did you mean 'auth'\?/,
    "  - use: auht\n",
  ],
};

for (const [what, [source, wanted, entry]] of Object.entries(WRONG)) {
  Deno.test(`loadPlugins() refuses a plugin that ${what}`, async () => {
    await assert.rejects(load(source, entry), (error: Error) => {
      assert.match(error.message, wanted);
      return error.name === "ConfigError";
    });
  });
}

Deno.test("loadPlugins() leaves a sealed plugin closed, where config.yaml says nothing or reject", async () => {
  for (const entry of ["", "    on_error: reject\n"]) {
    const plugins = await load(define('failure: "sealed", setup: () => ({})'), entry);
    assert.equal(plugins[1]?.closed, true);
  }
});

Deno.test("loadPlugins() loads TypeScript from a path, with its settings and its defaults", async () => {
  const source = `import type { PluginFactory } from "./nowhere.ts";
    const plugin: PluginFactory = ({ define, z }) => define({
      name: "mine", schema: z.strictObject({ from: z.int(), to: z.int().default(9) }), failure: "open", timeoutMs: 70,
      setup: (settings: { from: number; to: number }) => ({ onRequest() { throw new Error(JSON.stringify(settings)); } }),
    });
    export default plugin;`;
  const plugins = await load(source, "    with: { from: 2 }\n");
  assert.deepEqual(plugins.map(({ name, closed, timeoutMs }) => [name, closed, timeoutMs]), [
    ["auth", true, 2_000],
    ["mine", false, 70],
  ]);
  assert.throws(() => plugins[1]?.hooks.onRequest?.({} as never), /\{"from":2,"to":9\}/);
  await closePlugins(plugins);
});

Deno.test("loadPlugins() gives a variable in settings the type that the plugin's schema wants", async () => {
  const source = `export default ({ define, z }) => define({ name: "mine",
    schema: z.strictObject({ from: z.int(), on: z.boolean(), deep: z.object({ list: z.array(z.number()) }), secret: z.string() }),
    setup: (settings) => ({ onRequest() { throw new Error(JSON.stringify(settings)); } }) });`;
  const env: Record<string, string> = {
    FROM: "7",
    ON: "true",
    RATE: "0.5",
    SECRET: "12345678901234567890",
  };
  const entry =
    "    with:\n      from: ${FROM}\n      on: ${ON}\n      deep: { list: ['${RATE}', 2] }\n      secret: ${SECRET}\n";
  const plugins = await load(source, entry, env);
  assert.throws(
    () => plugins[1]?.hooks.onRequest?.({} as never),
    { message: '{"from":7,"on":true,"deep":{"list":[0.5,2]},"secret":"12345678901234567890"}' },
  );
  await assert.rejects(
    load(source, entry, { ...env, FROM: "seven" }),
    /plugins\.1\.with\.from: .*expected (int|number)/,
  );
});

Deno.test("loadPlugins() lets config.yaml decide over the plugin's own policy and deadline", async () => {
  const plugins = await load(
    define("failure: 'open', timeoutMs: 70, setup: () => ({})"),
    "    on_error: reject\n    timeout_ms: 5\n",
  );
  assert.deepEqual([plugins[1]?.closed, plugins[1]?.timeoutMs], [true, 5]);
});
