/**
 * One model at least for each row of the tables of families, asked for everything that a client may ask for: the
 * simulator refuses what that family refuses, and it has nothing to refuse, and nothing has to be learned.
 */
import assert from "node:assert/strict";
import { claudeFeatures } from "../../src/bedrock/native/features.ts";
import { type Harness, withHarness } from "../harness.ts";

type Json = Readonly<Record<string, unknown>>;

/** By Bedrock's ids; `shown` pictures, `has` tools. */
const MODELS:
  readonly (readonly [model: string, takes: "pictures and tools" | "tools" | "neither"])[] = [
    ["us.anthropic.claude-3-5-haiku-20241022-v1:0", "pictures and tools"],
    ["us.anthropic.claude-sonnet-4-20250514-v1:0", "pictures and tools"],
    ["us.anthropic.claude-opus-4-20250514-v1:0", "pictures and tools"],
    ["us.anthropic.claude-opus-4-1-20250805-v1:0", "pictures and tools"],
    ["us.anthropic.claude-haiku-4-5-20251001-v1:0", "pictures and tools"],
    ["us.anthropic.claude-sonnet-4-5-20250929-v1:0", "pictures and tools"],
    ["us.anthropic.claude-opus-4-5-20251101-v1:0", "pictures and tools"],
    ["us.anthropic.claude-sonnet-4-6", "pictures and tools"],
    ["us.anthropic.claude-opus-4-6-v1", "pictures and tools"],
    ["us.anthropic.claude-opus-4-7", "pictures and tools"],
    ["us.anthropic.claude-opus-4-8", "pictures and tools"],
    ["us.anthropic.claude-opus-5", "pictures and tools"],
    ["us.anthropic.claude-sonnet-5", "pictures and tools"],
    ["us.anthropic.claude-opus-5-5", "pictures and tools"],
    ["us.anthropic.claude-sonnet-5-5", "pictures and tools"],
    ["us.anthropic.claude-haiku-5-5", "pictures and tools"],
    ["us.anthropic.claude-fable-5-1", "pictures and tools"],
    ["us.anthropic.claude-mythos-5-1", "pictures and tools"],
    ["us.anthropic.claude-opus-9", "pictures and tools"], // newer than the table
    ["us.amazon.nova-2-lite-v1:0", "pictures and tools"],
    ["us.amazon.nova-pro-v1:0", "pictures and tools"],
    ["us.amazon.nova-micro-v1:0", "tools"],
    ["amazon.titan-text-express-v1", "neither"],
    ["openai.gpt-oss-120b-1:0", "tools"],
    ["us.openai.gpt-5.6-sol", "pictures and tools"],
    ["us.openai.gpt-6-astra", "pictures and tools"],
    ["us.xai.grok-4.3", "pictures and tools"],
    ["us.xai.grok-4.6", "pictures and tools"],
    ["us.deepseek.r1-v1:0", "neither"],
    ["deepseek.v3-v1:0", "tools"],
    ["deepseek.v3.2", "tools"],
    ["qwen.qwen3-32b-v1:0", "tools"],
    ["qwen.qwen3-coder-next", "tools"],
    ["qwen.qwen3-vl-235b-a22b", "pictures and tools"],
    ["us.moonshotai.kimi-k3", "pictures and tools"],
    ["moonshotai.kimi-k2.5", "pictures and tools"],
    ["moonshot.kimi-k2-thinking", "tools"],
    ["minimax.minimax-m2.5", "tools"],
    ["zai.glm-5", "tools"],
    ["google.gemma-3-27b-it", "pictures and tools"],
    ["nvidia.nemotron-super-3-120b", "tools"],
    ["us.meta.llama4-maverick-17b-instruct-v1:0", "pictures and tools"],
    ["mistral.mistral-7b-instruct-v0:2", "neither"],
    ["mistral.mixtral-8x7b-instruct-v0:1", "neither"],
    ["mistral.mistral-large-2407-v1:0", "tools"],
    ["mistral.mistral-small-2402-v1:0", "tools"],
    ["mistral.pixtral-large-2502-v1:0", "pictures and tools"],
    ["mistral.mistral-large-3-675b-instruct", "pictures and tools"],
    ["writer.palmyra-x5-v1:0", "tools"],
  ];

const SCHEMA = {
  type: "object",
  properties: { a: { type: "string" } },
  additionalProperties: false,
};
const MARK = { type: "ephemeral" };
const PNG = { type: "base64", media_type: "image/png", data: "iVBORw0KGgo=" };
const TOOLS = [{
  name: "f",
  description: "",
  input_schema: SCHEMA,
  strict: true,
  cache_control: MARK,
}];

/** A tool was called, and answered with a failure and with a picture. */
function calls(pictures: boolean): Json[] {
  return [
    { role: "user", content: "go" },
    {
      role: "assistant",
      content: [
        { type: "thinking", thinking: "hm", signature: "outcrop.unsigned.msg_1" },
        { type: "tool_use", id: "toolu_1", name: "f", input: {} },
        { type: "tool_use", id: "toolu_2", name: "f", input: {} },
      ],
    },
    {
      role: "user",
      content: [
        { type: "tool_result", tool_use_id: "toolu_1", is_error: true, content: "no" },
        {
          type: "tool_result",
          tool_use_id: "toolu_2",
          content: [
            { type: "text", text: "see" },
            ...pictures ? [{ type: "image", source: PNG }] : [],
          ],
          cache_control: MARK,
        },
      ],
    },
  ];
}

/** Bodies by what they ask for; those with tools apart. */
function bodiesOf(model: string, takes: string): { plain: Json[]; withTools: Json[] } {
  const baseId = model.replace("us.", "");
  const ofClaude = baseId.startsWith("anthropic.");
  const types = ofClaude
    ? claudeFeatures(baseId).thinking
    : ["enabled", "adaptive", "disabled", "between_tools"];
  const messages = [{ role: "user", content: "hi" }];
  const system = [{ type: "text", text: "be brief", cache_control: MARK }];
  const tools = TOOLS;
  const thinking = types.flatMap((type) =>
    [undefined, "low", "max"].map((effort) => ({
      messages,
      max_tokens: 4_000,
      thinking: { type, ...(type === "enabled" ? { budget_tokens: 2_000 } : {}) },
      ...(effort === undefined || ofClaude ? {} : { output_config: { effort } }),
    }))
  );
  const said = { type: "text", text: "it", citations: [] };
  return {
    plain: [
      ...thinking,
      { messages, system, stop_sequences: ["END", ""], temperature: 0.5, top_p: 0.9, top_k: 5 },
      { messages, max_tokens: 1, top_p: 0.9, metadata: { user_id: '{"a":1}' } },
      {
        messages: [
          { role: "system", content: "first" },
          { role: "user", content: [{ type: "text", text: "a", cache_control: MARK }] },
          { role: "assistant", content: [said] },
          { role: "system", content: [{ type: "text", text: "then", cache_control: MARK }] },
          { role: "user", content: "b" },
        ],
      },
      ...takes === "pictures and tools"
        ? [{ messages: [{ role: "user", content: [{ type: "image", source: PNG }] }] }]
        : [],
    ],
    withTools: [
      { messages, system, tools, tool_choice: { type: "auto", disable_parallel_tool_use: true } },
      { messages, tools, tool_choice: { type: "any" } },
      { messages, tools, tool_choice: { type: "tool", name: "f" } },
      { messages: calls(takes === "pictures and tools"), tools },
      { messages: calls(false), tools, tool_choice: { type: "none" } },
      // Llama can be asked in words alone, which the simulator does not read.
      ...model.includes("meta.")
        ? []
        : [{ messages, output_config: { format: { type: "json_schema", schema: SCHEMA } } }],
    ],
  };
}

async function ask(
  { post, simulator }: Harness,
  body: Json,
): Promise<{ status: number; text: string }> {
  simulator.reset();
  const response = await post({ max_tokens: 100, ...body });
  const text = await response.text();
  return { status: response.status, text };
}

for (const [model, takes] of MODELS) {
  Deno.test(`${model} refuses nothing over Converse`, () =>
    withHarness({ config: "models: { claude_route: converse }\n" }, async (harness) => {
      const { plain, withTools } = bodiesOf(model, takes);
      for (const stream of [false, true]) {
        for (const body of plain) {
          const { status, text } = await ask(harness, { ...body, model, stream });
          assert.equal(status, 200, `${JSON.stringify(body)} ${text}`);
          assert.equal(harness.simulator.requests.length, 1, JSON.stringify(body));
        }
        for (const body of withTools) {
          const { status, text } = await ask(harness, { ...body, model, stream });
          const told = `${JSON.stringify(body)} ${text}`;
          const refused = takes === "neither" &&
            (body as { tool_choice?: Json }).tool_choice?.type !== "none";
          assert.equal(status, refused ? 400 : 200, told);
          assert.equal(harness.simulator.requests.length, refused ? 0 : 1, told);
        }
      }
    }));
}

/** Of the models above, those that take no temperature. */
const NO_TEMPERATURE =
  /claude-(opus-4-[78]|opus-[59]|sonnet-5|haiku-5|fable|mythos)|gpt-[56]|grok-4\.6|kimi-k3/;
/** Those that never answer unless they are asked to think. */
const ASKED_TO_THINK = /grok-4\.6|kimi-k3/;

for (const [model] of MODELS) {
  Deno.test(`${model} is sent what it takes, and is not asked to think where nobody asks`, () =>
    withHarness({ config: "models: { claude_route: converse }\n" }, async (harness) => {
      const response = await harness.post({
        model,
        max_tokens: 100,
        temperature: 0.5,
        messages: [{ role: "user", content: "hi" }],
      });
      assert.equal(response.status, 200, await response.text());
      const sent = JSON.parse(harness.simulator.requests[0]?.text ?? "{}");
      const takes = !NO_TEMPERATURE.test(model);
      assert.equal(sent.inferenceConfig.temperature, takes ? 0.5 : undefined);
      assert.equal(response.headers.get("x-outcrop-dropped"), takes ? null : "temperature");
      const asked = Object.keys(sent.additionalModelRequestFields ?? {});
      assert.deepEqual(asked, ASKED_TO_THINK.test(model) ? ["reasoning_config"] : []);
    }));
}
