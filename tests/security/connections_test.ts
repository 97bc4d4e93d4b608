/** Who opens connections and says nothing on them: nobody is cut off by it, and when they end the gateway is there. */
import assert from "node:assert/strict";
import { SIMULATOR_CREDENTIALS, startSimulator } from "../../src/simulator/simulator.ts";
import { withHarness } from "../harness.ts";
import { inFolder, serve } from "./program.ts";
import { connect, readUntil, write } from "./raw.ts";

const ENV = {
  AWS_ACCESS_KEY_ID: SIMULATOR_CREDENTIALS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: SIMULATOR_CREDENTIALS.secretAccessKey,
};

const LIMITS = Deno.build.os !== "windows";
const DEADLINE_MS = 60_000;

/** Tries until it holds. */
async function until(holds: () => Promise<boolean>, what: () => string): Promise<void> {
  const end = performance.now() + DEADLINE_MS;
  while (!await holds()) {
    if (performance.now() > end) throw new Error(`Cannot wait any longer: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Status of `/health`; 0 where nobody answers. */
async function health(url: string): Promise<number> {
  try {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(5_000) });
    await response.body?.cancel();
    return response.status;
  } catch (error) {
    assert.ok(error instanceof TypeError || error instanceof DOMException, String(error));
    return 0;
  }
}

/** Opens one more connection and sends a half of a head on it; undefined where nobody accepts. */
async function idle(url: string): Promise<Deno.Conn | undefined> {
  try {
    const connection = await connect(url);
    await write(connection, "GET /health HTTP/1.1\r\nhost: x\r\n");
    return connection;
  } catch (error) {
    assert.ok(error instanceof Deno.errors.ConnectionRefused, String(error));
    return undefined;
  }
}

Deno.test("five hundred connections that say half a head and no more keep nobody out", () =>
  withHarness({}, async ({ url, post }) => {
    const open = await Promise.all(Array.from({ length: 500 }, () => idle(url)));
    try {
      assert.ok(open.every((connection) => connection !== undefined));
      const response = await post({
        model: "qwen.qwen3-32b-v1:0",
        max_tokens: 9,
        messages: [{ role: "user", content: "[[sim:echo]] hi" }],
      });
      assert.equal(response.status, 200, await response.text());
    } finally {
      for (const connection of open) connection?.close();
    }
  }));

Deno.test({
  name: `more connections than there may be cut off no open stream, and the gateway outlives them${
    LIMITS ? "" : ": no such limit here"
  }`,
  ignore: !LIMITS,
  fn: outlived,
});

async function outlived(): Promise<void> {
  const simulator = startSimulator();
  const config = `aws: { region: us-east-1, endpoint: "${simulator.url}" }\n` +
    "store: { use: memory }\nplugins: []\n";
  const open: Deno.Conn[] = [];
  try {
    await inFolder(config, async (folder) => {
      const server = await serve(["--port", "0"], { folder, env: ENV, openFiles: 150 });
      try {
        const body = JSON.stringify({
          model: "qwen.qwen3-32b-v1:0",
          max_tokens: 99,
          stream: true,
          messages: [{ role: "user", content: "[[sim:slow-300]] one two three four five six" }],
        });
        const stream = await connect(server.url);
        open.push(stream);
        await write(
          stream,
          "POST /v1/messages HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" +
            `content-length: ${body.length}\r\n\r\n${body}`,
        );
        const begun = await readUntil(stream, (text) => text.includes("message_start"));
        assert.match(begun, /^HTTP\/1\.1 200/);
        await until(async () => {
          const connection = await idle(server.url);
          if (connection !== undefined) open.push(connection);
          return server.log().includes("Cannot accept connections");
        }, server.log);
        const rest = await readUntil(stream, () => false);
        assert.match(begun + rest, /event: message_stop/);
        for (const connection of open.splice(0)) connection.close();
        await until(async () => await health(server.url) === 200, server.log);
      } finally {
        for (const connection of open) connection.close();
        assert.equal(await server.stop(), 0, server.log());
      }
    });
  } finally {
    await simulator.close();
  }
}
