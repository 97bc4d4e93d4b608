/** Anthropic's own SDKs, 1.x and 0.x, through Outcrop: whole and streamed, with tools, on both routes. */
import assert from "node:assert/strict";
import Anthropic1 from "@anthropic-ai/sdk";
import Anthropic0 from "@anthropic-ai/sdk-0";
import { type Harness, withHarness } from "../harness.ts";
import { startWitness } from "./witness.ts";

const TOOL = {
  name: "get_weather",
  description: "Weather",
  input_schema: {
    type: "object" as const,
    properties: { city: { type: "string" } },
    required: ["city"],
  },
};

/** The two SDKs' clients are of different classes, with the same calls as far as these tests go. */
function clientOf(
  version: string,
  { url, key }: Pick<Harness, "url" | "key">,
  maxRetries: number = 0,
): Anthropic1 {
  const options = { baseURL: url, apiKey: key, maxRetries };
  return version === "1.x"
    ? new Anthropic1(options)
    : new Anthropic0(options) as unknown as Anthropic1;
}

for (const version of ["1.x", "0.x"]) {
  for (
    const [route, model] of [["invoke", "claude-opus-5-5"], [
      "converse",
      "qwen.qwen3-32b-v1:0",
    ]] as const
  ) {
    const test = (what: string, run: (client: Anthropic1, harness: Harness) => Promise<void>) =>
      Deno.test(`the Anthropic SDK ${version} on ${route} ${what}`, () =>
        withHarness({}, (harness) => run(clientOf(version, harness), harness)));

    test("reads a whole message", async (client) => {
      const message = await client.messages.create({
        model,
        max_tokens: 50,
        messages: [{ role: "user", content: "[[sim:echo]] Grüße" }],
      });
      assert.deepEqual(
        message.content.map((block) => block.type === "text" ? block.text : block.type),
        ["Grüße"],
      );
      assert.equal(message.stop_reason, "end_turn");
      assert.ok(message.usage.input_tokens > 0 && message.usage.output_tokens > 0);
      assert.match(message._request_id ?? "", /^req_/);
    });

    test("reads a stream to its final message", async (client) => {
      const parts: string[] = [];
      const stream = client.messages.stream({
        model,
        max_tokens: 50,
        messages: [{ role: "user", content: "[[sim:count 6]]" }],
      });
      stream.on("text", (part) => parts.push(part));
      const message = await stream.finalMessage();
      assert.deepEqual(parts, ["1 ", "2 ", "3 ", "4 ", "5 ", "6 "]);
      assert.equal(message.stop_reason, "end_turn");
      assert.ok(message.usage.input_tokens > 0 && message.usage.output_tokens > 0);
    });

    test("runs a tool, thinks with a signature, and replays both", async (client, harness) => {
      const messages: Anthropic1.MessageParam[] = [{
        role: "user",
        content: "[[sim:think]] use the tool",
      }];
      const ask = () =>
        client.messages.stream({ model, max_tokens: 2_000, tools: [TOOL], messages })
          .finalMessage();
      const first = await ask();
      assert.deepEqual(first.content.map(({ type }) => type), ["thinking", "tool_use"]);
      const call = first.content[1] as Anthropic1.ToolUseBlock;
      assert.deepEqual([call.name, call.input], ["get_weather", { city: "Paris" }]);
      messages.push({ role: "assistant", content: first.content });
      messages.push({
        role: "user",
        content: [{ type: "tool_result", tool_use_id: call.id, content: "sunny" }],
      });
      const second = await ask();
      const text = second.content.find((block) => block.type === "text");
      assert.equal(text?.type === "text" ? text.text : "", "The tool said: sunny");
      const replayed = harness.simulator.requests.at(-1)?.text ?? "";
      // The simulator refuses reasoning whose signature is not its own for that very text.
      assert.equal(replayed.includes("Let me think"), route === "invoke");
    });

    test("throws its own errors", async (client) => {
      const ask = (content: string, name: string = model) =>
        client.messages.create({
          model: name,
          max_tokens: 5,
          messages: [{ role: "user", content }],
        });
      await assert.rejects(ask("x", "claude-soney-5"), { status: 404 });
      await assert.rejects(
        ask("[[sim:context]]"),
        (error: Error & { status?: number }) =>
          error.status === 400 &&
          error.message.includes("prompt is too long: 210000 tokens > 200000 maximum"),
      );
    });

    test("throws what a stream says went wrong", async (client) => {
      const stream = client.messages.stream({
        model,
        max_tokens: 50,
        messages: [{ role: "user", content: "[[sim:fail-mid-throttlingException]]" }],
      });
      await assert.rejects(stream.finalMessage(), /The model failed midway/);
    });

    test("lists models and counts tokens", async (client) => {
      const ids: string[] = [];
      for await (const { id } of client.models.list({ limit: 10 })) ids.push(id);
      assert.ok(ids.length > 20 && new Set(ids).size === ids.length);
      assert.equal(
        (await client.models.retrieve("claude-opus-5-5")).display_name,
        "Claude Opus 5.5",
      );
      const { input_tokens } = await client.messages.countTokens({
        model,
        messages: [{ role: "user", content: "foo" }],
      });
      assert.ok(input_tokens > 0);
    });
  }
}

for (const claude_route of ["invoke", "converse"]) {
  for (const stream of [false, true]) {
    const how = `${claude_route}, ${stream ? "streamed" : "whole"}`;
    Deno.test(`the Anthropic SDK 1.x runs tools by itself, without the threads that it asks for first, on ${how}`, () =>
      withHarness({ config: `models: { claude_route: ${claude_route} }\n` }, async (harness) => {
        const witness = startWitness(harness.url);
        try {
          const { messages } = clientOf("1.x", { ...harness, url: witness.url }).beta;
          const params = {
            model: "claude-opus-5-5",
            max_tokens: 500,
            messages: [{ role: "user" as const, content: "use the tool" }],
            tools: [{
              ...TOOL,
              type: "custom" as const,
              run: ({ city }: { city: string }) => `sunny in ${city}`,
              parse: (input: unknown) => input as { city: string },
            }],
          };
          const { content } = stream
            ? await messages.toolRunner({ ...params, stream })
            : await messages.toolRunner(params);
          assert.deepEqual(
            content.map((block) => block.type === "text" ? block.text : block.type),
            ["The tool said: sunny in Paris"],
          );
          const [first, ...rest] = witness.exchanged;
          assert.equal(JSON.parse(first?.sent ?? "{}").thread.type, "create");
          assert.equal(first?.status, 400);
          assert.equal(
            JSON.parse(first?.answer ?? "{}").error.details.error_code,
            "thread_unsupported_request",
          );
          assert.deepEqual(rest.map(({ status }) => status), [200, 200]);
          assert.ok(rest.every(({ sent }) => !("thread" in JSON.parse(sent))));
        } finally {
          await witness.close();
        }
      }));
  }
}
