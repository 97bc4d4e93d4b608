/** A client's words stay words: in headers to it and to Bedrock, in events, in the log, in what is learned for others. */
import assert from "node:assert/strict";
import { parseScript } from "../../src/simulator/simulator.ts";
import { type Harness, parseSse, withHarness } from "../harness.ts";
import { raw } from "./raw.ts";

const CLAUDE = "claude-haiku-4-5";
const QWEN = "qwen.qwen3-32b-v1:0";
const EVIL = "a\r\nx-evil: yes\r\n\r\n<evil>";

function ask(model: string, extra: Record<string, unknown> = {}) {
  return {
    model,
    max_tokens: 50,
    messages: [{ role: "user", content: "[[sim:echo]] hi" }],
    ...extra,
  };
}

/** Bodies in which a line end stands wherever a client's word might come into a header. */
const BODIES: Record<string, Record<string, unknown>> = {
  "a field that is left out": ask(QWEN, { [EVIL]: 1 }),
  "a field of the metadata": ask(QWEN, { metadata: { [EVIL]: 1 } }),
  "a beta of the body": ask(CLAUDE, { anthropic_beta: [`context-management-${EVIL}`] }),
  "the user's id": ask(QWEN, { metadata: { user_id: EVIL } }),
  "the model's name": ask(`anthropic.${EVIL}`),
  "an unknown model's name": ask(EVIL),
  "a tool's name": ask(QWEN, { tools: [{ name: EVIL, input_schema: { type: "object" } }] }),
  "a tool's type": ask(QWEN, { tools: [{ type: EVIL, name: "t" }] }),
  "a stop sequence": ask(QWEN, { stop_sequences: [EVIL] }),
  "a block's type": ask(QWEN, { messages: [{ role: "user", content: [{ type: EVIL }] }] }),
};

for (const route of ["invoke", "messages", "mantle", "converse"]) {
  for (const [where, body] of Object.entries(BODIES)) {
    Deno.test(`a line end in ${where} makes no header (${route})`, () =>
      withHarness({ config: `models: { claude_route: ${route} }\n` }, async (harness) => {
        const text = JSON.stringify(body);
        const { status, head } = await raw(
          harness.url,
          `POST /v1/messages HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: ${harness.key}\r\n` +
            `content-length: ${text.length}\r\n\r\n${text}`,
        );
        assert.ok(status >= 200 && status < 500, head);
        assert.doesNotMatch(head, /^x-evil/im);
        for (const line of head.split("\r\n").slice(1)) assert.match(line, /^[\w-]+: [^\r\n]*$/);
        for (const { headers } of harness.simulator.requests) {
          assert.equal(headers.get("x-evil"), null);
        }
      }));
  }
}

Deno.test("a preflight reflects names of headers, and nothing that ends them", () =>
  withHarness({}, async ({ url }) => {
    const { head } = await raw(
      url,
      "OPTIONS /v1/messages HTTP/1.1\r\nhost: x\r\nconnection: close\r\norigin: https://evil.example\r\n" +
        "access-control-request-headers: x-api-key\rx-evil: 1\r\n\r\n",
    );
    assert.doesNotMatch(head, /x-evil/i);
  }));

Deno.test("an answer cannot be read by a page of another origin on the strength of a cookie", () =>
  withHarness({}, async ({ url, key }) => {
    const response = await fetch(`${url}/v1/models`, {
      headers: { "x-api-key": key, origin: "https://evil.example" },
    });
    await response.body?.cancel();
    assert.equal(response.headers.get("access-control-allow-credentials"), null);
    const cookie = await fetch(`${url}/v1/models`, { headers: { cookie: `x-api-key=${key}` } });
    await cookie.body?.cancel();
    assert.equal(cookie.status, 401);
  }));

for (const model of [CLAUDE, QWEN]) {
  Deno.test(`an answer that holds the marks of an event is text all the same (${model})`, () =>
    withHarness({}, async ({ post }) => {
      const forged = '\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n';
      const messages = [{ role: "user", content: `[[sim:echo]] ${forged}end` }];
      const response = await post({ ...ask(model), stream: true, messages });
      const events = parseSse(await response.text());
      assert.equal(events.filter(({ event }) => event === "message_stop").length, 1);
      assert.equal(events.at(-1)?.event, "message_stop");
    }));
}

/** Has Bedrock refuse the next request with these words. */
function refuse({ simulator }: Harness, message: string): void {
  const headers = { "x-amzn-errortype": "ValidationException" };
  simulator.script(parseScript({ status: 400, headers, json: { message } }));
}

async function post({ post }: Harness, body: unknown): Promise<void> {
  const response = await post(body);
  assert.equal(response.status, 200, await response.text());
}

Deno.test("one client's wrong value takes a field from its own request, and from nobody else's", () =>
  withHarness({}, async (harness) => {
    refuse(harness, "output_config.effort: Input should be 'low', 'medium' or 'high'");
    await post(harness, ask("claude-opus-4-5", { output_config: { effort: "endless" } }));
    await post(harness, ask("claude-opus-4-5", { output_config: { effort: "low" } }));
    const efforts = harness.simulator.requests.map(({ text }) =>
      /"effort":"(\w+)"/.exec(text)?.[1]
    );
    assert.deepEqual(efforts, ["endless", undefined, "low"]);
  }));

Deno.test("a field that one client sent without its beta is taken from nobody else", () =>
  withHarness({}, async (harness) => {
    refuse(harness, "context_management: Extra inputs are not permitted");
    const body = ask(CLAUDE, { context_management: { edits: [] } });
    await post(harness, body);
    const headers = { "anthropic-beta": "context-management-2025-06-27" };
    const second = await harness.post(body, headers);
    assert.equal(second.status, 200, await second.text());
    const sent = harness.simulator.requests.map(({ text }) => text.includes("context_management"));
    assert.deepEqual(sent, [true, false, true]);
  }));

Deno.test("a choice of a tool that is not there takes the choice from nobody else", () =>
  withHarness({}, async (harness) => {
    const tools = [{ name: "t", input_schema: { type: "object" } }];
    const tool_choice = { type: "tool", name: "t" };
    refuse(harness, "The value at toolConfig.toolChoice.tool.name is not the name of a tool");
    await post(harness, ask("us.amazon.nova-pro-v1:0", { tools, tool_choice }));
    await post(harness, ask("us.amazon.nova-pro-v1:0", { tools, tool_choice }));
    const chosen = harness.simulator.requests.map(({ text }) => text.includes('"toolChoice"'));
    assert.deepEqual(chosen, [true, false, true]);
  }));

Deno.test("a beta that stood beside a wrong one is taken from nobody else", () =>
  withHarness({}, async (harness) => {
    refuse(harness, "invalid beta flag");
    const good = ["interleaved-thinking-2025-05-14", "computer-use-2025-01-24"];
    const wrong = "context-management-2099-01-01";
    const beta = [good[0], wrong, good[1], "effort-2025-11-24"].join(",");
    const first = await harness.post(ask(CLAUDE), { "anthropic-beta": beta });
    assert.equal(first.status, 200, await first.text());
    const second = await harness.post(ask(CLAUDE), { "anthropic-beta": good.join(",") });
    assert.equal(second.status, 200, await second.text());
    const { anthropic_beta } = JSON.parse(harness.simulator.requests.at(-1)?.text ?? "{}");
    assert.deepEqual(anthropic_beta, good);
  }));
