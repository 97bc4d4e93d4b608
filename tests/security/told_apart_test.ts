/** Every error says whose fault it is: in the log under the id that the client has, and in the metrics. */
import assert from "node:assert/strict";
import { FaultCounts } from "../../src/server/fault_counts.ts";
import { type Harness, type HarnessOptions, withHarness } from "../harness.ts";
import { inFolder } from "./program.ts";

const MASTER = "master-key-of-the-metrics-tests";
const AUTH = `{ use: auth, with: { master_key: ${MASTER} } }`;
const QWEN = "qwen.qwen3-32b-v1:0";

function ask(mark: string, extra: Record<string, unknown> = {}) {
  return {
    model: QWEN,
    max_tokens: 20,
    messages: [{ role: "user", content: `[[sim:${mark}]] hi` }],
    ...extra,
  };
}

/** What `GET /metrics` says: counts by fault and status. */
async function metrics({ url }: Harness): Promise<Record<string, number>> {
  const response = await fetch(`${url}/metrics`, { headers: { "x-api-key": MASTER } });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  assert.match(text, /^# TYPE outcrop_requests_total counter$/m);
  const lines = text.matchAll(
    /^outcrop_requests_total\{fault="(\w+)",status="(\d+)"\} (\d+)$/gm,
  );
  return Object.fromEntries([...lines].map(([, fault, status, count]) => [
    `${fault} ${status}`,
    Number(count),
  ]));
}

interface Case {
  readonly fault: "client" | "policy" | "bedrock" | "us";
  readonly status: number;
  readonly send: (harness: Harness) => Promise<Response>;
  readonly options?: HarnessOptions;
  /** Plugins beside auth: the source of each. */
  readonly plugin?: string;
}

const RETRIES_OFF = "limits: { retries: 0 }\n";
const plugin = (hooks: string) =>
  `export default ({ define, z }) => define({ name: "mine", schema: z.unknown(), setup: () => (${hooks}) });`;

const CASES: Record<string, Case> = {
  "no JSON": { fault: "client", status: 400, send: ({ post }) => post("no") },
  "no key": {
    fault: "client",
    status: 401,
    send: ({ post }) => post(ask("echo"), { "x-api-key": "sk-oc-nobody" }),
  },
  "a path that is not served": {
    fault: "client",
    status: 404,
    send: ({ url }) => fetch(`${url}/v2/nothing`),
  },
  "a method that is not allowed": {
    fault: "client",
    status: 405,
    send: ({ url }) => fetch(`${url}/v1/messages`),
  },
  "an unknown model": {
    fault: "client",
    status: 404,
    send: ({ post }) => post(ask("echo", { model: "nobody" })),
  },
  "what Bedrock does not take": {
    fault: "client",
    status: 400,
    send: ({ post }) => post(ask("error-400-ValidationException")),
  },
  "a rule of the organisation": {
    fault: "policy",
    status: 403,
    plugin: plugin('{ onCall: (ctx) => ctx.reject("permission_error", "Not on Sundays") }'),
    send: ({ post }) => post(ask("echo")),
  },
  "a rule on the answer, in mid-stream": {
    fault: "policy",
    status: 200,
    plugin: plugin(
      '{ onEvent: (event, ctx) => event.type === "content_block_delta" ? ctx.reject("permission_error", "Not this") : undefined }',
    ),
    send: ({ post }) => post(ask("echo", { stream: true })),
  },
  "Bedrock's throttle": {
    fault: "bedrock",
    status: 429,
    options: { config: RETRIES_OFF },
    send: ({ post }) => post(ask("error-429-ThrottlingException")),
  },
  "Bedrock's failure": {
    fault: "bedrock",
    status: 500,
    options: { config: RETRIES_OFF },
    send: ({ post }) => post(ask("error-500-InternalServerException")),
  },
  "a stream that is cut": {
    fault: "bedrock",
    status: 200,
    send: ({ post }) => post(ask("cut-mid", { stream: true })),
  },
  "a Bedrock that cannot be reached": {
    fault: "bedrock",
    status: 500,
    options: { config: RETRIES_OFF, endpoint: "http://127.0.0.1:9" },
    send: ({ post }) => post(ask("echo")),
  },
  "AWS credentials that are refused": {
    fault: "us",
    status: 403,
    options: { credentials: { accessKeyId: "AKIDNOBODY", secretAccessKey: "canary-secret-x" } },
    send: ({ post }) => post(ask("echo")),
  },
  "a plugin that fails": {
    fault: "us",
    status: 500,
    plugin: plugin('{ onCall() { throw new Error("The plugin is broken"); } }'),
    send: ({ post }) => post(ask("echo")),
  },
};

for (const [what, { fault, status, send, options = {}, plugin: source }] of Object.entries(CASES)) {
  Deno.test(`${what} is the fault of: ${fault}`, () =>
    inFolder("", async (base) => {
      const plugins = source === undefined ? [AUTH] : [AUTH, "{ use: ./mine.ts }"];
      if (source !== undefined) await Deno.writeTextFile(`${base}/mine.ts`, source);
      const config = `${options.config ?? ""}plugins: [${plugins.join(", ")}]\n`;
      await withHarness({ ...options, config, base }, async (harness) => {
        harness.secrets.add(MASTER);
        const response = await send(harness);
        const text = await response.text();
        assert.equal(response.status, status, text);
        const id = response.headers.get("request-id") ?? "";
        assert.match(text, new RegExp(`"request_id": ?"${id}"`));
        const lines = harness.log.filter((line) => line.includes(id) && line.includes('"fault"'));
        assert.equal(lines.length, 1, harness.log.join(""));
        assert.equal(JSON.parse(lines[0] ?? "{}").properties.fault, fault);
        assert.deepEqual(await metrics(harness), { [`${fault} ${status}`]: 1 });
        assert.deepEqual(await metrics(harness), { "none 200": 1, [`${fault} ${status}`]: 1 });
      });
    }));
}

Deno.test("a gateway that is full is at fault itself, and a client that leaves is", () =>
  withHarness(
    { config: `limits: { in_flight: 1 }\nplugins: [${AUTH}]\n` },
    async (harness) => {
      const gone = new AbortController();
      const first = fetch(`${harness.url}/v1/messages`, {
        method: "POST",
        headers: { "x-api-key": harness.key },
        body: JSON.stringify(ask("stall")),
        signal: gone.signal,
      });
      await harness.simulator.waitFor(() => true);
      const second = await harness.post(ask("echo"));
      assert.equal(second.status, 529);
      const id = second.headers.get("request-id") ?? "";
      const line = harness.log.find((one) => one.includes(id)) ?? "";
      assert.equal(JSON.parse(line).properties.fault, "us");
      gone.abort();
      await assert.rejects(first);
      await harness.simulator.waitFor(({ aborted }) => aborted);
      await harness.gateway.services.background.settled();
      assert.deepEqual(await metrics(harness), { "client 499": 1, "us 529": 1 });
    },
  ));

Deno.test("the metrics are the master key's alone", () =>
  withHarness({ config: `plugins: [${AUTH}]\n` }, async ({ url, key }) => {
    const status = async (headers: Record<string, string>) => {
      const response = await fetch(`${url}/metrics`, { headers });
      const text = await response.text();
      assert.ok(response.ok || !text.includes("outcrop_requests_total"), text);
      return response.status;
    };
    assert.equal(await status({}), 401);
    assert.equal(await status({ "x-api-key": "sk-oc-nobody" }), 401);
    assert.equal(await status({ "x-api-key": key }), 403);
    assert.equal(await status({ authorization: `Bearer ${MASTER}` }), 200);
  }));

for (const plugins of ["[{ use: auth, with: { required: false } }]", "[]"]) {
  Deno.test(`where nobody need show a key, nobody sees the metrics (plugins: ${plugins})`, () =>
    withHarness({ config: `plugins: ${plugins}\n` }, async ({ url }) => {
      const response = await fetch(`${url}/metrics`);
      assert.equal(response.status, 403);
      assert.match((await response.json()).error.message, /is for the master key/);
    }));
}

Deno.test("workers count together", () => {
  const main = new FaultCounts();
  const worker = new FaultCounts(main.shared);
  main.add("us", 500);
  worker.add("us", 500);
  worker.add(undefined, 200);
  worker.add("client", 9_999);
  assert.deepEqual([...main.all()], [
    { fault: "none", status: 200, count: 1 },
    { fault: "client", status: 0, count: 1 },
    { fault: "us", status: 500, count: 2 },
  ]);
});
