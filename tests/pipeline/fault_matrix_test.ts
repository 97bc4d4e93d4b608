/** Every fault of a plugin in every hook: the policy holds, the log names plugin and hook, and nothing else changes. */
import assert from "node:assert/strict";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, parseSse } from "../harness.ts";
import { settled } from "../wait.ts";
import { type FaultRow, FAULTS } from "./fault_matrix.ts";
import { seen, type TestPlugin, withPlugins } from "./plugins.ts";

const TEXT = "1 2 3 4 ";

function ask(stream: boolean) {
  return {
    model: "claude-haiku-4-5",
    max_tokens: 50,
    stream,
    messages: [{ role: "user", content: "[[sim:count 4]]" }],
  };
}

/** Stands behind the bad one: tells that it was reached, whom it serves, and how the request ended. */
const WITNESS: TestPlugin = {
  name: "witness",
  definition: `setup: () => ({
    onCall(ctx) { seen.push("called for " + ctx.principal.name); },
    async onComplete(ctx) {
      await null; // after all others have begun
      seen.push(ctx.outcome + " " + (ctx.usage === null || ctx.usage.output_tokens > 0) +
        " " + (ctx.billed === null || ctx.billed.nano_usd > 0));
    },
  })`,
};

function badPlugin({ source }: FaultRow, policy: string): TestPlugin {
  return {
    name: "bad",
    definition: `setup: () => ({ ${source} })`,
    entry: `on_error: ${policy}\n    timeout_ms: 500`,
  };
}

interface Seen {
  readonly status: number;
  readonly text: string;
  readonly log: readonly string[];
  readonly asked: readonly { readonly text: string }[];
}

/** One request, to its very end. */
async function send(
  { harness, clock, key, hangs }: {
    harness: Harness;
    clock: FakeClock;
    key: string;
    hangs: boolean;
  },
  stream: boolean,
): Promise<Seen> {
  seen.length = 0;
  const [lines, asked] = [harness.log.length, harness.simulator.requests.length];
  const pending = harness.post(ask(stream), { "x-api-key": key }).then(async (response) => ({
    status: response.status,
    text: await response.text(),
  }));
  if (hangs) {
    await settled(() => seen.includes("hangs"));
    clock.advance(500);
  }
  const { status, text } = await pending;
  await harness.gateway.services.background.settled();
  return {
    status,
    text,
    log: harness.log.slice(lines),
    asked: harness.simulator.requests.slice(asked),
  };
}

function textOf(answer: string, stream: boolean): string {
  if (!stream) return JSON.parse(answer).content[0].text;
  return parseSse(answer).map(({ data }) => data.delta?.text ?? "").join("");
}

/** The log has one line of the failure, with all that an operator needs. */
function checkLog({ log }: Seen, { hook, cause }: FaultRow, policy: string): void {
  const lines = log.filter((line) => /"level":"ERROR".*failed in/.test(line));
  assert.equal(lines.length, 1, log.join("\n"));
  const [line = ""] = lines;
  for (
    const part of ['"plugin":"bad"', `"hook":"${hook}"`, `the request ${policy}`, '"request":"req_']
  ) assert.ok(line.includes(part), `${part} in ${line}`);
  assert.match(line, cause);
}

function checkClosed(row: FaultRow, told: Seen, stream: boolean): void {
  const { status, text, asked } = told;
  checkLog(told, row, "fails");
  assert.ok(!/Secret|\bbad\b|\bon[A-Z]/.test(text), text);
  if (row.hook === "onComplete") {
    assert.equal(textOf(text, stream), TEXT);
    return;
  }
  if (row.hook === "onEvent") {
    assert.equal(status, stream ? 200 : 500);
    assert.equal(asked.length, 1);
    const last = stream ? parseSse(text).at(-1)?.data : JSON.parse(text);
    assert.deepEqual([last.type, last.error?.type], ["error", "api_error"]);
    if (stream) assert.ok(!textOf(text, stream).includes("3"));
    assert.deepEqual(seen.at(-1), "failed true true");
    return;
  }
  assert.equal(status, 500);
  assert.equal(JSON.parse(text).error.type, "api_error");
  assert.equal(asked.length, 0, "Bedrock is not asked");
  assert.deepEqual(seen.filter((one) => one !== "hangs"), ["failed true true"]);
}

function checkOpen(row: FaultRow, told: Seen, stream: boolean): void {
  checkLog(told, row, "goes on");
  assert.equal(told.status, 200, told.text);
  assert.equal(textOf(told.text, stream), TEXT);
  const [request] = told.asked;
  assert.equal(told.asked.length, 1);
  const sent = JSON.parse(request?.text ?? "{}");
  assert.deepEqual([sent.max_tokens, sent.messages], [50, ask(stream).messages]);
  assert.deepEqual(seen.filter((one) => one !== "hangs"), ["called for ann", "ok true true"]);
}

for (const row of FAULTS) {
  Deno.test(`${row.hook} ${row.fault}: closed fails the request, open lets it go on as it was, and the log names it`, async () => {
    const hangs = row.hangs ?? false;
    for (const policy of ["reject", "continue"]) {
      const clock = new FakeClock();
      clock.advance(Date.now() - clock.now()); // the simulator checks signatures by the machine's
      await withPlugins([badPlugin(row, policy), WITNESS], async (harness) => {
        const { key } = await harness.gateway.keys.create({ name: "ann", models: ["claude-*"] });
        harness.secrets.add(key);
        for (const stream of [true, false]) {
          const told = await send({ harness, clock, key, hangs }, stream);
          if (policy === "reject") checkClosed(row, told, stream);
          else checkOpen(row, told, stream);
        }
      }, { clock });
    }
  });
}
