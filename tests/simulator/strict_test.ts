/** What the simulator refuses, as Bedrock does: tests that pass against it say little where it takes anything. */
import assert from "node:assert/strict";
import { SIMULATOR_BEARER_TOKEN, startSimulator } from "../../src/simulator/simulator.ts";

type Json = Record<string, unknown>;

const HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
const SONNET_4 = "us.anthropic.claude-sonnet-4-20250514-v1:0";
const OPUS_46 = "us.anthropic.claude-opus-4-6-v1";
const OPUS = "us.anthropic.claude-opus-5-5";
const QWEN = "qwen.qwen3-32b-v1:0";
const NOVA = "us.amazon.nova-pro-v1:0";
const NOVA_2 = "us.amazon.nova-2-lite-v1:0";
const GPT = "us.openai.gpt-6-sol";
const MISTRAL = "mistral.mistral-large-2402-v1:0";

function user(...content: Json[]): Json {
  return { role: "user", content };
}

const HI = user({ text: "hi" });
const TOOL = { toolSpec: { name: "f", inputSchema: { json: { type: "object" } } } };
const TOOLS = { toolConfig: { tools: [TOOL] } };
const POINT = { cachePoint: { type: "default" } };
const HOUR = { cachePoint: { type: "default", ttl: "1h" } };
const CALL = {
  role: "assistant",
  content: [{ toolUse: { toolUseId: "t", name: "f", input: {} } }],
};

function result(...content: Json[]): Json {
  return user({ toolResult: { toolUseId: "t", content } });
}

function pdf(name: string, more: Json = {}): Json {
  return { document: { format: "pdf", name, source: { bytes: "JVBERi0=" }, ...more } };
}

const PNG = { image: { format: "png", source: { bytes: "iVBORw0KGgo=" } } };
const FORCED = { tools: [TOOL], toolChoice: { tool: { name: "f" } } };

function fields(additionalModelRequestFields: Json): Json {
  return { additionalModelRequestFields };
}

/** Converse bodies, over one that is taken. */
const CONVERSE: readonly (readonly [model: string, body: Json, refusal: RegExp])[] = [
  ["anthropic.claude-opus-5-5", {}, /with on-demand throughput isn’t supported/],
  [QWEN, { model: "x" }, /Unknown parameter/],
  [QWEN, { messages: [] }, /at least one message/],
  [QWEN, { messages: [{ role: "assistant", content: [{ text: "x" }] }] }, /start with a user/],
  [QWEN, { messages: [HI, HI] }, /must alternate/],
  [QWEN, { messages: [user()] }, /content field in the Message object is empty/],
  [QWEN, { messages: [user({ text: " " })] }, /is blank/],
  [QWEN, { messages: [user({ text: "a", image: {} })] }, /exactly one member/],
  [QWEN, { messages: [HI, { role: "assistant", content: [{ text: "x" }] }] }, /prefill/],
  [QWEN, { system: [{ text: "" }] }, /is blank/],
  [QWEN, { toolConfig: { tools: [] } }, /must not be empty/],
  [QWEN, { toolConfig: { tools: [TOOL], toolChoice: { none: {} } } }, /must be one of/],
  [QWEN, { toolConfig: { tools: [{ toolSpec: { ...TOOL.toolSpec, name: "a.b" } }] } }, /pattern/],
  [
    QWEN,
    { toolConfig: { tools: [{ toolSpec: { ...TOOL.toolSpec, description: "" } }] } },
    /length/,
  ],
  [QWEN, { toolConfig: { tools: [{ toolSpec: { ...TOOL.toolSpec, strict: true } }] } }, /strict/],
  [QWEN, { messages: [HI, CALL, result({ text: "x" })] }, /toolConfig field must be defined/],
  [QWEN, { ...TOOLS, messages: [HI, CALL, HI] }, /Expected toolResult/],
  [QWEN, { ...TOOLS, messages: [result({ text: "x" })] }, /exceeds the number of toolUse/],
  [QWEN, { ...TOOLS, messages: [HI, CALL, result()] }, /content field in the toolResult/],
  [QWEN, { messages: [user({ text: "x" }, POINT)] }, /did not allow prompt caching/],
  [NOVA, { toolConfig: { tools: [TOOL, POINT] } }, /did not allow prompt caching/],
  [NOVA, { system: [{ text: "x" }, HOUR] }, /ttl: Extra inputs/],
  [SONNET_4, { system: [{ text: "x" }, HOUR] }, /ttl: Extra inputs/],
  [HAIKU, { system: [POINT, { text: "x" }] }, /nothing available to cache/],
  [
    HAIKU,
    { system: [{ text: "x" }, POINT], messages: [user({ text: "x" }, HOUR)] },
    /must not come/,
  ],
  [
    HAIKU,
    { system: Array.from({ length: 5 }, () => [{ text: "x" }, POINT]).flat() },
    /maximum of 4 blocks/,
  ],
  [QWEN, { inferenceConfig: { stopSequences: ["x"] } }, /stopSequences/],
  [HAIKU, { inferenceConfig: { stopSequences: [""] } }, /stopSequences/],
  [QWEN, { inferenceConfig: { maxTokens: 0 } }, /maxTokens/],
  [GPT, { inferenceConfig: { maxTokens: 15 } }, /at least 16/],
  [GPT, { inferenceConfig: { temperature: 1 } }, /temperature/],
  ["us.moonshotai.kimi-k3", { inferenceConfig: { temperature: 1 } }, /temperature/],
  ["us.xai.grok-4.7", {}, /reasoning_config: Field required/],
  [GPT, fields({ reasoning_effort: "low" }), /unknown_parameter: reasoning_effort/],
  [QWEN, fields({ reasoning_config: "low" }), /Input should be 'high'/],
  [NOVA, fields({ top_k: 1 }), /unknown_parameter: top_k/],
  [HAIKU, fields({ topK: 1 }), /topK: Extra inputs/],
  [HAIKU, fields({ anthropic_beta: ["claude-code-20250219"] }), /invalid beta flag/],
  [
    NOVA_2,
    {
      inferenceConfig: { maxTokens: 9 },
      ...fields({ reasoningConfig: { type: "enabled", maxReasoningEffort: "high" } }),
    },
    /must be unset/,
  ],
  ["us.deepseek.r1-v1:0", TOOLS, /doesn't support tool use/],
  ["amazon.titan-text-lite-v1", { system: [{ text: "x" }] }, /doesn't support system messages/],
  ["us.meta.llama4-scout-17b-instruct-v1:0", { toolConfig: FORCED }, /toolChoice.tool/],
  [MISTRAL, { toolConfig: FORCED }, /toolChoice.tool/],
  [MISTRAL, { ...TOOLS, messages: [HI, CALL, result({ text: "x" })] }, /length of 9/],
  [QWEN, { messages: [user({ text: "x" }, PNG)] }, /image content block/],
  [HAIKU, { messages: [user({ image: { ...PNG.image, format: "jpg" } })] }, /image.format/],
  [HAIKU, { messages: [user(pdf("a"))] }, /text block is required/],
  [HAIKU, { messages: [user({ text: "x" }, pdf("a.pdf"))] }, /document file name/],
  [HAIKU, { messages: [user({ text: "x" }, pdf("a"), pdf("a"))] }, /of the same name/],
  [
    NOVA,
    { messages: [user({ text: "x" }, pdf("a", { citations: { enabled: true } }))] },
    /doesn't support citations/,
  ],
  [
    HAIKU,
    { ...TOOLS, messages: [HI, CALL, result(pdf("a", { citations: { enabled: true } }))] },
    /not supported in tool result/,
  ],
  [NOVA, { outputConfig: { textFormat: {} } }, /outputConfig.textFormat/],
  [QWEN, { requestMetadata: { user_id: "{}" } }, /requestMetadata/],
  [OPUS, fields({ thinking: { type: "enabled", budget_tokens: 1_024 } }), /thinking.type.enabled/],
  [OPUS, fields({ thinking: { type: "disabled" } }), /thinking.type.disabled/],
  [HAIKU, fields({ thinking: { type: "adaptive" } }), /adaptive thinking is not supported/],
  [OPUS_46, fields({ thinking: { type: "adaptive", display: "omitted" } }), /display: Extra/],
  [OPUS, { toolConfig: FORCED }, /forces tool use/],
  [OPUS, fields({ top_k: 1 }), /`top_k` is deprecated/],
  [
    HAIKU,
    {
      inferenceConfig: { maxTokens: 1_024 },
      ...fields({ thinking: { type: "enabled", budget_tokens: 1_024 } }),
    },
    /must be greater than/,
  ],
  [HAIKU, { inferenceConfig: { temperature: 1, topP: 1 } }, /cannot both/],
  [
    HAIKU,
    {
      inferenceConfig: { temperature: 0.5, maxTokens: 4_096 },
      ...fields({ thinking: { type: "enabled", budget_tokens: 1_024 } }),
    },
    /may only be set to 1/,
  ],
];

const SAY = { role: "user", content: "hi" };
const CUSTOM = { name: "f", input_schema: { type: "object" } };
const MARK = { type: "text", text: "x", cache_control: { type: "ephemeral" } };
const HOUR_MARK = { ...MARK, cache_control: { type: "ephemeral", ttl: "1h" } };

/** InvokeModel bodies, over one that is taken. */
const INVOKE: readonly (readonly [model: string, body: Json, refusal: RegExp])[] = [
  ["anthropic.claude-opus-5-5", {}, /with on-demand throughput isn’t supported/],
  [QWEN, {}, /doesn't support the model/],
  [OPUS, { anthropic_version: "2023-06-01" }, /anthropic_version/],
  [OPUS, { max_tokens: undefined }, /max_tokens: Field required/],
  [OPUS, { stream: true }, /stream: Extra inputs/],
  [OPUS, { speed: "fast" }, /speed: Extra inputs/],
  [OPUS, { anthropic_beta: ["oauth-2025-04-20"] }, /invalid beta flag/],
  [HAIKU, { messages: [SAY, { role: "system", content: "x" }] }, /Unexpected role "system"/],
  [OPUS, { messages: [{ role: "user", content: [] }] }, /must have non-empty content/],
  [
    OPUS,
    { messages: [{ role: "user", content: [{ type: "text", text: " " }] }] },
    /non-whitespace/,
  ],
  [
    OPUS,
    { messages: [{ role: "user", content: [{ type: "image", source: { type: "url" } }] }] },
    /Input tag 'url'/,
  ],
  [OPUS, { messages: [SAY, { role: "assistant", content: "x" }] }, /prefill/],
  [OPUS, { messages: [{ ...SAY, output_config: { effort: "low" } }] }, /output_config: Extra/],
  [OPUS, { tools: [{ ...CUSTOM, defer_loading: true }] }, /defer_loading: Extra/],
  [OPUS, { tools: [{ ...CUSTOM, input_examples: [] }] }, /input_examples: Extra/],
  [OPUS, { tools: [{ ...CUSTOM, strict: true }] }, /strict: Extra/],
  [OPUS, { tools: [{ ...CUSTOM, eager_input_streaming: true }] }, /eager_input_streaming: Extra/],
  [OPUS, { tools: [{ type: "web_search_20250305", name: "web_search" }] }, /is not supported/],
  [OPUS, { temperature: 1 }, /`temperature` is deprecated/],
  [OPUS, { output_config: { format: {} } }, /format: Extra/],
  [OPUS, { system: [MARK], messages: [{ role: "user", content: [HOUR_MARK] }] }, /must not come/],
  [SONNET_4, { system: [HOUR_MARK] }, /ttl: Extra/],
  [OPUS, { system: [MARK, MARK, MARK, MARK, MARK] }, /maximum of 4 blocks/],
  [
    OPUS,
    {
      messages: [SAY, {
        role: "assistant",
        content: [{ type: "thinking", thinking: "x", signature: "y" }],
      }, SAY],
    },
    /Invalid `signature`/,
  ],
];

Deno.test("the simulator refuses over Converse and InvokeModel what Bedrock refuses", async () => {
  const simulator = startSimulator();
  const ask = async (model: string, operation: string, body: Json) => {
    const answer = await fetch(
      `${simulator.url}/model/${encodeURIComponent(model)}/${operation}`,
      {
        method: "POST",
        headers: {
          authorization: `Bearer ${SIMULATOR_BEARER_TOKEN}`,
          "content-type": "application/json",
        },
        body: JSON.stringify(body),
      },
    );
    return { status: answer.status, message: String((await answer.json()).message) };
  };
  const converse = (model: string, body: Json) =>
    ask(model, "converse", { messages: [HI], ...body });
  const invoke = (model: string, body: Json) =>
    ask(model, "invoke", {
      anthropic_version: "bedrock-2023-05-31",
      max_tokens: 4_096,
      messages: [SAY],
      ...body,
    });
  try {
    for (const model of [HAIKU, OPUS, QWEN, NOVA, NOVA_2, GPT, MISTRAL]) {
      assert.equal((await converse(model, {})).status, 200, model);
    }
    for (const model of [HAIKU, OPUS, SONNET_4]) {
      assert.equal((await invoke(model, {})).status, 200, model);
    }
    for (const [model, body, refusal] of CONVERSE) {
      const { status, message } = await converse(model, body);
      assert.match(message, refusal, `${model} ${JSON.stringify(body)}`);
      assert.ok(status === 400 || status === 403, message);
    }
    for (const [model, body, refusal] of INVOKE) {
      const { status, message } = await invoke(model, body);
      assert.match(message, refusal, `${model} ${JSON.stringify(body)}`);
      assert.equal(status, 400, message);
    }
  } finally {
    await simulator.close();
  }
});
