/** Stopping: open answers finish, or are told that the server stops; usage is kept; a second signal ends at once. */
import assert from "node:assert/strict";
import { type Simulator, startSimulator } from "../../src/simulator/simulator.ts";
import { parseSse } from "../harness.ts";
import { inFolder, outcrop, Output, startServe } from "./outcrop.ts";

interface Running {
  readonly folder: string;
  readonly simulator: Simulator;
  readonly url: string;
  readonly told: Output;
  readonly server: Deno.ChildProcess;
  ask(mark: string): Promise<Response>;
}

/** Runs `test` with a server in a process of its own. */
function withServer(
  { workers, drain_s }: { workers: number; drain_s: number },
  test: (running: Running) => Promise<void>,
): Promise<void> {
  return inFolder(async (folder) => {
    const simulator = startSimulator();
    await Deno.writeTextFile(
      `${folder}/config.yaml`,
      `listen: { port: 0, workers: ${workers} }
store: { use: deno_kv, path: keys.db }
aws: { endpoint: "${simulator.url}" }
limits: { drain_s: ${drain_s} }
plugins: [ { use: auth }, { use: usage } ]
`,
    );
    const created = await outcrop(["keys", "create", "--name", "k", "--json"], folder);
    const { key } = JSON.parse(created.out);
    const { server, told, ended } = startServe(folder);
    try {
      const [, url = ""] = await told.next(/Listening on (http:\/\/127\.0\.0\.1:\d+).*\n/);
      const ask = (mark: string) =>
        fetch(`${url}/v1/messages`, {
          method: "POST",
          headers: { "x-api-key": key },
          body: JSON.stringify({
            model: "qwen.qwen3-32b-v1:0",
            max_tokens: 50,
            stream: true,
            messages: [{ role: "user", content: `[[sim:${mark}]]` }],
          }),
        });
      await test({ folder, simulator, url, told, server, ask });
    } finally {
      await ended();
      await simulator.close();
    }
  });
}

async function requestsKept(folder: string): Promise<number> {
  const { out } = await outcrop(["usage", "--json"], folder);
  return JSON.parse(out).totals.requests;
}

for (const workers of [1, 2]) {
  Deno.test(`SIGTERM: answers that can finish do, others are told; usage is kept; exit 0 (${workers} workers)`, () =>
    withServer({ workers, drain_s: 2 }, async ({ folder, simulator, told, server, url, ask }) => {
      const slow = await ask("slow 50");
      const stuck = await ask("stall-mid");
      const silent = ask("stall");
      await simulator.waitFor(({ text }) => text.includes("[[sim:stall]]"));
      server.kill("SIGTERM");
      await told.next(/Stopping: open answers get up to 2 s/);
      assert.equal(parseSse(await slow.text()).at(-1)?.event, "message_stop");
      const last = parseSse(await stuck.text()).at(-1);
      assert.equal(last?.event, "error");
      assert.deepEqual(last?.data.error, {
        type: "overloaded_error",
        message: "The gateway is stopping: try again",
      });
      const refused = await silent;
      assert.equal(refused.status, 529);
      assert.equal(refused.headers.get("retry-after"), "1");
      await refused.body?.cancel();
      assert.equal((await server.status).code, 0);
      await assert.rejects(fetch(`${url}/health`));
      assert.equal(await requestsKept(folder), 3);
    }));
}

Deno.test("SIGTERM: nobody new is let in while open answers finish", () =>
  withServer({ workers: 1, drain_s: 20 }, async ({ told, server, url, ask }) => {
    const slow = await ask("slow 100");
    server.kill("SIGTERM");
    await told.next(/Stopping/);
    const client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 }); // no connection of before
    await assert.rejects(fetch(`${url}/health`, { client }));
    client.close();
    assert.equal(parseSse(await slow.text()).at(-1)?.event, "message_stop");
    assert.equal((await server.status).code, 0);
  }));

Deno.test("a second signal ends at once", () =>
  withServer({ workers: 1, drain_s: 100 }, async ({ told, server, ask }) => {
    const stuck = await ask("stall-mid");
    server.kill("SIGTERM");
    await told.next(/Stopping/);
    server.kill("SIGTERM");
    assert.equal((await server.status).code, 1);
    await assert.rejects(stuck.text());
  }));

Deno.test("SIGTERM: a server whose workers still start stops as one that has started", () =>
  inFolder(async (folder) => {
    const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = free.addr as Deno.NetAddr;
    free.close();
    await Deno.writeTextFile(
      `${folder}/config.yaml`,
      `listen: { port: ${port}, workers: 3 }
aws: { endpoint: "http://127.0.0.1:9" }
store: { use: deno_kv, path: keys.db }
`,
    );
    const { server, ended } = startServe(folder);
    let hasEnded = false;
    void server.status.then(() => hasEnded = true);
    const alive = () =>
      fetch(`http://127.0.0.1:${port}/health`).then(
        async (response) => (await response.json()).status === "ok",
        () => false, // nobody listens yet
      );
    while (!hasEnded && !await alive());
    server.kill("SIGTERM");
    const { code } = await server.status;
    const text = await ended();
    assert.equal(code, 0, text);
    assert.match(text, /Stopped\n$/);
  }));
