/** plugins/README.md tells of every built-in plugin and every setting it has, and of no other. */
import assert from "node:assert/strict";
import { builtins } from "../../plugins/mod.ts";
import { DEFAULT_PLUGINS } from "../../src/config/schema.ts";
import { PAGE, plain, settingsTable, tableIn } from "../lint/plugin_docs.ts";

const page = await Deno.readTextFile(PAGE);

for (const name of Object.keys(builtins)) {
  Deno.test(`plugins/README.md has the settings of ${name} (deno run -A tests/lint/plugin_docs.ts writes them)`, () => {
    assert.equal(plain(tableIn(page, name) ?? ""), plain(settingsTable(name)));
  });
}

Deno.test("plugins/README.md tells of no plugin that is not built in", () => {
  const told = [...page.matchAll(/<!-- settings of (\w+) -->/g)].map(([, name]) => name);
  assert.deepEqual(told.toSorted(), Object.keys(builtins).toSorted());
});

Deno.test("plugins/README.md has the plugins of the default pipeline in its order", () => {
  const told = [...page.matchAll(/^### (\w+)$/gm)].map(([, name = ""]) => name);
  assert.deepEqual(told.filter((name) => DEFAULT_PLUGINS.includes(name)), DEFAULT_PLUGINS);
});

Deno.test("every plugin of the default pipeline is built in", () => {
  for (const name of DEFAULT_PLUGINS) assert.ok(name in builtins, name);
});
