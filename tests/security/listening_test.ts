/** Nobody but this machine reaches a gateway that was not told otherwise; one that was told says so, loudly. */
import assert from "node:assert/strict";
import { parseConfig } from "../../src/config/load.ts";
import { SIMULATOR_CREDENTIALS } from "../../src/simulator/simulator.ts";
import { inFolder, ROOT, serve } from "./program.ts";

const ENV = {
  AWS_ACCESS_KEY_ID: SIMULATOR_CREDENTIALS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: SIMULATOR_CREDENTIALS.secretAccessKey,
};

/** What the log says of a server that was started so, and where it listens. */
async function started(
  args: readonly string[],
  config: string,
): Promise<{ url: string; log: string }> {
  let told = { url: "", log: "" };
  await inFolder(`store: { use: memory }\n${config}`, async (folder) => {
    const server = await serve(["--port", "0", ...args], { folder, env: ENV });
    assert.equal(await server.stop(), 0, server.log());
    told = { url: server.url, log: server.log() };
  });
  return told;
}

const BEYOND = /wrn Listening beyond this machine/;
const ANYBODY = /wrn No (?:key is required|auth plugin is listed): anybody who can reach the port/;

Deno.test("the gateway listens on loopback unless told otherwise, and has keys required", async () => {
  for (const text of ["", await Deno.readTextFile(`${ROOT}config.yaml`)]) {
    const { config } = parseConfig(text, { file: "config.yaml", env: () => undefined });
    assert.equal(config.listen.host, "127.0.0.1");
  }
  const { url, log } = await started([], "");
  assert.equal(new URL(url).hostname, "127.0.0.1");
  assert.doesNotMatch(log, BEYOND);
  assert.doesNotMatch(log, ANYBODY);
});

for (const host of ["0.0.0.0", "::"]) {
  for (const by of ["--host", "listen.host"]) {
    Deno.test(`listening on ${host} by ${by} is a loud line`, async () => {
      const { log } = by === "--host"
        ? await started(["--host", host], "")
        : await started([], `listen: { host: "${host}" }\n`);
      assert.match(log, BEYOND);
    });
  }
}

for (const plugins of ["[{ use: auth, with: { required: false } }]", "[]"]) {
  Deno.test(`asking for no key is a loud line (plugins: ${plugins})`, async () => {
    const { log } = await started([], `plugins: ${plugins}\n`);
    assert.match(log, ANYBODY);
  });
}

Deno.test("a gateway that nobody has a key to says what can be done about it", async () => {
  const { log } = await started([], "");
  assert.match(log, /wrn There are no keys, and no command can make one in 'store: memory'/);
  assert.doesNotMatch(log, /make one with/);
  await inFolder("", async (folder) => {
    const server = await serve(["--port", "0"], { folder, env: ENV });
    assert.equal(await server.stop(), 0, server.log());
    assert.match(server.log(), /wrn There are no keys yet: make one with 'outcrop keys create/);
  });
});
