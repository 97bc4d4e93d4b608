/** `examples/plugins/audit_log.ts`: a chained line for each request; what breaks the chain is found. */
import assert from "node:assert/strict";
import { linesOf, type Verdict, verifyAuditLog } from "../../examples/plugins/verify_audit_log.ts";
import { type Harness, withHarness } from "../harness.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

async function withAudit(
  run: (
    file: string,
    open: (use: (harness: Harness) => Promise<void>) => Promise<void>,
  ) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/audit.jsonl`;
  const config =
    `plugins: [ { use: auth }, { use: ./examples/plugins/audit_log.ts, with: { file: ${file} } } ]\n`;
  const open = (use: (harness: Harness) => Promise<void>) =>
    withHarness({ config, base: ROOT }, async (harness) => {
      await use(harness);
      harness.secrets.show("the audit log", await Deno.readTextFile(file));
    });
  try {
    await run(file, open);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const ask = (more: object = {}) => ({
  model: "sim.echo",
  max_tokens: 9,
  messages: [{ role: "user", content: "a secret prompt" }],
  ...more,
});

async function send({ post }: Harness, body: object, headers: Record<string, string> = {}) {
  const response = await post(body, headers);
  await response.text();
  return response;
}

function verify(file: string, known?: string): Promise<Verdict> {
  return verifyAuditLog(linesOf(file), known);
}

Deno.test("each request is in the log before its client sees the end: streamed, refused and failed alike", () =>
  withAudit(async (file, open) => {
    await open(async (harness) => {
      const ids: (string | null)[] = [];
      for (
        const [body, headers] of [
          [ask(), {}],
          [ask({ stream: true }), {}],
          [ask({ model: "no-such-model" }), {}],
          [ask(), { "x-api-key": "sk-oc-0000000000-wrong" }],
        ] as const
      ) {
        const response = await send(harness, body, headers);
        ids.push(response.headers.get("request-id"));
        const rows = (await Deno.readTextFile(file)).trimEnd().split("\n").map((line) =>
          JSON.parse(line)
        );
        assert.deepEqual(rows.map(({ request }) => request), ids);
        assert.equal(rows.at(-1).status, response.status);
      }
      const text = await Deno.readTextFile(file);
      assert.ok(!text.includes("secret prompt"));
      const [first, , unknown, wrong] = text.trimEnd().split("\n").map((line) => JSON.parse(line));
      assert.ok(first.input_tokens > 0 && first.cost_usd > 0 && first.key.startsWith("key_"));
      assert.equal(unknown.error, "not_found_error");
      assert.deepEqual([wrong.outcome, wrong.key], ["rejected", null]);
    });
    const verdict = await verify(file);
    assert.deepEqual([verdict.whole, verdict.whole && verdict.lines], [true, 4]);
  }));

Deno.test("the chain goes on after a restart, and of two gateways on one file", () =>
  withAudit(async (file, open) => {
    await open((one) =>
      open(async (two) => {
        for (let n = 0; n < 5; n++) {
          await Promise.all([one, two, one, two].map((gateway) => send(gateway, ask())));
        }
      })
    );
    await open(async (again) => void await send(again, ask()));
    const verdict = await verify(file);
    assert.deepEqual([verdict.whole, verdict.whole && verdict.lines], [true, 21]);
  }));

Deno.test("whatever is done to a line is found, and where", () =>
  withAudit(async (file, open) => {
    await open(async (harness) => {
      for (let n = 0; n < 5; n++) await send(harness, ask());
    });
    const lines = (await Deno.readTextFile(file)).trimEnd().split("\n");
    const whole = await verify(file);
    assert.ok(whole.whole);
    const [a = "", b = "", c = "", d = "", e = ""] = lines;
    const tampered: Record<string, [lines: string[], line: number]> = {
      "a figure is changed": [[a, b, c.replace('"status":200', '"status":403'), d, e], 3],
      "a member stands twice": [[a, b.replace("{", '{"seq":9,'), c, d, e], 2],
      "a line is removed": [[a, b, d, e], 3],
      "the first is removed": [[b, c, d, e], 1],
      "two change places": [[a, c, b, d, e], 2],
      "a line stands twice": [[a, b, b, c, d, e], 3],
      "the last is cut": [[a, b, c, d, e.slice(0, 50)], 5],
      "the last is gone, which only its hash tells": [[a, b, c, d], 5],
    };
    for (const [what, [left, line]] of Object.entries(tampered)) {
      await Deno.writeTextFile(file, `${left.join("\n")}\n`);
      const verdict = await verify(file, whole.hash);
      assert.deepEqual([verdict.whole, verdict.whole || verdict.line], [false, line], what);
    }
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--allow-read",
        `${ROOT}examples/plugins/verify_audit_log.ts`,
        file,
        whole.hash,
      ],
      stdout: "piped",
      stderr: "null",
    }).output();
    assert.equal(code, 1);
    assert.match(new TextDecoder().decode(stdout), /audit\.jsonl:5 breaks the chain/);
  }));

Deno.test("while the log takes no line nobody is served, and then they are again", () =>
  withAudit(async (file, open) => {
    await open(async (harness) => {
      await send(harness, ask());
      const text = await Deno.readTextFile(file);
      await Deno.writeTextFile(file, text.trimEnd().slice(0, -5)); // somebody cuts the last line
      assert.equal((await send(harness, ask())).status, 200); // its answer was under way when this is found
      const refused = await send(harness, ask());
      assert.deepEqual([refused.status, refused.headers.get("retry-after")], [500, "30"]);
      await Deno.writeTextFile(file, text);
      assert.equal((await send(harness, ask())).status, 200);
    });
    assert.ok((await verify(file)).whole);
  }));
