/** Where a secret may lie: in the environment and in memory. Not in a log, a file, an output, or the list of processes. */
import assert from "node:assert/strict";
import type { Command } from "commander";
import { buildProgram } from "../../src/cli/program.ts";
import { SIMULATOR_CREDENTIALS, startSimulator } from "../../src/simulator/simulator.ts";
import { inFolder, outcrop, serve } from "./program.ts";

const MASTER = "canary-master-key-of-the-environment";
const ENV = {
  AWS_ACCESS_KEY_ID: SIMULATOR_CREDENTIALS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: SIMULATOR_CREDENTIALS.secretAccessKey,
  AWS_SESSION_TOKEN: "canary-session-token-of-the-environment",
  OUTCROP_MASTER_KEY: MASTER,
};
const WORDS = "canary words of a client's own";

/** Every file below a folder. */
async function* filesOf(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* filesOf(`${folder}/${name}`);
    else yield `${folder}/${name}`;
  }
}

/** What others on the machine can read of a process without being its owner. */
function commandLine(pid: number): string {
  return Deno.build.os === "linux" ? Deno.readTextFileSync(`/proc/${pid}/cmdline`) : "";
}

async function ask(url: string, key: string, content: string): Promise<string> {
  const response = await fetch(`${url}/v1/messages`, {
    method: "POST",
    headers: { "x-api-key": key },
    body: JSON.stringify({
      model: "qwen.qwen3-32b-v1:0",
      max_tokens: 9,
      messages: [{ role: "user", content }],
    }),
  });
  return await response.text();
}

Deno.test("no key, secret or word of a client is in the log, the files, the outputs or the command line of a whole life", async () => {
  const simulator = startSimulator();
  const config = `aws: { region: us-east-1, endpoint: "${simulator.url}" }
log: { level: debug }
limits: { retries: 0 }
plugins: [{ use: auth, with: { master_key: "\${OUTCROP_MASTER_KEY}" } }, { use: budget }, { use: usage }]
`;
  try {
    await inFolder(config, async (folder) => {
      const options = { folder, env: ENV };
      const made = await outcrop(["keys", "create", "--name", "me", "--json"], options);
      const { id, key } = JSON.parse(made.out);
      const told: string[] = [made.err];
      const server = await serve(["--port", "0"], options);
      try {
        const line = commandLine(server.pid);
        assert.ok(Deno.build.os !== "linux" || line.includes("serve"), line);
        told.push(line);
        assert.match(await ask(server.url, key, "[[sim:echo]] hi"), /"message"/);
        const errors = ["error-500-InternalServerException", "error-400-ValidationException"];
        for (const mark of [...errors, "error-403-ExpiredTokenException"]) {
          const text = await ask(server.url, key, `[[sim:${mark}]] ${WORDS}`);
          assert.match(text, /"error"/);
          told.push(text);
        }
        await ask(server.url, MASTER, `[[sim:echo]] ${WORDS}`);
        told.push(
          await ask(server.url, `${key}x`, WORDS),
          await ask(server.url, `${MASTER}x`, WORDS),
        );
      } finally {
        assert.equal(await server.stop(), 0, server.log());
      }
      told.push(server.log());
      for (
        const args of [["check"], ["models", "--json"], ["keys", "list", "--json"]]
          .concat([["keys", "show", id], ["usage", "--json"], ["plugin", "list"]])
      ) {
        const { code, out, err } = await outcrop(args, options);
        assert.equal(code, 0, err);
        told.push(out, err);
      }
      const doctor = await outcrop(["doctor"], options); // whatever it finds
      assert.match(doctor.out, /credentials/i, doctor.err);
      told.push(doctor.out, doctor.err);
      let files = 0;
      for await (const file of filesOf(folder)) {
        told.push(new TextDecoder("latin1").decode(await Deno.readFile(file)));
        files++;
      }
      assert.ok(files >= 2, String(files));
      const secrets = [key.slice("sk-oc-0123456789-".length), MASTER, WORDS];
      for (
        const secret of secrets.concat(ENV.AWS_SECRET_ACCESS_KEY, ENV.AWS_SESSION_TOKEN)
      ) {
        const leak = told.find((text) => text.includes(secret));
        assert.equal(leak, undefined, `${secret} is told: ${leak?.slice(0, 500)}`);
      }
    });
  } finally {
    await simulator.close();
  }
});

const MODES = Deno.build.os !== "windows";
Deno.test({
  name: `what the store keeps on disk is for its owner's eyes alone${
    MODES ? "" : ": files have no modes here"
  }`,
  ignore: !MODES,
  fn: lockedUp,
});

async function lockedUp(): Promise<void> {
  await inFolder("", async (folder) => {
    const options = { folder, env: ENV };
    const made = await outcrop(["keys", "create", "--name", "me"], options);
    assert.equal(made.code, 0, made.err);
    const server = await serve(["--port", "0"], options);
    try {
      let seen = 0;
      for await (const { name, isDirectory } of Deno.readDir(folder)) {
        if (name === "config.yaml") continue;
        const { mode } = await Deno.stat(`${folder}/${name}`);
        const bits = (mode ?? 0) & 0o777;
        assert.equal(bits, isDirectory ? 0o700 : 0o600, `${name} ${bits.toString(8)}`);
        seen++;
      }
      assert.ok(seen >= 2, String(seen));
    } finally {
      await server.stop();
    }
  });
}

Deno.test("no command takes a secret as an argument, where everybody on the machine could read it", () => {
  const names: string[] = [];
  const walk = (command: Command) => {
    for (const { long, short } of command.options) names.push(long ?? short ?? "");
    for (const argument of command.registeredArguments) names.push(argument.name());
    for (const inner of command.commands) walk(inner);
  };
  walk(buildProgram());
  assert.ok(names.length > 20 && names.includes("--host"), names.join(" "));
  const secret = /secret|token|password|credential|master|^--(api-?)?key$/i;
  assert.deepEqual(names.filter((name) => secret.test(name)), []);
});

Deno.test("an error in the configuration does not show what stands there", () =>
  inFolder(
    'plugins: [{ use: auth, with: { master_key: "canary-short", requires: canary-other } }]\n',
    async (folder) => {
      const { code, out, err } = await outcrop(["check"], { folder, env: ENV });
      assert.equal(code, 1, err);
      assert.match(err, /config\.yaml:1:\d+.*master_key/s);
      assert.doesNotMatch(out + err, /canary-/);
    },
  ));
