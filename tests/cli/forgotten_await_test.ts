/** A plugin that forgets to await: its server tells, and goes on. */
import assert from "node:assert/strict";
import { startSimulator } from "../../src/simulator/simulator.ts";
import { inFolder, outcrop, startServe } from "./outcrop.ts";

const PLUGIN = `export default ({ define, z }) => define({
  name: "forgets",
  schema: z.strictObject({}).prefault({}),
  setup: () => ({
    onCall(ctx) {
      const check = async () => {
        await null;
        if (ctx.headers.has("x-refuse")) ctx.reject("permission_error", "Not today");
        throw new Error("Nobody awaits this");
      };
      check();
    },
  }),
});
`;

Deno.test("a rejected promise that nobody awaits is told in the log, and ends no server", () =>
  inFolder(async (folder) => {
    const simulator = startSimulator();
    await Deno.writeTextFile(`${folder}/forgets.ts`, PLUGIN);
    await Deno.writeTextFile(
      `${folder}/config.yaml`,
      `listen: { port: 0 }
store: { use: deno_kv, path: keys.db }
aws: { endpoint: "${simulator.url}" }
plugins: [ { use: auth }, { use: ./forgets.ts } ]
`,
    );
    const { out } = await outcrop(["keys", "create", "--name", "k", "--json"], folder);
    const { key } = JSON.parse(out);
    const { server, told, ended } = startServe(folder);
    try {
      const [, url = ""] = await told.next(/Listening on (http:\/\/127\.0\.0\.1:\d+).*\n/);
      const ask = async (headers: Record<string, string>) => {
        const response = await fetch(`${url}/v1/messages`, {
          method: "POST",
          headers: { "x-api-key": key, ...headers },
          body: JSON.stringify({
            model: "claude-haiku-4-5",
            max_tokens: 50,
            messages: [{ role: "user", content: "[[sim:echo]] hello" }],
          }),
        });
        await response.body?.cancel();
        return response.status;
      };
      assert.equal(await ask({}), 200);
      await told.next(
        /nobody awaits: await everything inside a plugin's hook.*Nobody awaits this/s,
      );
      assert.equal(await ask({ "x-refuse": "1" }), 200); // too late to refuse
      await told.next(/Plugin forgets refused in onCall after it had ended/);
      assert.equal(await ask({}), 200);
    } finally {
      server.kill("SIGTERM");
      await ended();
      await simulator.close();
    }
  }));
