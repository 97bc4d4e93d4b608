/** The Agent SDK, which runs Claude Code: it runs a Bash tool on both routes, and is given the result. */
import assert from "node:assert/strict";
import { withHarness } from "../harness.ts";
import { bedrockRequests } from "./bedrock_side.ts";
import { environmentOf, MODULES, programOf } from "./claude_code_program.ts";
import { assertNeverRefused, startWitness } from "./witness.ts";

/** What of the SDK's messages is looked at. */
interface SdkMessage {
  readonly type: string;
  readonly subtype?: string;
  readonly is_error?: boolean;
  readonly result?: string;
  readonly message?: { readonly content: readonly { readonly type: string }[] };
}

/** What is used of the SDK, which is no dependency of this project's: its task installs it. */
interface AgentSdk {
  query(question: {
    prompt: string;
    options: {
      pathToClaudeCodeExecutable: string;
      cwd: string;
      env: Record<string, string>;
      model: string;
      allowedTools: string[];
      settingSources: string[];
    };
  }): AsyncIterable<SdkMessage>;
}

const ROUTES = [
  ["invoke", "", /claude-opus-5-5\/invoke-with-response-stream$/],
  ["converse", "models: { claude_route: converse }\n", /claude-opus-5-5\/converse-stream$/],
] as const;

for (const [route, config, path] of ROUTES) {
  Deno.test(`the Agent SDK runs a Bash tool on ${route}`, async () => {
    const { query }: AgentSdk = await import(
      new URL("@anthropic-ai/claude-agent-sdk/sdk.mjs", MODULES).href
    );
    await withHarness({ config }, async (harness) => {
      const home = await Deno.makeTempDir();
      const witness = startWitness(harness.url);
      const messages: SdkMessage[] = [];
      try {
        const options = {
          pathToClaudeCodeExecutable: programOf("2.1.330"),
          cwd: home,
          env: environmentOf(home, { url: witness.url, key: harness.key }),
          model: "claude-opus-5-5",
          allowedTools: ["Bash"],
          settingSources: [],
        };
        for await (const message of query({ prompt: "run the tool", options })) {
          messages.push(message);
        }
      } finally {
        await witness.close();
        await Deno.remove(home, { recursive: true });
      }
      assertNeverRefused(witness.exchanged);
      const last = messages.at(-1);
      assert.deepEqual([last?.type, last?.subtype, last?.is_error], ["result", "success", false]);
      assert.equal(last?.result, "The tool said: outcrop-tool-ok");
      const blocks = messages.filter(({ type }) => type === "assistant" || type === "user")
        .flatMap(({ message }) => message?.content.map(({ type }) => type));
      assert.deepEqual(blocks, ["tool_use", "tool_result", "text"]);
      const requests = bedrockRequests(harness);
      assert.equal(requests.length, 2);
      for (const request of requests) assert.match(request.path, path);
      assert.deepEqual(requests[1]?.results, [{ text: "outcrop-tool-ok", images: [] }]);
    });
  });
}
