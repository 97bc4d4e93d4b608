/** The Agent SDK: every scenario, and what it tells turn by turn. */
import assert from "node:assert/strict";
import { withHarness } from "../harness.ts";
import { agent } from "./agent_sdk_program.ts";
import { bedrockRequests } from "./bedrock_side.ts";
import { AGENT_SDK } from "./lanes.ts";
import { testScenarios } from "./scenarios.ts";

testScenarios(AGENT_SDK);

const ROUTES = [
  ["invoke", "", /claude-opus-5-5\/invoke-with-response-stream$/],
  ["converse", "models: { claude_route: converse }\n", /claude-opus-5-5\/converse-stream$/],
] as const;

for (const [route, config, path] of ROUTES) {
  Deno.test(`the Agent SDK tells of a tool's use, its result and the answer on ${route}`, () =>
    withHarness({ config }, async (harness) => {
      const { messages, result } = await agent(harness, "run the tool", {
        model: "claude-opus-5-5",
        allowedTools: ["Bash"],
      });
      const last = messages.at(-1);
      assert.deepEqual([last?.type, last?.subtype, last?.is_error], ["result", "success", false]);
      assert.equal(result, "The tool said: outcrop-tool-ok");
      const blocks = messages.filter(({ type }) => type === "assistant" || type === "user")
        .flatMap(({ message }) => message?.content.map(({ type }) => type));
      assert.deepEqual(blocks, ["tool_use", "tool_result", "text"]);
      const requests = bedrockRequests(harness);
      assert.equal(requests.length, 2);
      for (const request of requests) assert.match(request.path, path);
      assert.deepEqual(requests[1]?.results, [{ text: "outcrop-tool-ok", images: [] }]);
    }));
}
