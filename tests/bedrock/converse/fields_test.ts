import assert from "node:assert/strict";
import { ApiError } from "../../../src/anthropic/error.ts";
import { build, CLAUDE, OPEN } from "./build.ts";
import { answer, CALL, EPHEMERAL, PNG, user } from "./request_fixtures.ts";

/** Where a field goes: said in the body, named as dropped, or refused by its name. */
type Fate = "said" | "dropped" | "refused";

const FORMAT = { type: "json_schema", schema: { type: "object" } };

/** Every field of Messages ([T]), with a value that says something, and its fate on Claude and on an open model. */
const FIELDS: readonly [field: string, value: unknown, claude: Fate, open: Fate][] = [
  ["cache_control", EPHEMERAL, "said", "dropped"],
  ["container", "c", "refused", "refused"],
  ["diagnostics", { previous_message_id: null }, "dropped", "dropped"],
  ["inference_geo", "us", "dropped", "dropped"],
  ["metadata", { user_id: "u" }, "said", "said"],
  ["metadata", { other: "u" }, "dropped", "dropped"],
  ["output_config", { effort: "high" }, "said", "dropped"],
  ["output_config", { format: FORMAT }, "said", "said"],
  ["output_config", { task_budget: { tokens: 9 } }, "dropped", "dropped"],
  ["speed", "fast", "dropped", "dropped"],
  ["stop_sequences", ["stop"], "said", "said"],
  ["system", "s", "said", "said"],
  ["thinking", { type: "adaptive" }, "said", "dropped"],
  ["tools", [{ name: "f", input_schema: { type: "object" } }], "said", "said"],
  ["tools", [{ type: "memory_20250818", name: "memory" }], "said", "refused"],
  ["tools", [{ type: "web_search_20250305", name: "web_search" }], "refused", "refused"],
  ["tools", [{ type: "tool_search_tool_regex", name: "search" }], "dropped", "dropped"],
  ["temperature", 0.5, "said", "said"],
  ["top_p", 0.5, "said", "said"],
  ["top_k", 5, "said", "dropped"],
  ["billing_policy", {}, "dropped", "dropped"],
  ["compaction", {}, "dropped", "dropped"],
  ["context_management", { edits: [] }, "dropped", "dropped"],
  ["fallback_credit_token", "t", "dropped", "dropped"],
  ["fallbacks", [], "dropped", "dropped"],
  ["mcp_servers", [{}], "refused", "refused"],
  ["thread", { type: "create" }, "refused", "refused"],
  ["safeguards", [], "dropped", "dropped"],
  ["a_field_of_the_future", 1, "dropped", "dropped"],
];

function fateOf(model: string, field: string, value: unknown): Fate | "lost" {
  const told = ({ body, stopSequences }: ReturnType<typeof build>) =>
    JSON.stringify([body, stopSequences]);
  try {
    const built = build(model, { [field]: value });
    if (built.dropped.length > 0) return "dropped";
    return told(built) === told(build(model, {})) ? "lost" : "said";
  } catch (error) {
    if (error instanceof ApiError && error.message.startsWith(field)) return "refused";
    throw error;
  }
}

for (const [field, value, claude, open] of FIELDS) {
  Deno.test(`buildConverseRequest() loses no ${field} in silence: ${JSON.stringify(value)}`, () => {
    assert.equal(fateOf(CLAUDE, field, value), claude);
    assert.equal(fateOf(OPEN, field, value), open);
  });
}

Deno.test("buildConverseRequest() names what it leaves out of messages, blocks and tools", () => {
  const scoped = { type: "text", text: "t", cache_control: { ...EPHEMERAL, scope: "global" } };
  const parallel = { type: "auto", disable_parallel_tool_use: true };
  const cases: [body: Record<string, unknown>, name: string][] = [
    [
      { messages: [{ role: "user", content: "hi", output_config: {} }] },
      "messages[].output_config",
    ],
    [{ tools: [{ name: "f", novel: 1, input_schema: {} }] }, "tools[].novel"],
    [
      { tools: [{ name: "f", input_schema: {} }], tool_choice: parallel },
      "tool_choice.disable_parallel_tool_use",
    ],
    [{ messages: [user({ ...PNG, transformations: [] })] }, "image.transformations"],
    [{ messages: [user(scoped)] }, "cache_control.scope"],
  ];
  for (const [body, name] of cases) assert.deepEqual(build(CLAUDE, body).dropped, [name]);
});

Deno.test("buildConverseRequest() names the status of a tool result where a family has none", () => {
  const messages = [user({ type: "text", text: "go" }), CALL, answer("no", { is_error: true })];
  assert.deepEqual(build(OPEN, { messages }).dropped, ["tool_result.is_error"]);
  assert.deepEqual(build(CLAUDE, { messages }).dropped, []);
});

Deno.test("buildConverseRequest() does not name what says nothing: a call by the model itself, nulls", () => {
  const call = { type: "tool_use", id: "t1", name: "f", input: {}, caller: { type: "direct" } };
  const { dropped } = build(CLAUDE, {
    tools: [{ name: "f", input_schema: {}, defer_loading: null }],
    messages: [
      { role: "user", content: "hi" },
      { role: "assistant", content: [call] },
      answer("x", { is_error: false }),
    ],
  });
  assert.deepEqual(dropped, []);
});

Deno.test("buildConverseRequest() refuses kinds of block that are names of other things", () => {
  for (const type of ["constructor", "__proto__", "metadata"]) {
    assert.throws(() => build(OPEN, { messages: [user({ type })] }), ApiError);
  }
});
