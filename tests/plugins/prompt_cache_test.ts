/** How long prompts stay in the model's cache, and marks for clients that set none: what Bedrock is told. */
import assert from "node:assert/strict";
import { type Harness, withHarness } from "../harness.ts";

interface Sent {
  readonly system?: unknown;
  readonly tools?: readonly Record<string, unknown>[];
  readonly messages: readonly { readonly content: unknown }[];
}

const LONG = "long ".repeat(4_000);
const tool = (more: object = {}) => ({ name: "t", input_schema: { type: "object" }, ...more });
const text = (value: string, mark?: object) => ({
  type: "text",
  text: value,
  ...(mark === undefined ? {} : { cache_control: mark }),
});
const ephemeral = (ttl?: string) => ({ type: "ephemeral", ...(ttl === undefined ? {} : { ttl }) });

const config = (settings: string) =>
  `plugins: [ { use: auth }, { use: prompt_cache, with: ${settings} } ]\n`;

/** What Bedrock gets of a body. */
async function sent({ simulator, url, key }: Harness, body: object, as = key): Promise<Sent> {
  const response = await fetch(`${url}/v1/messages`, {
    method: "POST",
    headers: { "x-api-key": as },
    body: JSON.stringify({ model: "claude-sonnet-4-5", max_tokens: 10, ...body }),
  });
  assert.equal(response.status, 200, await response.text());
  return JSON.parse(simulator.requests.at(-1)?.text ?? "");
}

/** A body with four marks, which is the most: on a tool, the system prompt, inside a result, on a message. */
const marked = (ttl?: string) => ({
  system: [text("s", ephemeral(ttl))],
  tools: [tool({ cache_control: ephemeral(ttl) })],
  messages: [
    { role: "user", content: "use it" },
    { role: "assistant", content: [{ type: "tool_use", id: "toolu_1", name: "t", input: {} }] },
    {
      role: "user",
      content: [
        {
          type: "tool_result",
          tool_use_id: "toolu_1",
          content: [text("r", ephemeral(ttl))],
        },
        text("go on", ephemeral(ttl)),
      ],
    },
  ],
});

/** The marks, in the order of the prefix. */
function marksIn(value: unknown): unknown[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) =>
    name === "cache_control" ? [member] : marksIn(member)
  );
}

const FOUR = (mark: object) => [mark, mark, mark, mark];

Deno.test("force_ttl gives every mark its life, in tools, system, messages and results", async () => {
  await withHarness({ config: config("{ force_ttl: 1h }") }, async (harness) => {
    assert.deepEqual(marksIn(await sent(harness, marked())), FOUR(ephemeral("1h")));
    assert.deepEqual(marksIn(await sent(harness, marked("5m"))), FOUR(ephemeral("1h")));
  });
  await withHarness({ config: config("{ force_ttl: 5m }") }, async (harness) => {
    assert.deepEqual(marksIn(await sent(harness, marked("1h"))), FOUR(ephemeral()));
  });
});

Deno.test("a key's own life goes before force_ttl", async () => {
  await withHarness({ config: config("{ force_ttl: 5m }") }, async (harness) => {
    const { key } = await harness.gateway.keys.create({ name: "hour", cache_ttl: "1h" });
    harness.secrets.add(key);
    assert.deepEqual(marksIn(await sent(harness, marked(), key)), FOUR(ephemeral("1h")));
    assert.deepEqual(marksIn(await sent(harness, marked())), FOUR(ephemeral()));
  });
});

Deno.test("default_ttl is for requests that state no life at all: mixed ones would be refused", async () => {
  await withHarness({ config: config("{ default_ttl: 1h }") }, async (harness) => {
    assert.deepEqual(marksIn(await sent(harness, marked())), FOUR(ephemeral("1h")));
    assert.deepEqual(marksIn(await sent(harness, marked("5m"))), FOUR(ephemeral("5m")));
    const body = {
      system: [text("s", ephemeral("1h"))],
      messages: [{ role: "user", content: [text("hi", ephemeral())] }],
    };
    const { system, messages } = await sent(harness, body);
    assert.deepEqual(marksIn([system, messages]), [ephemeral("1h"), ephemeral()]);
  });
});

Deno.test("without settings, and for a request without marks, the body stays byte for byte", async () => {
  for (const settings of ["{}", "{ force_ttl: 1h }"]) {
    await withHarness({ config: config(settings) }, async ({ post, simulator }) => {
      const raw =
        '{"model":"claude-sonnet-4-5", "max_tokens":10,"messages":[{"role":"user","content":"\\u0068i"}]}';
      await (await post(raw)).body?.cancel();
      assert.match(
        simulator.requests.at(-1)?.text ?? "",
        /\[\{"role":"user","content":"\\u0068i"\}\]/,
      );
    });
  }
});

Deno.test("automatic marks the end of a long system prompt, or of the tools where there is none", async () => {
  await withHarness({ config: config("{ automatic: true }") }, async (harness) => {
    const messages = [{ role: "user", content: "hi" }];
    const { system } = await sent(harness, { system: LONG, messages });
    assert.deepEqual(system, [text(LONG, ephemeral())]);
    const { tools } = await sent(harness, {
      tools: [tool(), tool({ name: "u", description: LONG })],
      messages,
    });
    assert.deepEqual(tools?.map(({ cache_control }) => cache_control), [undefined, ephemeral()]);
    assert.deepEqual(marksIn(await sent(harness, { system: "short", messages })), []);
  });
});

Deno.test("automatic marks the end of a conversation that goes on, with the key's life", async () => {
  await withHarness({ config: config("{ automatic: true, default_ttl: 1h }") }, async (harness) => {
    const messages = [
      { role: "user", content: LONG },
      { role: "assistant", content: "a" },
      { role: "user", content: "go on" },
    ];
    const first = await sent(harness, { messages: messages.slice(0, 1) });
    assert.deepEqual(marksIn(first), []);
    const later = await sent(harness, { messages });
    assert.deepEqual(later.messages.at(-1)?.content, [text("go on", ephemeral("1h"))]);
    assert.deepEqual(marksIn(later), [ephemeral("1h")]);
  });
});

Deno.test("automatic leaves a client's own marks alone, and models that know none", async () => {
  await withHarness({ config: config("{ automatic: true }") }, async (harness) => {
    const system = [text(LONG), text("end", ephemeral())];
    const messages = [{ role: "user", content: "hi" }];
    assert.deepEqual((await sent(harness, { system, messages })).system, system);
    const response = await harness.post({
      model: "qwen.qwen3-32b-v1:0",
      max_tokens: 10,
      system: LONG,
      messages,
    });
    assert.equal(response.status, 200);
    await response.body?.cancel();
    assert.equal(response.headers.get("x-outcrop-dropped"), null);
  });
});
