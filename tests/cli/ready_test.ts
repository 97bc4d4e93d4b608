/** `/ready`, and requests, while the store is down. */
import assert from "node:assert/strict";
import { openGateway } from "../../src/cli/gateway.ts";
import { parseConfig } from "../../src/config/load.ts";
import { openLog } from "../../src/log.ts";
import { startServer } from "../../src/server/server.ts";
import { SIMULATOR_CREDENTIALS, startSimulator } from "../../src/simulator/simulator.ts";
import { openMemoryStore } from "../../src/storage/memory.ts";
import type { Store } from "../../src/storage/store.ts";
import { FakeClock } from "../fake_clock.ts";

Deno.test("a replica without its store is degraded for as long as known keys are taken, and told once a minute", async () => {
  const clock = new FakeClock();
  const inner = openMemoryStore({ clock });
  let down = false;
  const store: Store = new Proxy(inner, {
    get(target, name) {
      const member = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return down && name !== "close"
        ? () => Promise.reject(new Error("The store is down"))
        : member.bind(target);
    },
  });
  const simulator = startSimulator({ clock });
  const text = `aws: { endpoint: "${simulator.url}" }
store: { use: deno_kv, keys_valid_while_down: 10m }
plugins: [ { use: auth } ]
`;
  const lines: string[] = [];
  const gateway = await openGateway({
    loaded: parseConfig(text, { file: "config.yaml", env: () => undefined }),
    clock,
    store,
    env: () => undefined,
    log: openLog({ level: "info", format: "json", write: (line) => lines.push(line) }),
    provider: () => Promise.resolve(SIMULATOR_CREDENTIALS),
  });
  const server = startServer(gateway, { hostname: "127.0.0.1", port: 0 });
  const { key } = await gateway.keys.create({ name: "test" });
  const ready = async () => {
    const response = await fetch(`${server.url}/ready`);
    return [response.status, await response.json()];
  };
  const ask = async () => {
    const response = await fetch(`${server.url}/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": key },
      body: JSON.stringify({
        model: "claude-haiku-4-5",
        max_tokens: 10,
        messages: [{ role: "user", content: "hi" }],
      }),
    });
    await response.text();
    return response.status;
  };
  try {
    assert.deepEqual(await ready(), [200, { status: "ready" }]);
    assert.equal(await ask(), 200);
    down = true;
    const reasons = ["store: no answer; see the gateway's log"];
    lines.length = 0;
    for (let second = 0; second < 595; second += 5) {
      clock.advance(5_000);
      assert.deepEqual(await ready(), [200, { status: "degraded", reasons }]);
      assert.equal(await ask(), 200, `after ${second} s`);
    }
    const told = lines.filter((line) => line.includes("The store does not answer"));
    assert.equal(told.length, 10, told.join("")); // at once, and each minute
    clock.advance(5_000);
    assert.deepEqual(await ready(), [503, { status: "not_ready", reasons }]);
    assert.equal(await ask(), 500);
    assert.equal((await fetch(`${server.url}/health`).then((r) => r.json())).status, "ok");
    down = false;
    assert.deepEqual(await ready(), [200, { status: "ready" }]);
    assert.equal(await ask(), 200);
  } finally {
    await server.stop();
    await gateway.close();
    await simulator.close();
  }
});
