/**
 * `outcrop demo`: everything on one machine, nothing needed but this program.
 * @module
 */
import type Anthropic from "@anthropic-ai/sdk";
import { Command } from "commander";
import { systemClock } from "../clock.ts";
import { parseConfig } from "../config/load.ts";
import { openLog } from "../log.ts";
import type { Server } from "../server/server.ts";
import { type Simulator, SIMULATOR_CREDENTIALS, startSimulator } from "../simulator/simulator.ts";
import { openStore } from "../storage/open.ts";
import { type Gateway, openGateway } from "./gateway.ts";
import { interrupted } from "./interrupted.ts";
import { parsePort } from "./serve.ts";
import { listen } from "./serving.ts";
import { terminal } from "./terminal.ts";

interface DemoOptions {
  once?: boolean;
  port: number;
}

const MODEL = "claude-sonnet-5-5";
const TOOL: Anthropic.Tool = {
  name: "get_weather",
  description: "Tells the weather of a city",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};

/** The `demo` command. */
export function demoCommand(): Command {
  return new Command("demo")
    .description(
      "Start a simulated Bedrock and a server, stream one answer with a tool call, and stay up.",
    )
    .option("--once", "exit after the answer")
    .option("--port <port>", "port of the server; 0 takes any free one", parsePort, 0)
    .addHelpText("after", "\nExample:\n  outcrop demo --once\n")
    .action(demo);
}

/** Keys of the simulator's: the demo never looks for real ones. */
function demoEnv(name: string): string | undefined {
  return name === "OUTCROP_KEY_SECRET" ? "demo" : undefined;
}

async function demo({ once = false, port }: DemoOptions): Promise<void> {
  terminal.out("1. A simulated Amazon Bedrock, and Outcrop in front of it");
  const simulator = startSimulator();
  const log = openLog({ level: "warning", format: "text" });
  const text = `aws: { endpoint: "${simulator.url}" }\nstore: { use: memory }\n`;
  const loaded = parseConfig(text, { file: "demo.yaml", env: demoEnv });
  const store = await openStore(loaded.config.store, { clock: systemClock });
  const gateway = await openGateway({
    loaded,
    log,
    store,
    env: demoEnv,
    provider: () => Promise.resolve(SIMULATOR_CREDENTIALS),
  });
  const server = listen(gateway, { hostname: "127.0.0.1", port });
  terminal.out(`   Bedrock ${simulator.url}   Outcrop ${server.url}`);
  const { key } = await gateway.keys.create({ name: "demo" });
  terminal.out("2. A key for it, made in the embedded store");
  terminal.out(
    `3. A streamed answer with a tool call, through Anthropic's own SDK, from ${MODEL}\n`,
  );
  const { default: Client } = await import("@anthropic-ai/sdk"); // not for the other commands to wait for
  await converse(new Client({ baseURL: server.url, apiKey: key, maxRetries: 0 }));
  if (!once) {
    invite(server, key);
    await interrupted();
  }
  await stop(server, gateway, simulator);
  await store.close();
}

/** One question, the tool's answer to the model, and its last word. */
async function converse(client: Anthropic): Promise<void> {
  const messages: Anthropic.MessageParam[] = [
    { role: "user", content: "How is the weather in Paris? Please use the tool." },
  ];
  for (let turn = 0; turn < 2; turn++) {
    const stream = client.messages.stream({
      model: MODEL,
      max_tokens: 1_000,
      tools: [TOOL],
      messages,
    });
    stream.on("text", (part) => terminal.part(part));
    stream.on("inputJson", (part) => terminal.part(part));
    const message = await stream.finalMessage();
    terminal.out("");
    printUsage(message);
    const call = message.content.find((block) => block.type === "tool_use");
    if (call === undefined) return;
    terminal.out(
      `   the model calls ${call.name}(${JSON.stringify(call.input)}); we answer: sunny, 21 °C\n`,
    );
    messages.push({ role: "assistant", content: message.content });
    messages.push({
      role: "user",
      content: [{ type: "tool_result", tool_use_id: call.id, content: "sunny, 21 °C" }],
    });
  }
}

function printUsage({ usage, stop_reason }: Anthropic.Message): void {
  terminal.out(
    `   usage: ${usage.input_tokens} tokens in, ${usage.output_tokens} out; stopped by ${stop_reason}`,
  );
}

function invite(server: Server, key: string): void {
  terminal.out("\n4. Your turn. Claude Code, in another terminal:\n");
  terminal.out(`export ANTHROPIC_BASE_URL=${server.url}`);
  terminal.out(`export ANTHROPIC_API_KEY=${key}`);
  terminal.out('claude -p "run the tool" --allowedTools Bash\n');
  terminal.out(
    "Ctrl-C stops the demo. With real AWS credentials: outcrop init, then outcrop serve.",
  );
}

async function stop(server: Server, gateway: Gateway, simulator: Simulator): Promise<void> {
  await server.stop();
  await gateway.close();
  await simulator.close();
}
