/** The plugin contract, through HTTP: order, what each hook may do, and that both shapes take one path. */
import assert from "node:assert/strict";
import { parseScript } from "../../src/simulator/simulator.ts";
import { parseSse } from "../harness.ts";
import { seen, type TestPlugin, withPlugins } from "./plugins.ts";

const QWEN = "qwen.qwen3-32b-v1:0";
const CLAUDE = "claude-haiku-4-5";

function ask(
  text: string,
  { stream = false, model = CLAUDE }: { stream?: boolean; model?: string } = {},
) {
  return { model, max_tokens: 50, stream, messages: [{ role: "user", content: text }] };
}

/** The answer's text, whichever shape it came in. */
async function textOf(response: Response): Promise<string> {
  const body = await response.text();
  if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
    return JSON.parse(body).content.map((block: { text?: string }) => block.text ?? "").join("");
  }
  return parseSse(body).map(({ data }) => data.delta?.text ?? "").join("");
}

function tracer(name: string): TestPlugin {
  return {
    name,
    definition: `setup: () => ({
      onRequest(ctx) { seen.push("${name} onRequest " + ("body" in ctx)); },
      onCall(ctx) { seen.push("${name} onCall " + ctx.body.messages.length); },
      onEvent(event) { if (event.type === "message_stop") seen.push("${name} onEvent"); },
      onComplete(ctx) { seen.push("${name} onComplete " + ctx.outcome + " " + ctx.usage?.output_tokens); },
      close() { seen.push("${name} close"); },
    })`,
  };
}

for (const stream of [false, true]) {
  const shape = stream ? "streamed" : "whole";

  Deno.test(`hooks run in list order, events in reverse (${shape})`, async () => {
    seen.length = 0;
    await withPlugins([tracer("first"), tracer("second")], async (harness) => {
      await (await harness.post(ask("[[sim:echo]] hi", { stream }))).text();
      await harness.gateway.services.background.settled();
    });
    assert.deepEqual(seen, [
      "first onRequest false",
      "second onRequest false",
      "first onCall 1",
      "second onCall 1",
      "second onEvent",
      "first onEvent",
      "first onComplete ok 1",
      "second onComplete ok 1",
      "second close",
      "first close",
    ]);
  });

  Deno.test(`onEvent() changes, splits and drops events (${shape})`, async () => {
    const shout: TestPlugin = {
      name: "shout",
      definition: `setup: () => ({ onEvent(event) {
        if (event.type !== "content_block_delta") return;
        const { text } = event.delta;
        if (text.includes("drop")) return [];
        const half = text.length / 2;
        const part = (text) => ({ ...event, delta: { type: "text_delta", text: text.toUpperCase() } });
        return [part(text.slice(0, half)), part(text.slice(half))];
      } })`,
    };
    await withPlugins([shout], async (harness) => {
      for (const model of [CLAUDE, QWEN]) {
        const response = await harness.post(
          ask("[[sim:echo]] loud words drop here", { stream, model }),
        );
        const wanted = stream ? "LOUD WORDS HERE" : ""; // a whole text is one event, and holds the word
        assert.equal(await textOf(response), wanted, model);
      }
    });
  });

  Deno.test(`onCall() replies without a call to Bedrock, seen by the plugins before it only (${shape})`, async () => {
    const mark = (name: string): TestPlugin => ({
      name,
      definition: `setup: () => ({ onEvent(event) {
        if (event.delta?.type === "text_delta") return { ...event, delta: { ...event.delta, text: event.delta.text + "<${name}>" } };
      } })`,
    });
    const cache: TestPlugin = {
      name: "cache",
      definition: `setup: () => ({
        onCall() { return { message: { id: "msg_1", type: "message", role: "assistant", model: "m",
          content: [{ type: "text", text: "cached" }], stop_reason: "end_turn", stop_sequence: null,
          usage: { input_tokens: 1, output_tokens: 1 } } }; },
        onEvent(event) { if (event.delta?.type === "text_delta") throw new Error("Must not see its own reply"); },
      })`,
    };
    await withPlugins([mark("outer"), cache, mark("inner")], async (harness) => {
      assert.equal(await textOf(await harness.post(ask("hi", { stream }))), "cached<outer>");
      assert.equal(harness.simulator.requests.length, 0);
    });
  });

  Deno.test(`collectMessage gives the answer as the plugin passed it on (${shape})`, async () => {
    seen.length = 0;
    const collect: TestPlugin = {
      name: "collect",
      definition: `collectMessage: true, setup: () => ({
        onEvent(event) { if (event.delta?.type === "text_delta") return { ...event, delta: { ...event.delta, text: event.delta.text + "!" } }; },
        onComplete(ctx) { seen.push(JSON.stringify(ctx.message.content) + ctx.message.stop_reason); },
      })`,
    };
    const outer: TestPlugin = {
      name: "outer",
      definition:
        `setup: () => ({ onEvent(event) { if (event.delta?.type === "text_delta") return { ...event, delta: { ...event.delta, text: event.delta.text + "?" } }; } })`,
    };
    await withPlugins([outer, collect], async (harness) => {
      assert.equal(await textOf(await harness.post(ask("[[sim:echo]] hi", { stream }))), "hi!?");
      await harness.gateway.services.background.settled();
    });
    assert.deepEqual(seen, ['[{"type":"text","text":"hi!"}]end_turn']);
  });

  Deno.test(`holdsReply keeps the last bytes until onComplete has ended (${shape})`, async () => {
    seen.length = 0;
    const journal: TestPlugin = {
      name: "journal",
      definition:
        `holdsReply: true, setup: () => ({ async onComplete() { await new Promise((go) => setTimeout(go, 20)); seen.push("recorded"); } })`,
    };
    await withPlugins([journal], async (harness) => {
      const response = await harness.post(ask("[[sim:echo]] hi", { stream }));
      await response.text();
      assert.deepEqual(seen, ["recorded"]);
    });
  });
}

Deno.test("onCall() changes body, model and tier; what it does not touch goes on as it was", async () => {
  const change: TestPlugin = {
    name: "change",
    definition: `setup: () => ({ onCall(ctx) {
      ctx.body = { ...ctx.body, max_tokens: 7 };
      ctx.model = "claude-opus-5-5";
      ctx.tier = "priority";
      ctx.responseHeaders.set("x-policy", "changed");
    } })`,
  };
  await withPlugins([change], async (harness) => {
    const body =
      '{"model":"claude-haiku-4-5", "max_tokens":50.0,"messages":[{"role":"user","content":"hi"}],"metadata":{"n":1.50}}';
    const response = await harness.post(body);
    assert.equal(response.headers.get("x-policy"), "changed");
    await response.body?.cancel();
    const [request] = harness.simulator.requests;
    assert.equal(request?.modelId, "us.anthropic.claude-opus-5-5");
    assert.equal(request?.headers.get("x-amzn-bedrock-service-tier"), "priority");
    assert.equal(
      request?.text,
      '{"anthropic_version":"bedrock-2023-05-31","max_tokens":7,"messages":[{"role":"user","content":"hi"}],"metadata":{"n":1.50}}',
    );
  });
});

Deno.test("a body is frozen for plugins: it is changed by assigning another", async () => {
  const mutate: TestPlugin = {
    name: "mutate",
    definition:
      `setup: () => ({ onCall(ctx) { "use strict"; ctx.body.messages[0].content = "changed"; } })`,
  };
  await withPlugins([mutate], async (harness) => {
    const response = await harness.post(ask("hi"));
    assert.equal(response.status, 500);
    await response.body?.cancel();
    assert.equal(harness.simulator.requests.length, 0);
  });
});

Deno.test("onComplete() is told of each end, once", async () => {
  seen.length = 0;
  const end: TestPlugin = {
    name: "end",
    definition:
      `setup: () => ({ onComplete(ctx) { seen.push([ctx.outcome, ctx.status, ctx.error?.type, ctx.served?.route].join(" ")); } })`,
  };
  await withPlugins([end], async (harness) => {
    await (await harness.post(ask("[[sim:echo]] hi"))).text();
    await (await harness.post(ask("hi"), { "x-api-key": "wrong" })).text();
    await (await harness.post("{")).text();
    await (await harness.post(ask("[[sim:error-500]]", { model: QWEN }))).text();
    await (await harness.post(ask("[[sim:fail-mid-throttlingException]]", { stream: true })))
      .text();
    const gone = await harness.post(ask("[[sim:stall-mid]]", { stream: true }));
    const reader = (gone.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    await reader.cancel();
    await harness.simulator.waitFor(({ aborted }) => aborted);
    await harness.gateway.services.background.settled();
  }, { config: "limits: { retries: 0 }\n" });
  assert.deepEqual(seen, [
    "ok 200  invoke",
    "rejected 401 authentication_error ",
    "rejected 400 invalid_request_error ",
    "failed 500 api_error ",
    "failed 200 rate_limit_error invoke",
    "aborted 200  invoke",
  ]);
});

Deno.test("a count that an ending leaves null is the one told at the beginning", async () => {
  seen.length = 0;
  const end: TestPlugin = {
    name: "end",
    definition: `setup: () => ({ onComplete(ctx) { seen.push(JSON.stringify(ctx.usage)); } })`,
  };
  await withPlugins([end], async (harness) => {
    const message = {
      id: "m",
      type: "message",
      role: "assistant",
      model: "x",
      content: [],
      stop_reason: null,
      stop_sequence: null,
    };
    harness.simulator.script(parseScript({
      anthropic: [
        {
          type: "message_start",
          message: { ...message, usage: { input_tokens: 7, output_tokens: 1 } },
        },
        {
          type: "message_delta",
          delta: { stop_reason: "end_turn", stop_sequence: null },
          usage: { input_tokens: null, output_tokens: 3 },
        },
        { type: "message_stop" },
      ],
    }));
    await (await harness.post(ask("hi", { stream: true }))).text();
    await harness.gateway.services.background.settled();
  });
  assert.deepEqual(seen, ['{"input_tokens":7,"output_tokens":3}']);
});

Deno.test("usage is taken from Bedrock, whatever plugins make of the events", async () => {
  seen.length = 0;
  const liar: TestPlugin = {
    name: "liar",
    definition: `setup: () => ({
      onEvent(event) { if (event.type === "message_delta") return { ...event, usage: { ...event.usage, output_tokens: 999 } }; },
      onComplete(ctx) { seen.push(String(ctx.usage.output_tokens)); },
    })`,
  };
  await withPlugins([liar], async (harness) => {
    const events = parseSse(
      await (await harness.post(ask("[[sim:count 20]]", { stream: true }))).text(),
    );
    assert.equal(
      events.find(({ event }) => event === "message_delta")?.data.usage?.output_tokens,
      999,
    );
    await harness.gateway.services.background.settled();
  });
  assert.deepEqual(seen, ["13"]); // "1 2 … 20 " is 51 characters, and the simulator counts four a token
});
