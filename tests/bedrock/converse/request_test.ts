import assert from "node:assert/strict";
import { betaRules } from "../../../src/bedrock/betas.ts";
import { SYNTHETIC_SIGNATURE_PREFIX } from "../../../src/bedrock/converse/signature.ts";
import { build, CLAUDE, CLAUDE_5, faultsOf, messagesOf, NOVA, OPEN } from "./build.ts";
import { EPHEMERAL, PDF, PNG, refused, user } from "./request_fixtures.ts";

Deno.test("buildConverseRequest() asks the models that need it for reasoning in every request", () => {
  for (const model of ["xai.grok-4.6", "xai.grok-4.7", "moonshotai.kimi-k3"]) {
    const plain = build(model, {}).body.additionalModelRequestFields;
    assert.deepEqual(plain, { reasoning_config: "low" }, model);
    const effort = build(model, {
      thinking: { type: "adaptive" },
      output_config: { effort: "medium" },
    });
    assert.deepEqual(effort.body.additionalModelRequestFields, { reasoning_config: "medium" });
    assert.deepEqual(effort.dropped, []);
  }
  assert.equal(build("zai.glm-5", {}).body.additionalModelRequestFields, undefined);
  assert.deepEqual(build("xai.grok-4.6", { thinking: { type: "disabled" } }).dropped, ["thinking"]);
});

Deno.test("buildConverseRequest() sends an hour of cache only to models that keep one", () => {
  const marked = [user({ type: "text", text: "hi", cache_control: { ...EPHEMERAL, ttl: "1h" } })];
  const cases: [model: string, point: unknown, dropped: string[]][] = [
    [CLAUDE, { type: "default", ttl: "1h" }, []],
    [CLAUDE_5, { type: "default", ttl: "1h" }, []],
    [NOVA, { type: "default" }, ["cache_control.ttl"]],
    ["anthropic.claude-sonnet-4-20250514-v1:0", { type: "default" }, ["cache_control.ttl"]],
  ];
  for (const [model, point, dropped] of cases) {
    const built = build(model, { messages: marked });
    assert.deepEqual(messagesOf(built)[0]?.content[1], { cachePoint: point }, model);
    assert.deepEqual(built.dropped, dropped, model);
  }
});

Deno.test("buildConverseRequest() reads a ttl of null as none", () => {
  const built = build(CLAUDE, {
    system: [{ type: "text", text: "s", cache_control: { ...EPHEMERAL, ttl: null } }],
  });
  assert.deepEqual(built.body.system, [{ text: "s" }, { cachePoint: { type: "default" } }]);
});

Deno.test("buildConverseRequest() gives a document without words a text beside it", () => {
  assert.deepEqual(faultsOf(build(CLAUDE, { messages: [user(PDF)] }).body), []);
  const spoken = build(CLAUDE, { messages: [user(PDF, { type: "text", text: "read" })] });
  assert.equal(messagesOf(spoken)[0]?.content.length, 2);
});

Deno.test("buildConverseRequest() cuts white space at the end of a prefill, in front of a cache point too", () => {
  const prefill = { type: "text", text: "{ ", cache_control: EPHEMERAL };
  const built = build(CLAUDE, {
    messages: [user({ type: "text", text: "json" }), { role: "assistant", content: [prefill] }],
  });
  assert.deepEqual(messagesOf(built)[1]?.content, [
    { text: "{" },
    { cachePoint: { type: "default" } },
  ]);
});

Deno.test("buildConverseRequest() names the message as the client counts it, behind instructions in mid-conversation", () => {
  const messages = [
    { role: "system", content: "" },
    user({ type: "image", source: { type: "url", url: "https://example.com/a.png" } }),
  ];
  refused(/^messages\.1\.content\.0\.source\.type: /, () => build(OPEN, { messages }));
});

Deno.test("buildConverseRequest() reads betas of the body too", () => {
  const built = build(CLAUDE, { anthropic_beta: ["effort-2025-11-24", "skills-2025-10-02"] });
  assert.deepEqual(built.body.additionalModelRequestFields, {
    anthropic_beta: ["effort-2025-11-24"],
  });
  assert.deepEqual(built.dropped, ["skills-2025-10-02"]);
});

Deno.test("buildConverseRequest() sends a field that a beta brings with its beta, or neither", () => {
  const partly = { context_management: { edits: [] }, safeguards: null };
  const betas = ["context-management-2025-06-27", "dangerous-tool-use-2026-09-03"];
  const rules = betaRules({ "context-management-*": "forward", "dangerous-*": "forward" });
  const ruled = build(CLAUDE, partly, betas, { rules });
  assert.deepEqual(ruled.body.additionalModelRequestFields, {
    context_management: { edits: [] },
    anthropic_beta: betas,
  });
  assert.deepEqual([ruled.betas, ruled.dropped], [betas, []]);
  const plain = build(CLAUDE, partly, betas);
  assert.equal(plain.body.additionalModelRequestFields, undefined);
  assert.deepEqual([plain.betas, plain.dropped], [[], ["context_management", ...betas]]);
});

Deno.test("buildConverseRequest() reads an effort of null as none", () => {
  const built = build(CLAUDE, { output_config: { effort: null } });
  assert.equal(built.body.additionalModelRequestFields, undefined);
  assert.deepEqual(build(OPEN, { output_config: { effort: null } }).dropped, []);
});

Deno.test("buildConverseRequest() leaves sampling out where Claude thinks", () => {
  const thinking = { type: "enabled", budget_tokens: 1024 };
  const built = build(CLAUDE, { thinking, temperature: 0.5, top_k: 5 });
  assert.deepEqual(built.body.additionalModelRequestFields, { thinking });
  assert.deepEqual(built.dropped.toSorted(), ["temperature", "top_k"]);
});

Deno.test("buildConverseRequest() refuses what is not what its kind says, by name", () => {
  const picture = [{ type: "image" }];
  const cases: [block: unknown, message: RegExp][] = [
    [{ type: "search_result" }, /^messages\.0\.content\.0\.source: /],
    [
      { type: "search_result", source: "s", title: "t", content: picture },
      /^messages\.0\.content\.0\.content\.0\.type: /,
    ],
    [
      { type: "document", source: { type: "content" } },
      /^messages\.0\.content\.0\.source\.content: /,
    ],
    [{ type: "tool_reference" }, /^messages\.0\.content\.0\.tool_name: /],
    [{ type: "mcp_tool_result", content: [] }, /^messages\.0\.content\.0\.type: 'mcp_tool_result'/],
  ];
  for (const [block, message] of cases) {
    for (const model of [CLAUDE, OPEN]) {
      refused(message, () => build(model, { messages: [user(block)] }));
    }
  }
  refused(/^system\.0\.type: /, () => build(OPEN, { system: [PNG] }));
});

Deno.test("buildConverseRequest() replays reasoning only to Claude, and only what Claude signed", () => {
  const question = user({ type: "text", text: "q" });
  const replayed = (model: string, signature: string) => {
    const thought = { type: "thinking", thinking: "hm", signature };
    const content = [thought, { type: "text", text: "a" }];
    const built = build(model, { messages: [question, { role: "assistant", content }, question] });
    return messagesOf(built)[1]?.content.length === 2;
  };
  assert.ok(replayed(CLAUDE, "c2ln"));
  assert.ok(!replayed(CLAUDE, ""));
  assert.ok(!replayed(CLAUDE, `${SYNTHETIC_SIGNATURE_PREFIX}x`));
  assert.ok(!replayed(OPEN, "c2ln"));
  assert.ok(!replayed(NOVA, "c2ln"));
});

Deno.test("buildConverseRequest() changes nothing in front of an instruction in mid-conversation", () => {
  const begin = [user({ type: "text", text: "one" }), { role: "assistant", content: "two" }];
  const aside = { role: "system", content: "be brief" };
  const before = build(NOVA, { system: "s", messages: begin });
  const after = build(NOVA, {
    system: "s",
    messages: [...begin, aside, user({ type: "text", text: "three" })],
  });
  assert.deepEqual(after.body.system, before.body.system);
  assert.deepEqual(messagesOf(after).slice(0, 2), messagesOf(before));
  assert.match(JSON.stringify(messagesOf(after)[2]), /be brief.*three/);
});

Deno.test("buildConverseRequest() goes by the bytes of a picture where its media type lies", () => {
  const blockOf = (media_type: string, data: string) => {
    const image = { type: "image", source: { type: "base64", media_type, data } };
    return messagesOf(build(OPEN, { messages: [user(image)] }))[0]?.content[0];
  };
  const expected = (format: string, bytes: string) => ({ image: { format, source: { bytes } } });
  assert.deepEqual(blockOf("image/png", "/9j/4AAQ"), expected("jpeg", "/9j/4AAQ"));
  assert.deepEqual(blockOf("image/jpeg", "R0lGODlh"), expected("gif", "R0lGODlh"));
  assert.deepEqual(blockOf("image/jpg", "AAAA"), expected("jpeg", "AAAA"));
});
