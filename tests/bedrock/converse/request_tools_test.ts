import assert from "node:assert/strict";
import { build, CLAUDE, CLAUDE_5, faultsOf, messagesOf, NOVA, OPEN, TOOLLESS } from "./build.ts";
import { answer, BASH, CALL, EPHEMERAL, PNG, refused, TOOL, user } from "./request_fixtures.ts";

const GO = user({ type: "text", text: "go" });

Deno.test("buildConverseRequest() sets the cache point of a mark inside a tool result behind the result", () => {
  const messages = [GO, CALL, answer([{ type: "text", text: "out", cache_control: EPHEMERAL }])];
  assert.deepEqual(messagesOf(build(CLAUDE, { messages, tools: [TOOL] }))[2]?.content, [
    { toolResult: { toolUseId: "t1", content: [{ text: "out" }] } },
    { cachePoint: { type: "default" } },
  ]);
});

Deno.test("buildConverseRequest() tells tool calls of the past as text, in order, to models without tools", () => {
  const result = { type: "tool_result", tool_use_id: "t1", content: "forty-two" };
  const built = build(TOOLLESS, {
    messages: [GO, CALL, user({ type: "text", text: "first" }, result)],
  });
  assert.deepEqual(faultsOf(built.body), []);
  assert.equal(built.body.toolConfig, undefined);
  const [, call, told] = messagesOf(built);
  assert.match(String(call?.content[0]?.text), /t1.* f /);
  assert.deepEqual(told?.content[0], { text: "first" });
  assert.match(String(told?.content[1]?.text), /t1[^]*forty-two/);
});

Deno.test("buildConverseRequest() names the tool uses that nobody answered, by the client's ids", () => {
  const id = "x".repeat(80);
  const call = { role: "assistant", content: [{ type: "tool_use", id, name: "f", input: {} }] };
  refused(
    new RegExp(`^messages\\.1\\.content\\.0: .*tool_use.*without.*tool_result.*${id}`),
    () => build(OPEN, { tools: [TOOL], messages: [GO, call, GO] }),
  );
  refused(
    /^messages\.1\.content\.0: .*tool_use_id.*t1/,
    () => build(OPEN, { tools: [TOOL], messages: [GO, answer("out")] }),
  );
});

Deno.test("buildConverseRequest() sends strict tools only to Claude models that take them", () => {
  const tools = [{ ...TOOL, strict: true }];
  const configOf = (model: string) => JSON.stringify(build(model, { tools }).body.toolConfig);
  assert.match(configOf(CLAUDE), /"strict":true/);
  for (const model of [CLAUDE_5, "anthropic.claude-opus-5-5", OPEN]) {
    assert.doesNotMatch(configOf(model), /strict/, model);
    assert.deepEqual(build(model, { tools }).dropped, ["tools[].strict"], model);
  }
});

Deno.test("buildConverseRequest() sends Anthropic's own tools, and the choice of one, beside toolConfig", () => {
  const tools = [BASH];
  const choice = { type: "tool", name: "bash" };
  const built = build(CLAUDE, { tools, tool_choice: choice });
  assert.deepEqual(built.body.additionalModelRequestFields, { tools, tool_choice: choice });
  assert.equal(built.body.toolConfig, undefined);
  refused(/^tools\.0\.type: .*bash_20250124/, () => build(OPEN, { tools }));
});

Deno.test("buildConverseRequest() has a toolConfig when a conversation used only Anthropic's own tools", () => {
  const content = [{ type: "tool_use", id: "t1", name: "bash", input: {} }];
  const built = build(CLAUDE, {
    tools: [BASH],
    messages: [GO, { role: "assistant", content }, answer("out")],
  });
  assert.deepEqual(faultsOf(built.body), []);
  // A second tool of the same name would be refused.
  assert.doesNotMatch(JSON.stringify(built.body.toolConfig), /"name":"bash"/);
});

Deno.test("buildConverseRequest() keeps the schema of a tool whole and leaves an empty description out", () => {
  const input_schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    properties: { a: { $ref: "#/$defs/a" } },
    $defs: { a: { type: "string" } },
    additionalProperties: false,
  };
  const built = build(OPEN, { tools: [{ name: "f", description: "", input_schema }] });
  assert.deepEqual(built.body.toolConfig, {
    tools: [{ toolSpec: { name: "f", inputSchema: { json: input_schema } } }],
  });
});

Deno.test("buildConverseRequest() moves pictures out of tool results where a family refuses them, and loses none", () => {
  const result = answer([{ type: "text", text: "see" }, PNG], { cache_control: EPHEMERAL });
  const messages = [GO, CALL, result];
  const picture = { image: { format: "png", source: { bytes: PNG.source.data } } };
  assert.deepEqual(messagesOf(build(OPEN, { messages, tools: [TOOL] }))[2]?.content, [
    { toolResult: { toolUseId: "t1", content: [{ text: "see" }] } },
    picture,
  ]);
  assert.deepEqual(messagesOf(build(NOVA, { messages, tools: [TOOL] }))[2]?.content, [
    { toolResult: { toolUseId: "t1", content: [{ text: "see" }, picture] } },
    { cachePoint: { type: "default" } },
  ]);
});
