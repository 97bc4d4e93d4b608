/** A changed configuration is taken while the server runs; a bad one is refused whole. */
import assert from "node:assert/strict";
import { watchConfig } from "../../src/cli/watch_config.ts";
import { loadConfig } from "../../src/config/load.ts";
import { openLog } from "../../src/log.ts";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, parseSse, withHarness } from "../harness.ts";
import { pluginSource, seen } from "../pipeline/plugins.ts";

const ask = (model: string, stream = false) => ({
  model,
  max_tokens: 20,
  stream,
  messages: [{ role: "user", content: "[[sim:echo]] hello" }],
});

async function pathOf({ post, simulator }: Harness, model: string): Promise<string> {
  await (await post(ask(model))).body?.cancel();
  return simulator.requests.at(-1)?.path ?? "";
}

Deno.test("a reload takes aliases, tiers and limits for the requests that come after it", async () => {
  await withHarness(
    { config: "models: { aliases: { mine: qwen.qwen3-32b-v1:0 } }\n" },
    async (harness) => {
      assert.equal(await pathOf(harness, "mine"), "/model/qwen.qwen3-32b-v1%3A0/converse");
      const waiting = await harness.reload(
        "models: { aliases: { mine: deepseek.v3.2 } }\ntiers: { default: flex }\n" +
          "limits: { body_mb: 0.001 }\n",
      );
      assert.deepEqual(waiting, []);
      assert.equal(await pathOf(harness, "mine"), "/model/deepseek.v3.2/converse");
      const { serviceTier } = JSON.parse(harness.simulator.requests.at(-1)?.text ?? "{}");
      assert.deepEqual(serviceTier, { type: "flex" });
      const long = { ...ask("mine"), system: "x".repeat(2_000) };
      assert.equal((await harness.post(long)).status, 413);
    },
  );
});

Deno.test("what cannot change while a server runs stays, and is named", async () => {
  await withHarness({}, async (harness) => {
    assert.deepEqual(await harness.reload("log: { level: warning }\nlisten: { port: 1 }\n"), [
      "listen",
      "log",
    ]);
    assert.equal((await harness.post(ask("sim.echo"))).status, 200);
  });
});

Deno.test("a request that has begun ends by the pipeline it began with, which closes after it", async () => {
  const folder = await Deno.makeTempDir();
  const clock = new FakeClock();
  const write = (name: string) =>
    Deno.writeTextFile(
      `${folder}/${name}.ts`,
      pluginSource(
        name,
        `setup: (settings, host) => {
          host.memory.set("runs", (host.memory.get("runs") ?? 0) + 1);
          return {
            onComplete() { seen.push("${name} complete " + settings.mark); },
            close() { seen.push("${name} close " + settings.mark + " " + host.memory.get("runs")); },
          };
        }`,
      ),
    );
  try {
    await write("marker");
    seen.length = 0;
    const config = (mark: string) =>
      `plugins: [{ use: auth }, { use: ./marker.ts, with: { mark: ${mark} } }]\n`;
    await withHarness(
      { config: config("old"), base: folder, clock, simulatorClock: clock },
      async (harness) => {
        const open = await harness.post({
          ...ask("sim.slow-100", true),
          messages: [{ role: "user", content: "hi" }],
        });
        await harness.reload(config("new"));
        await (await harness.post(ask("sim.echo"))).text();
        assert.deepEqual(seen, ["marker complete new"]);
        const reading = open.text();
        let done = false;
        void reading.then(() => done = true);
        while (!done) {
          clock.advance(100);
          await new Promise((resolve) => setTimeout(resolve, 0));
        }
        assert.equal(parseSse(await reading).at(-1)?.event, "message_stop");
        await harness.gateway.services.background.settled();
        assert.deepEqual(seen, [
          "marker complete new",
          "marker complete old",
          "marker close old 2",
        ]);
      },
    );
    assert.equal(seen.at(-1), "marker close new 2");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a file that changes is taken within a second; a bad one is refused with its line, and the old one goes on", async () => {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/config.yaml`;
  const clock = new FakeClock();
  const lines: string[] = [];
  const taken: string[] = [];
  let wake = () => {};
  try {
    await Deno.writeTextFile(file, "models: { aliases: { a: sim.echo } }\n");
    const stop = await watchConfig({
      files: () => [file],
      clock,
      log: openLog({
        level: "info",
        format: "json",
        write: (line) => {
          lines.push(line);
          wake();
        },
      }),
      reload: async () => {
        const { config } = await loadConfig(file, { env: () => undefined });
        taken.push(Object.keys(config.models.aliases).join());
        return [];
      },
    });
    const told = () => new Promise<void>((resolve) => wake = resolve);
    await Deno.writeTextFile(file, "models: { aliases: { b: sim.echo, long: sim.echo } }\n");
    let line = told();
    clock.advance(1_000);
    await line;
    assert.deepEqual(taken, ["b,long"]);
    await Deno.writeTextFile(file, "models:\n  aliasses: {}\n");
    line = told();
    while (clock.pending === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    clock.advance(1_000);
    await line;
    assert.deepEqual(taken, ["b,long"]);
    assert.match(lines.at(-1) ?? "", /the old one goes on/);
    assert.match(lines.at(-1) ?? "", /config\.yaml:2:3/);
    await Deno.writeTextFile(file, "models: { aliases: { c: sim.echo } }\n");
    line = told();
    const awake = setInterval(() => {}, 1_000); // a signal to come keeps no event loop running
    Deno.kill(Deno.pid, "SIGHUP"); // no need to wait for the second to pass
    await line;
    clearInterval(awake);
    assert.deepEqual(taken, ["b,long", "c"]);
    stop();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
