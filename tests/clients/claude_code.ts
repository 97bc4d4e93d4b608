/** Claude Code itself, through Outcrop and the simulator: it runs a Bash tool and is given the result. */
import assert from "node:assert/strict";
import { withHarness } from "../harness.ts";
import { claude, programOf, VERSIONS } from "./claude_code_program.ts";

const allowedTools = ["Bash"];

for (const version of VERSIONS) {
  Deno.test(`Claude Code ${version} is installed for these tests`, async () => {
    const command = new Deno.Command(programOf(version), { args: ["--version"], stdout: "piped" });
    const { stdout } = await command.output();
    assert.ok(new TextDecoder().decode(stdout).startsWith(version));
  });
}

Deno.test("Claude Code runs a Bash tool through invoke, and its result arrives well formed", async () => {
  await withHarness({}, async (harness) => {
    const answer = await claude(harness, "run the tool", { allowedTools });
    assert.equal(answer.code, 0, answer.stderr);
    assert.equal(answer.isError, false);
    assert.match(answer.result, /The tool said: outcrop-tool-ok/);
    const calls = harness.simulator.requests.filter(({ method }) => method === "POST");
    assert.ok(
      calls.every(({ path }) => path.endsWith("/invoke-with-response-stream")),
      calls.map(({ path }) => path).join(),
    );
    const last = JSON.parse(calls.at(-1)?.text ?? "{}");
    const results = last.messages.flatMap((message: { content: unknown }) => message.content)
      .filter((block: { type?: string }) => block.type === "tool_result");
    assert.equal(results.length, 1);
    assert.match(results[0].tool_use_id, /^toolu_bdrk_sim/);
    assert.equal(results[0].content, "outcrop-tool-ok");
    assert.equal(last.anthropic_version, "bedrock-2023-05-31");
    assert.ok(!("model" in last) && !("stream" in last));
  });
});

for (const model of ["claude-opus-5-5", "claude-sonnet-4-5"]) {
  Deno.test(`Claude Code, as for ${model}, runs a Bash tool on a Qwen model through converse`, async () => {
    const config = 'models: { aliases: { "claude-*": qwen.qwen3-coder-30b-a3b-v1:0 } }\n';
    await withHarness({ config }, async (harness) => {
      const answer = await claude(harness, "run the tool", {
        allowedTools,
        model,
      });
      assert.equal(answer.code, 0, answer.stderr);
      assert.equal(answer.isError, false);
      assert.match(answer.result, /The tool said: outcrop-tool-ok/);
      const calls = harness.simulator.requests.filter(({ method }) => method === "POST");
      const paths = new Set(calls.map(({ path }) => path));
      assert.deepEqual([...paths], ["/model/qwen.qwen3-coder-30b-a3b-v1%3A0/converse-stream"]);
      const last = JSON.parse(calls.at(-1)?.text ?? "{}");
      const results = last.messages.flatMap((message: { content: unknown }) => message.content)
        .filter((block: { toolResult?: unknown }) => block.toolResult !== undefined);
      assert.equal(results.length, 1);
      // Claude Code puts reminders of its own behind the output, for models it takes for older ones.
      assert.match(
        results[0].toolResult.content[0].text,
        /^outcrop-tool-ok(\n\n<system-reminder>|$)/,
      );
      assert.match(results[0].toolResult.toolUseId, /^tooluse_sim/);
    });
  });
}
