/** What the program may touch: the tasks' flags are the README's, they are enough, and no more than that. */
import assert from "node:assert/strict";
import { SIMULATOR_CREDENTIALS, startSimulator } from "../../src/simulator/simulator.ts";
import { flagsOf, inFolder, outcrop, ROOT, serve, task } from "./program.ts";

const TASKS = ["start", "demo", "outcrop", "compile"];

Deno.test("the tasks run the program under the permissions that the README lists", async () => {
  const readme = await Deno.readTextFile(`${ROOT}README.md`);
  const [, listed = ""] = /## Permissions[^`]+(?:`\w+`[^`]*)+```\n([^`]+)```/.exec(readme) ?? [];
  const wanted = listed.replaceAll("\\\n", " ").trim().split(/\s+/);
  assert.ok(wanted.length > 5, listed);
  for (const name of TASKS) assert.deepEqual(flagsOf(name), wanted, name);
});

Deno.test("no task that runs the program may start others, load native code or import from the web", () => {
  for (const name of TASKS) {
    assert.doesNotMatch(
      task(name),
      / -A| --allow-all|--allow-run|--allow-ffi|--allow-import/,
      name,
    );
    for (const flag of ["--no-prompt", "--frozen", "--no-remote"]) {
      assert.ok(flagsOf(name).includes(flag), `${name} ${flag}`);
    }
  }
});

Deno.test("the demo works under the program's permissions", () =>
  inFolder("", async (folder) => {
    const { code, out, err } = await outcrop(["demo", "--once"], { folder });
    assert.equal(code, 0, err);
    assert.match(out, /The tool said: sunny/);
  }));

const ENV = {
  AWS_ACCESS_KEY_ID: SIMULATOR_CREDENTIALS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: SIMULATOR_CREDENTIALS.secretAccessKey,
};

function question(content: string) {
  return JSON.stringify({
    model: "claude-haiku-4-5",
    max_tokens: 20,
    messages: [{ role: "user", content }],
  });
}

/** A key, a plugin from a file, a server and an answer of the simulator's, under these flags. */
async function works(flags: (folder: string) => readonly string[]): Promise<void> {
  const simulator = startSimulator();
  const config = `
aws: { region: us-east-1, endpoint: "${simulator.url}" }
plugins: [{ use: auth }, { use: ./mine.ts }]
`;
  try {
    await inFolder(config, async (folder) => {
      await Deno.writeTextFile(
        `${folder}/mine.ts`,
        `export default ({ define, z }) => define({ name: "mine", schema: z.unknown(), setup: () => ({
           onCall(ctx) { ctx.responseHeaders.set("x-mine", "was here"); },
         }) });`,
      );
      const options = { folder, env: ENV, flags: flags(folder) };
      const made = await outcrop(["keys", "create", "--name", "me", "--json"], options);
      assert.equal(made.code, 0, made.err);
      const { key } = JSON.parse(made.out);
      const server = await serve(["--port", "0"], options);
      try {
        const response = await fetch(`${server.url}/v1/messages`, {
          method: "POST",
          headers: { "x-api-key": key },
          body: question("[[sim:echo]] hello"),
        });
        const text = await response.text();
        assert.equal(response.status, 200, text + server.log());
        assert.equal(response.headers.get("x-mine"), "was here");
        assert.match(text, /hello/);
      } finally {
        assert.equal(await server.stop(), 0, server.log());
      }
      assert.doesNotMatch(server.log(), /NotCapable/);
    });
  } finally {
    await simulator.close();
  }
}

Deno.test("keys are made and requests served, a plugin's file read, under the program's permissions", () =>
  works(() => flagsOf("outcrop")));

Deno.test("reading and writing may be narrowed to the folders that the configuration names", () =>
  works((folder) =>
    flagsOf("outcrop").map((flag) =>
      flag === "--allow-read" || flag === "--allow-write" ? `${flag}=${folder}` : flag
    )
  ));

Deno.test("https to Bedrock works under the program's permissions with certificates of one's own", () =>
  inFolder(
    'aws: { endpoint: "https://127.0.0.1:9" }\nlimits: { retries: 0 }\n' +
      "store: { use: memory }\nplugins: []\n",
    async (folder) => {
      const cert = `${ROOT}tests/net/images.test.cert.pem`;
      const env = { ...ENV, NODE_EXTRA_CA_CERTS: cert };
      const server = await serve(["--port", "0"], { folder, env });
      const response = await fetch(`${server.url}/v1/messages`, {
        method: "POST",
        body: question("hello"),
      });
      assert.match(await response.text(), /Amazon Bedrock could not be reached/);
      await server.stop();
      assert.match(server.log(), /ECONNREFUSED|refused/);
      assert.doesNotMatch(server.log(), /NotCapable/);
    },
  ));

/** What a plugin might try, were it turned against its host. */
const REFUSED: Record<string, string> = {
  "start another program": 'new Deno.Command("true").outputSync()',
  "load native code": 'Deno.dlopen("/lib/libc.so.6", {})',
  "import from the web": 'await import("https://127.0.0.1:9/x.ts")',
  "read the host's name": "Deno.hostname()",
};

for (const [what, code] of Object.entries(REFUSED)) {
  Deno.test(`a plugin may not ${what}`, () =>
    inFolder("store: { use: memory }\nplugins: [{ use: ./bad.ts }]\n", async (folder) => {
      await Deno.writeTextFile(
        `${folder}/bad.ts`,
        `export default ({ define, z }) => define({ name: "bad", schema: z.unknown(), setup: async () => { ${code}; return {}; } });`,
      );
      await assert.rejects(
        serve(["--port", "0"], { folder }),
        /NotCapable|Requires \w+ access|--no-remote is specified/,
      );
    }));
}
