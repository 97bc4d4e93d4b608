/** Several workers serve one port: a crashed one is replaced, all are drained at SIGTERM. */
import assert from "node:assert/strict";
import { startSimulator } from "../../src/simulator/simulator.ts";
import { parseSse } from "../harness.ts";
import { inFolder, outcrop, startServe } from "./outcrop.ts";

/** Tells which worker answers, crashes it when asked to, as a forgotten callback does, and starts none while it is held. */
const PLUGIN = `export default ({ define, z }) => define({
  name: "which",
  schema: z.strictObject({}).prefault({}),
  async setup() {
    const held = new URL("held", import.meta.url);
    while (await Deno.stat(held).then(() => true, () => false)) await new Promise((r) => setTimeout(r, 20));
    return {
      onRequest(ctx) {
        ctx.responseHeaders.set("x-worker", self.name);
        if (ctx.headers.has("x-crash")) setTimeout(() => { throw new Error("A forgotten callback"); }, 0);
      },
    };
  },
});
`;

/** A request on a connection of its own, for which the system chooses a worker anew. */
async function ask(url: string, init: RequestInit = {}): Promise<Response> {
  const client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  try {
    const response = await fetch(url, { ...init, client });
    return new Response(await response.text(), response);
  } finally {
    client.close();
  }
}

/** Asks until the answer is as wanted; the server's deadline ends what never comes. */
async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look().catch(() => undefined);
    if (found !== undefined) return found;
  }
}

const ANSWERS = 200;

Deno.test("two workers serve one port; a crashed one is replaced; SIGTERM drains both", () =>
  inFolder(async (folder) => {
    const simulator = startSimulator();
    await Deno.writeTextFile(`${folder}/which.ts`, PLUGIN);
    await Deno.writeTextFile(
      `${folder}/config.yaml`,
      `listen: { port: 0, workers: 2 }
store: { use: deno_kv, path: keys.db }
aws: { endpoint: "${simulator.url}" }
plugins: [ { use: auth }, { use: ./which.ts }, { use: usage } ]
`,
    );
    const { key } = JSON.parse(
      (await outcrop(["keys", "create", "--name", "k", "--json"], folder)).out,
    );
    const { server, told, ended } = startServe(folder);
    let stop = () => server.kill("SIGTERM");
    let answers = 0;
    try {
      const [line, url = ""] = await told.next(/Listening on (http:\/\/127\.0\.0\.1:\d+).*\n/);
      assert.match(line, /keys=1 .*workers=2\n$/);
      assert.equal((await ask(`${url}/ready`)).status, 200);

      const body = (stream: boolean, text: string) =>
        JSON.stringify({
          model: stream ? "sim.slow-20" : "sim.echo",
          max_tokens: 50,
          stream,
          messages: [{ role: "user", content: text }],
        });
      const call = (headers: Record<string, string> = {}) =>
        ask(`${url}/v1/messages`, {
          method: "POST",
          headers: { "x-api-key": key, ...headers },
          body: body(false, "[[sim:echo]] hello"),
        });
      const workers = async (wanted: number = 2) => {
        const seen = new Set<string>();
        for (let n = 0; n < ANSWERS && seen.size < wanted; n++) {
          const answer = await call();
          assert.equal(answer.status, 200);
          answers++;
          seen.add(answer.headers.get("x-worker") ?? "");
        }
        return [...seen].sort();
      };
      assert.deepEqual(await workers(), ["worker 1", "worker 2"]);

      await Deno.writeTextFile(`${folder}/held`, "");
      await call({ "x-crash": "1" }).catch(() => undefined); // the answer may be cut by it
      const [, crashed] = await told.next(/Worker (\d) has crashed: another takes its place.*\n/);
      const other = [`worker ${crashed === "1" ? 2 : 1}`];
      // The system takes some moments to end the crashed one's part of the port.
      const twenty = async () => {
        for (let n = 0; n < 20; n++) await ask(`${url}/health`);
        return true;
      };
      await until(twenty);
      for (let n = 0; n < 20; n++) assert.deepEqual(await workers(1), other);
      const ready = await ask(`${url}/ready`);
      assert.equal(ready.status, 503);
      assert.deepEqual((await ready.json()).reasons, ["a worker does not listen yet"]);
      assert.equal((await ask(`${url}/health`)).status, 200);
      await Deno.remove(`${folder}/held`);
      await told.next(/Worker \d listens again.*\n/);
      await until(async () => (await ask(`${url}/ready`)).status === 200 ? true : undefined);
      assert.deepEqual(await workers(), ["worker 1", "worker 2"]);

      const open = await fetch(`${url}/v1/messages`, {
        method: "POST",
        headers: { "x-api-key": key },
        body: body(true, "hello"),
      });
      stop();
      stop = () => {}; // a second signal would end it at once
      assert.equal(parseSse(await open.text()).at(-1)?.event, "message_stop");
    } finally {
      stop();
    }
    await ended();
    assert.equal((await server.status).code, 0);
    await simulator.close();
    const usage = await outcrop(["usage", "--json"], folder);
    const { requests } = JSON.parse(usage.out).totals;
    // Those of all workers; the one that crashed its worker may or may not have been answered.
    assert.ok([answers + 1, answers + 2].includes(requests), `${answers} answers, ${usage.out}`);
  }));
