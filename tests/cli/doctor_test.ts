/** `outcrop doctor`: a line for each thing that serving needs, and what to do where it is not well. */
import assert from "node:assert/strict";
import {
  type Simulator,
  SIMULATOR_CREDENTIALS,
  startSimulator,
} from "../../src/simulator/simulator.ts";
import { inFolder, outcrop, type Ran } from "./outcrop.ts";

const ENVIRONMENT = {
  AWS_ACCESS_KEY_ID: SIMULATOR_CREDENTIALS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: SIMULATOR_CREDENTIALS.secretAccessKey,
};
const NOBODY = {
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_CONFIG_FILE: "none",
  AWS_SHARED_CREDENTIALS_FILE: "none",
};
const CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0 by invoke in us-east-1";
const QWEN = "qwen.qwen3-coder-30b-a3b-v1:0";

const ALIASES = `
models:
  aliases:
    main: { model: claude-haiku-4-5, fallback: ["${QWEN}", other] }
    same: claude-haiku-4-5
    other: { model: deepseek.v3.2, tier: flex }
    "*opus*": claude-opus-5-5
`;

interface Patient {
  readonly folder: string;
  readonly simulator: Simulator;
  configure(yaml: string): Promise<void>;
  doctor(args?: readonly string[], env?: Record<string, string>): Promise<Ran>;
}

function withPatient(test: (patient: Patient) => Promise<void>): Promise<void> {
  return inFolder(async (folder) => {
    const simulator = startSimulator();
    const configure = (yaml: string) => Deno.writeTextFile(`${folder}/config.yaml`, yaml);
    await configure(usual(simulator.url));
    try {
      await test({
        folder,
        simulator,
        configure,
        doctor: (args = [], env = ENVIRONMENT) => outcrop(["doctor", ...args], folder, env),
      });
    } finally {
      await simulator.close();
    }
  });
}

function usual(endpoint: string, more: string = ALIASES): string {
  return `listen: { port: 0 }
aws: { endpoint: "${endpoint}" }
store: { use: deno_kv, path: keys.db }
${more}`;
}

/** Statuses and checks, in the order of the lines: each line has both, and then says something. */
function checked({ out }: Ran): string[] {
  return out.trimEnd().split("\n").map((line) => {
    const [, status, check] = /^(ok|warning|failed|skipped) +(\w+) +\S.+$/.exec(line) ?? [];
    assert.ok(status !== undefined, line);
    return `${status} ${check}`;
  });
}

Deno.test("doctor finds all well, asks each model once, and leaves nothing in the store", () =>
  withPatient(async ({ folder, simulator, doctor }) => {
    await outcrop(["keys", "create", "--name", "k"], folder);
    const ran = await doctor();
    assert.equal(ran.code, 0, ran.out + ran.err);
    assert.equal(ran.err, "");
    assert.deepEqual(checked(ran), [
      "ok config",
      "ok store",
      "ok keys",
      "ok journal",
      "ok port",
      "ok credentials",
      "ok region",
      "ok clock",
      ...Array(4).fill("ok model"),
    ]);
    assert.match(ran.out, new RegExp(`^ok +model +main: ${CLAUDE} answers$`, "m"));
    assert.match(
      ran.out,
      /^ok +model +other: deepseek\.v3\.2 by converse in .*, tier flex answers$/m,
    );
    const models = simulator.requests.map(({ modelId }) => modelId).filter((id) => id !== "");
    assert.deepEqual(models.toSorted(), [
      "deepseek.v3.2",
      QWEN,
      "us.anthropic.claude-haiku-4-5-20251001-v1:0",
      "us.anthropic.claude-opus-5-5",
    ]);
    assert.match(ran.out, /^ok +model +\*opus\*: us\.anthropic\.claude-opus-5-5 by invoke/m);
    const kv = await Deno.openKv(`${folder}/keys.db`);
    assert.deepEqual(await Array.fromAsync(kv.list({ prefix: ["doctor"] })), []);
    kv.close();
  }));

Deno.test("doctor asks the models that are named, or none", () =>
  withPatient(async ({ doctor, simulator }) => {
    const none = await doctor(["--no-models"]);
    assert.equal(none.code, 0, none.err);
    assert.ok(!none.out.includes(" model "), none.out);
    assert.ok(simulator.requests.every(({ text }) => !text.includes("Say OK")));
    const named = await doctor(["--models", `${QWEN}, claude-nobody-9`]);
    assert.equal(named.code, 1);
    assert.match(named.out, new RegExp(`^ok +model +${QWEN}: .* answers$`, "m"));
    assert.match(named.out, /^failed +model +claude-nobody-9: model: .* is not served here/m);
  }));

Deno.test("doctor says what to do about credentials that are refused, or not there", () =>
  withPatient(async ({ doctor }) => {
    const refused = await doctor([], {
      AWS_ACCESS_KEY_ID: "AKIDNOBODY",
      AWS_SECRET_ACCESS_KEY: "canary-of-aws",
    });
    assert.equal(refused.code, 1);
    assert.match(
      refused.out,
      /^failed +credentials +access key …BODY: AWS refuses them \(UnrecognizedClientException\): renew them/m,
    );
    assert.match(refused.out, /^skipped +model +AWS must take the credentials first$/m);
    assert.match(refused.err, /^1 of \d+ checks failed\n$/);
    assert.ok(!refused.out.includes("canary"));
    const none = await doctor([], NOBODY);
    assert.equal(none.code, 1);
    assert.match(
      none.out,
      /^failed +credentials +.*no AWS credentials were found: set AWS_BEARER/m,
    );
  }));

Deno.test("doctor says what to do about a store and a journal that cannot be used, and looks on", () =>
  withPatient(async ({ folder, configure, doctor, simulator }) => {
    await Deno.writeTextFile(`${folder}/taken`, "");
    const yaml = usual(simulator.url, "").replace(
      "path: keys.db",
      "path: nowhere/keys.db, journal: taken",
    );
    await configure(yaml);
    const ran = await doctor();
    assert.equal(ran.code, 1);
    assert.match(
      ran.out,
      /^failed +store +Cannot open the store .*Set store\.path to a file in a/m,
    );
    assert.match(ran.out, /^failed +journal +Cannot open the journal .*Set store\.journal to a/m);
    assert.match(ran.out, /^ok +credentials/m);
    assert.match(ran.out, new RegExp(`^ok +model +claude-haiku-4-5: ${CLAUDE} answers$`, "m"));
    assert.match(ran.err, /^2 of/);
  }));

Deno.test("doctor warns of a store without keys, and of nobody asking for one", () =>
  withPatient(async ({ configure, doctor, simulator }) => {
    const none = await doctor(["--no-models"]);
    assert.equal(none.code, 0);
    assert.match(
      none.out,
      /^warning +keys +there are none yet: make one with 'outcrop keys create/m,
    );
    await configure(usual(simulator.url, "plugins: []\n"));
    const open = await doctor(["--no-models"]);
    assert.match(open.out, /^warning +keys +no auth plugin is listed: anybody who can reach/m);
  }));

Deno.test("doctor tells a port that a gateway has from one that a stranger has", () =>
  withPatient(async ({ configure, doctor, simulator }) => {
    for (
      const [answer, wanted] of [
        ['{"status":"ok"}', /^ok +port +a gateway serves on 127\.0\.0\.1:\d+ already$/m],
        ["hello", /^failed +port +.* the port is taken: stop what uses it, or choose another/m],
      ] as const
    ) {
      const other = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen: () => {} },
        () => new Response(answer),
      );
      const yaml = usual(simulator.url).replace("port: 0", `port: ${other.addr.port}`);
      await configure(yaml);
      const { code, out } = await doctor(["--no-models"]);
      await other.shutdown();
      assert.match(out, wanted);
      assert.equal(code, out.includes("failed") ? 1 : 0);
    }
  }));

Deno.test("doctor says what to do about a clock that is wrong", () =>
  withPatient(async ({ configure, doctor, simulator }) => {
    let date = new Date();
    const other = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      () => new Response("", { headers: { date: date.toUTCString() } }),
    );
    const runtime = `http://127.0.0.1:${other.addr.port}`;
    await configure(
      usual(simulator.url).replace(
        `"${simulator.url}"`,
        `{ runtime: "${runtime}", control: "${simulator.url}" }`,
      ),
    );
    for (
      const [minutes, wanted] of [
        [
          10,
          /^failed +clock +\d+ s behind AWS's, which refuses signatures from 300 s on: have it set/m,
        ],
        [-2, /^warning +clock +\d+ s ahead of AWS's/m],
      ] as const
    ) {
      date = new Date(Date.now() + minutes * 60_000);
      assert.match((await doctor(["--no-models"])).out, wanted);
    }
    await other.shutdown();
  }));

Deno.test("doctor says what to do about a region that does not answer", () =>
  withPatient(async ({ configure, doctor }) => {
    const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = taken.addr as Deno.NetAddr;
    taken.close();
    await configure(usual(`http://127.0.0.1:${port}`, ""));
    const ran = await doctor();
    assert.equal(ran.code, 1);
    assert.match(
      ran.out,
      /^failed +region +us-east-1: .* cannot be reached \(.*refused.*\): .* aws\.region and aws\.end/m,
    );
    assert.match(ran.out, /^skipped +clock/m);
    assert.match(ran.out, /^failed +model +.*could not be reached.*: see that the network leads/m);
  }));

Deno.test("doctor says what to do about a model that may not be asked, and lets a busy one pass", () =>
  withPatient(async ({ configure, doctor, simulator }) => {
    await configure(usual(simulator.url, "models: { aliases: { main: claude-haiku-4-5 } }\n"));
    for (
      const [status, exception, wanted, code] of [
        [403, "AccessDeniedException", /^failed +model +main: .*No: allow bedrock:InvokeModel/m, 1],
        [404, "ResourceNotFoundException", /^failed +model +.*No: see that the region has it/m, 1],
        [429, "ThrottlingException", /^warning +model +.*No \(it is there, and busy\)$/m, 0],
      ] as const
    ) {
      simulator.script({
        status,
        headers: { "x-amzn-errortype": `${exception}:` },
        body: '{"message":"No"}',
      });
      const ran = await doctor();
      assert.match(ran.out, wanted);
      assert.equal(ran.code, code);
    }
  }));

Deno.test("doctor --json is one document, also of a configuration that cannot be read", () =>
  withPatient(async ({ configure, doctor }) => {
    const well = JSON.parse((await doctor(["--json", "--no-models"])).out);
    assert.equal(well.ok, true);
    assert.deepEqual(well.checks[0], {
      check: "config",
      status: "ok",
      message: "config.yaml is valid",
    });
    await configure("listen: { prot: 1 }\n");
    const ran = await doctor(["--json"]);
    assert.equal(ran.code, 1);
    const { ok, checks } = JSON.parse(ran.out);
    assert.equal(ok, false);
    assert.match(checks[0].message, /^config\.yaml:1:11 listen\.prot: .*'port'/);
    assert.ok(checks.slice(1).every(({ status }: { status: string }) => status === "skipped"));
  }));
