/** Tools that Anthropic's servers run: each is refused by name on every route, and none reaches Bedrock. */
import assert from "node:assert/strict";
import { withHarness } from "../harness.ts";

const TOOLS = [
  "advisor_20260301",
  "code_execution_20250522",
  "code_execution_20250825",
  "code_execution_20260120",
  "code_execution_20260521",
  "mcp_toolset",
  "web_fetch_20250910",
  "web_fetch_20260209",
  "web_fetch_20260309",
  "web_fetch_20260318",
  "web_search_20250305",
  "web_search_20260209",
  "web_search_20260318",
];

for (const route of ["invoke", "messages", "mantle", "converse"]) {
  Deno.test(`tools of Anthropic's servers are refused by name on ${route}`, async () => {
    await withHarness({ config: `models: { claude_route: ${route} }\n` }, async (harness) => {
      for (const type of TOOLS) {
        const response = await harness.post({
          model: "claude-haiku-4-5",
          max_tokens: 10,
          messages: [{ role: "user", content: "hi" }],
          tools: [{ name: "f", input_schema: { type: "object" } }, { type, name: "g" }],
        });
        const { error } = await response.json();
        assert.deepEqual([response.status, error.type, error.message], [
          400,
          "invalid_request_error",
          `tools.1.type: tool type '${type}' is not supported on Amazon Bedrock: leave the tool out`,
        ]);
      }
      assert.deepEqual(harness.simulator.requests, []);
    });
  });
}
