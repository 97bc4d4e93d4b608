/** `outcrop plugin`: what it writes works, and what it shows is what runs. */
import assert from "node:assert/strict";
import { withHarness } from "../harness.ts";
import { inFolder, outcrop, ROOT } from "./outcrop.ts";

Deno.test("plugin new writes a plugin that loads and works, and a test that passes and can fail", () =>
  inFolder(async (folder) => {
    const made = await outcrop(["plugin", "new", "department"], folder);
    assert.equal(made.code, 0, made.err);
    assert.match(made.out, /Wrote my_plugins\/department\.ts and my_plugins\/department_test\.ts/);

    const file = `${folder}/my_plugins/department.ts`;
    const deno = (...args: string[]) =>
      new Deno.Command(Deno.execPath(), {
        args,
        stdout: "piped",
        stderr: "piped",
        env: { NO_COLOR: "1" },
      }).output();
    const test = () =>
      deno("test", "--no-check", "--no-config", `${folder}/my_plugins/department_test.ts`);
    const checked = await deno("check", "--config", `${ROOT}deno.json`, file);
    assert.equal(checked.code, 0, new TextDecoder().decode(checked.stderr));
    const passed = await test();
    const text = new TextDecoder().decode(passed.stdout);
    assert.equal(passed.code, 0, text + new TextDecoder().decode(passed.stderr));
    assert.match(text, /4 passed \| 0 failed/);

    const config = "plugins: [ { use: auth }, { use: ./my_plugins/department.ts } ]\n";
    await withHarness({ config, base: folder }, async ({ post }) => {
      const body = { model: "sim.echo", max_tokens: 9, messages: [{ role: "user", content: "a" }] };
      const refused = await post(body);
      assert.equal(refused.status, 403);
      assert.match(await refused.text(), /x-department: send your department/);
      const taken = await post(body, { "x-department": "legal" });
      assert.equal(taken.status, 200);
      await taken.body?.cancel();
    });

    const source = await Deno.readTextFile(file);
    await Deno.writeTextFile(file, source.replace("return ctx.reject", "return void"));
    assert.notEqual((await test()).code, 0, "the test fails where the plugin refuses nothing");
  }));

Deno.test("plugin new writes over nothing, and wants a name that config.yaml can have", () =>
  inFolder(async (folder) => {
    assert.equal((await outcrop(["plugin", "new", "mine", "--folder", "p"], folder)).code, 0);
    const again = await outcrop(["plugin", "new", "mine", "--folder", "p"], folder);
    assert.equal(again.code, 1);
    assert.match(again.err, /Cannot write p\/mine\.ts as it is there already: choose another name/);
    const bad = await outcrop(["plugin", "new", "My-Plugin"], folder);
    assert.equal(bad.code, 2);
    assert.match(bad.err, /lower-case letters, digits and _/);
  }));

Deno.test("plugin list shows each plugin, where it is from, and the order of each hook", () =>
  inFolder(async (folder) => {
    const plugin = (name: string) =>
      `export default ({ define, z }) => define({ name: "${name}", schema: z.strictObject({}).prefault({}),
        setup: () => ({ onCall() {}, onEvent() {} }) });`;
    await Deno.writeTextFile(`${folder}/one.ts`, plugin("one"));
    await Deno.writeTextFile(`${folder}/two.ts`, plugin("two"));
    await Deno.writeTextFile(
      `${folder}/config.yaml`,
      "store: { use: memory }\nplugins:\n  - use: auth\n  - use: ./one.ts\n    on_error: continue\n  - use: ./two.ts\n    timeout_ms: 50\n",
    );
    const { code, out, err } = await outcrop(["plugin", "list"], folder);
    assert.equal(code, 0, err);
    const rows = out.split("\n").map((line) => line.trim().split(/\s{2,}/));
    assert.deepEqual(rows.slice(0, 4), [
      ["PLUGIN", "FROM", "ONREQUEST", "ONCALL", "ONEVENT", "ONCOMPLETE", "ON ERROR", "TIMEOUT"],
      ["auth", "built in", "1", "1", "reject", "2000 ms"],
      ["one", "./one.ts", "2", "2", "continue", "2000 ms"],
      ["two", "./two.ts", "3", "1", "reject", "50 ms"],
    ]);
    const json = await outcrop(["plugin", "list", "--json"], folder);
    const { data } = JSON.parse(json.out);
    assert.deepEqual(data[2], {
      plugin: "two",
      from: "./two.ts",
      hooks: ["onCall", "onEvent"],
      on_error: "reject",
      timeout_ms: 50,
      holds_reply: false,
      collects_message: false,
    });
  }));
