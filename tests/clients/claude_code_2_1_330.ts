/** The newest Claude Code: every scenario, on all four routes, and how it instructs a model that takes it from users only. */
import assert from "node:assert/strict";
import { withHarness } from "../harness.ts";
import { bedrockRequests, textOf } from "./bedrock_side.ts";
import { claude } from "./claude_code_program.ts";
import { NEWEST } from "./lanes.ts";
import { folded, systemTexts, testScenarios } from "./scenarios.ts";

testScenarios(NEWEST);

Deno.test("Claude Code 2.1.330 on invoke instructs Claude Sonnet 5.5, which takes it from the user only", () =>
  withHarness({}, async (harness) => {
    const { exchanged, result } = await claude(harness, "hello", {
      model: "claude-sonnet-5-5",
    });
    assert.equal(result, "Hello from the simulated model.");
    const [request, ...more] = bedrockRequests(harness);
    assert.deepEqual(more, []);
    assert.match(request?.path ?? "", /claude-sonnet-5-5\/invoke-with-response-stream$/);
    const told = systemTexts(exchanged.at(-1)?.sent ?? "");
    assert.equal(told.length, 1);
    const turns = request?.turns ?? [];
    assert.ok(turns.every(({ role }) => role === "user"));
    assert.ok(textOf(turns.at(-1)?.blocks ?? []).endsWith(folded(told)));
  }));
