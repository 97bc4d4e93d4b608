/**
 * What people do with Claude Code, on every route: the simulator refuses what Bedrock refuses, and nothing of it may
 * reach the client.
 * @module
 */
import assert from "node:assert/strict";
import { call } from "../../src/simulator/plan.ts";
import { type Harness, withHarness } from "../harness.ts";
import { type BedrockRequest, bedrockRequests, textOf } from "./bedrock_side.ts";
import type { ClaudeOptions, Run } from "./claude_code_program.ts";
import type { Client, Lane } from "./lanes.ts";
import { scriptTurns } from "./scripted_turns.ts";

/** A red square of eight by eight. */
const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEUlEQVR4nGM4ISeHFTEMLQkAkL9BAbKfPiIAAAAASUVORK5CYII=";

/** 90 letters with `mcp__outcrop__` before it. */
const LONG = "say_a_word_about_the_city_whose_name_is_given_in_a_way_that_nobody_forgets_s";

function mcpServer(tool: string): Pick<ClaudeOptions, "mcpServers" | "allowedTools"> {
  const script = new URL("./mcp_server.ts", import.meta.url).pathname;
  const args = ["run", "--no-config", "--no-lock", script, tool, "mcp-said"];
  // Deno's cache is this machine's: it would still write to one in the run's home while that is removed.
  const env = { DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno` };
  return {
    mcpServers: { outcrop: { command: Deno.execPath(), args, env } },
    allowedTools: [`mcp__outcrop__${tool}`],
  };
}

/** What a scenario has at hand. */
interface Scene {
  readonly client: Client;
  readonly lane: Lane;
  readonly harness: Harness;
  /** Runs the client, which must end well, and as many requests reach Bedrock as it makes: none is sent twice. */
  run(prompt: string, options?: ClaudeOptions): Promise<{ run: Run; requests: BedrockRequest[] }>;
}

async function runOf(
  { client, lane, harness }: Omit<Scene, "run">,
  prompt: string,
  options: ClaudeOptions = {},
): Promise<{ run: Run; requests: BedrockRequest[] }> {
  const { version, model } = client;
  const run = await client.run(harness, prompt, { ...options, version, model });
  assert.equal(run.code, 0, `${run.result}\n${run.stderr}`);
  assert.equal(run.isError, false, run.result);
  const requests = bedrockRequests(harness);
  for (const { path } of requests) assert.match(path, lane.path);
  const asked = run.exchanged.filter(({ path }) => path.startsWith("/v1/messages?"));
  assert.equal(requests.length, asked.length);
  return { run, requests };
}

const SCENARIOS: [what: string, test: (scene: Scene) => Promise<void>][] = [];

function scenario(what: string, test: (scene: Scene) => Promise<void>): void {
  SCENARIOS.push([what, test]);
}

/** Declares a test of every scenario on each of a client's lanes. */
export function testScenarios(client: Client): void {
  for (const [what, test] of SCENARIOS) {
    for (const lane of client.lanes) {
      Deno.test(`${client.name} on ${lane.name} ${what}`, () =>
        withHarness({ config: lane.config }, (harness) => {
          const scene = { client, lane, harness };
          return test({ ...scene, run: (prompt, options) => runOf(scene, prompt, options) });
        }));
    }
  }
}

scenario("runs a Bash tool", async ({ run }) => {
  const { run: { result }, requests } = await run(
    '[[sim:tool Bash {"command":"printf \'%s\' outcrop-$((40 + 2))"}]] go',
    { allowedTools: ["Bash"] },
  );
  assert.match(result, /^The tool said: outcrop-42/);
  assert.equal(requests.length, 2);
  assert.equal(requests[1]?.results.length, 1);
  assert.match(requests[1]?.results[0]?.text ?? "", /^outcrop-42/);
});

scenario("reads an image, and the model is shown it", async ({ run, lane }) => {
  const { requests } = await run('[[sim:tool Read {"file_path":"{cwd}/red.png"}]] look', {
    allowedTools: ["Read"],
    files: { "red.png": Uint8Array.fromBase64(PNG) },
  });
  assert.equal(requests.length, 2);
  const [result] = requests[1]?.results ?? [];
  const beside = lane.family === "qwen"; // which takes no images in a tool's result
  assert.deepEqual(result?.images, beside ? [] : [PNG]);
  assert.deepEqual(requests[1]?.images, beside ? [PNG] : []);
});

scenario("replays thinking to who signed it", async ({ run, lane }) => {
  const { run: { result, exchanged }, requests } = await run(
    '[[sim:think Bash {"command":"echo thought"}]] go',
    { allowedTools: ["Bash"] },
  );
  assert.match(result, /^The tool said: thought/);
  assert.equal(requests.length, 2);
  assert.ok(exchanged.at(-1)?.sent.includes("Let me think about this for a moment."));
  const replayed = requests[1]?.reasoning ?? [];
  if (lane.family === "qwen") return assert.deepEqual(replayed, []);
  assert.equal(replayed.length, 1);
  assert.equal(replayed[0]?.text, "Let me think about this for a moment.");
  // The simulator refuses any signature but its own for that very text.
  assert.match(String(replayed[0]?.signature), /^[A-Za-z0-9+/]{43}=$/);
});

scenario("calls an MCP tool whose name has 90 letters", async ({ run, lane }) => {
  const name = `mcp__outcrop__${LONG}`;
  assert.equal(name.length, 90);
  const { run: { result }, requests } = await run(
    '[[sim:tool mcp__outcrop__say* {"city":"Paris"}]] go',
    { ...mcpServer(LONG), env: { ENABLE_TOOL_SEARCH: "false" } },
  );
  assert.equal(result, 'The tool said: mcp-said {"city":"Paris"}');
  assert.equal(requests.length, 2);
  assert.equal(requests[1]?.results[0]?.text, 'mcp-said {"city":"Paris"}');
  for (const { tools } of requests) {
    const [offered = ""] = tools.filter((tool) => tool.startsWith("mcp__outcrop__"));
    if (lane.wire === "anthropic") assert.equal(offered, name);
    else assert.match(offered, /^mcp__outcrop__say_\w{1,}_[0-9a-f]{10}$/);
  }
});

scenario("searches for a tool, and calls what it found", async ({ run, lane, harness }) => {
  scriptTurns(harness.simulator, [
    call("ToolSearch", { query: "select:mcp__outcrop__ping", max_results: 1 }),
    call("mcp__outcrop__ping", { city: "Paris" }),
  ]);
  const { run: { result }, requests } = await run("find the tool", {
    ...mcpServer("ping"),
    env: { ENABLE_TOOL_SEARCH: "true" }, // off in 2.1.197 unless asked for
  });
  assert.equal(result, 'The tool said: mcp-said {"city":"Paris"}');
  assert.equal(requests.length, 3);
  assert.ok(!requests[0]?.tools.includes("mcp__outcrop__ping"));
  for (const { tools, turns } of requests.slice(1)) {
    assert.ok(tools.includes("mcp__outcrop__ping"), tools.join());
    const found = turns.flatMap(({ blocks }) => blocks).filter((block) =>
      JSON.stringify(block).includes(
        lane.wire === "anthropic"
          ? '{"type":"tool_reference","tool_name":"mcp__outcrop__ping"}'
          : "Tool loaded: mcp__outcrop__ping",
      )
    );
    assert.equal(found.length, 1);
  }
  assert.deepEqual(
    requests[2]?.results.map(({ text }) => text).at(-1),
    'mcp-said {"city":"Paris"}',
  );
});

scenario("shows how much of the context is used", async ({ run, harness }) => {
  const { run: { result, exchanged } } = await run("/context");
  assert.match(result, /tokens/i);
  const counts = exchanged.filter(({ path }) => path.startsWith("/v1/messages/count_tokens"));
  assert.ok(counts.length >= 10, `${counts.length} counts`);
  for (const { answer } of counts) assert.ok(JSON.parse(answer).input_tokens > 0, answer);
  assert.deepEqual(bedrockRequests(harness), []);
});

/** Instructions in mid-conversation of a body. */
export function systemTexts(sent: string): string[] {
  const messages: { role: string; content: string | { text: string }[] }[] =
    JSON.parse(sent).messages;
  return messages.filter(({ role }) => role === "system").map(({ content }) =>
    typeof content === "string" ? content : textOf(content)
  );
}

scenario("instructs in mid-conversation", async ({ run, lane }) => {
  const { run: { exchanged }, requests } = await run("hello");
  assert.equal(requests.length, 1);
  const told = systemTexts(exchanged.at(-1)?.sent ?? "");
  assert.equal(told.length, 1);
  const turns = requests[0]?.turns ?? [];
  if (lane.family !== "qwen") {
    assert.deepEqual(turns.map(({ role }) => role), ["user", "system"]);
    return assert.deepEqual(turns.slice(1).map(({ blocks }) => textOf(blocks)), told);
  }
  assert.deepEqual(turns.map(({ role }) => role), ["user"]);
  assert.ok(textOf(turns[0]?.blocks ?? []).endsWith(folded(told)));
});

/** Such an instruction, where it became text of the user's. */
export function folded([text = ""]: readonly string[]): string {
  return `<system-reminder>\n${text.trim()}\n</system-reminder>`;
}

scenario("goes on where max_tokens cut it off", async ({ run }) => {
  const { run: { result }, requests } = await run("[[sim:stop-max]] go");
  assert.equal(result, "Hello from the simulated model.");
  assert.equal(requests.length, 2);
  const turns = requests[1]?.turns.filter(({ role }) => role !== "system") ?? [];
  assert.deepEqual(turns.map(({ role }) => role), ["user", "assistant", "user"]);
  assert.equal(textOf(turns[1]?.blocks ?? []), "This answer is cut off right");
  assert.match(textOf(turns[2]?.blocks ?? []), /^Output token limit hit\. Resume directly/);
});
