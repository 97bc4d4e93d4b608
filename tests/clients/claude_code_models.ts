/**
 * Claude Code asks each kind of model for thinking, a tool and its result, with all that it can be told to send: what
 * the model does not take is left out by table, so that nothing is refused, and nothing sent twice.
 */
import assert from "node:assert/strict";
import { withHarness } from "../harness.ts";
import { bedrockRequests } from "./bedrock_side.ts";
import { claude, type ClaudeOptions } from "./claude_code_program.ts";

/** Models of every generation and family that can call tools. */
const MODELS = [
  "claude-fable-5-1",
  "claude-haiku-5-5",
  "claude-sonnet-5-5",
  "claude-opus-4-7",
  "claude-sonnet-4-6",
  "claude-haiku-4-5",
  "claude-sonnet-4-5[1m]",
  "claude-sonnet-4",
  "us.amazon.nova-2-lite-v1:0",
  "deepseek.v3.2",
  "us.meta.llama4-maverick-17b-instruct-v1:0",
  "mistral.mistral-large-2402-v1:0",
  "openai.gpt-oss-120b-1:0",
  "us.openai.gpt-6-sol",
  "us.xai.grok-4.7",
  "zai.glm-5",
];

/** Switches that make Claude Code send more. */
const ALL_ON = {
  ENABLE_PROMPT_CACHING_1H: "1",
  CLAUDE_CODE_ENABLE_FINE_GRAINED_TOOL_STREAMING: "1",
};

/** Runs it, and fails if anything was refused or sent twice. */
async function runs(config: string, prompt: string, options: ClaudeOptions): Promise<void> {
  await withHarness({ config }, async (harness) => {
    const run = await claude(harness, prompt, options);
    assert.equal(run.code, 0, `${run.result}\n${run.stderr}`);
    const asked = run.exchanged.filter(({ path }) => path.startsWith("/v1/messages?"));
    assert.ok(asked.length > 0);
    const learned = harness.log.filter((line) => line.includes("Learned"));
    assert.equal(bedrockRequests(harness).length, asked.length, learned.join("\n"));
  });
}

for (const model of MODELS) {
  Deno.test(`Claude Code thinks and runs a tool as ${model}`, () =>
    runs("", '[[sim:think Bash {"command":"echo thought"}]] go', {
      model,
      allowedTools: ["Bash"],
      env: ALL_ON,
    }));
}

/** The smallest PDF that Claude Code reads. */
const PDF =
  "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj " +
  "3 0 obj<</Type/Page/MediaBox[0 0 3 3]>>endobj\ntrailer<</Size 4/Root 1 0 R>>\n%EOF\n";

/** Ways to use Claude Code that change what it sends. */
const WAYS: readonly (readonly [what: string, prompt: string, options: ClaudeOptions])[] = [
  ["with the least it can send", "hello", { args: ["--bare"] }],
  ["with all its effort", "hello", { args: ["--effort", "max"] }],
  ["in fast mode", "hello", { args: ["--settings", '{"fastMode":true}'] }],
  [
    "reading a PDF",
    '[[sim:tool Read {"file_path":"{cwd}/a.pdf"}]] look',
    { allowedTools: ["Read"], files: { "a.pdf": PDF } },
  ],
  [
    "with an agent of its own",
    '[[sim:tool Agent {"description":"d","prompt":"say hello","subagent_type":"general-purpose"}]] go',
    { allowedTools: ["Agent"] },
  ],
  ["without betas", "hello", { env: { CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS: "1" } }],
];

for (const route of ["invoke", "converse", "mantle"]) {
  for (const [what, prompt, options] of WAYS) {
    Deno.test(`Claude Code on ${route} ${what}`, () =>
      runs(`models: { claude_route: ${route} }\n`, prompt, {
        model: "claude-opus-5-5",
        ...options,
      }));
  }
}
