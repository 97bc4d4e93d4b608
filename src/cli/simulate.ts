/**
 * `outcrop simulate`.
 * @module
 */
import { Command } from "commander";
import { BEHAVIOUR_NAMES, SIMULATOR_BEARER_TOKEN, startSimulator } from "../simulator/simulator.ts";
import { parsePort } from "./serve.ts";
import { listenFailure } from "./listen_failure.ts";
import { terminal } from "./terminal.ts";
import { interrupted } from "./interrupted.ts";

/** The `simulate` command. */
export function simulateCommand(): Command {
  return new Command("simulate")
    .description("Serve Bedrock's wire protocol on loopback, with scripted models.")
    .option("--port <port>", "port to listen on", parsePort, 9001)
    .addHelpText(
      "after",
      "\nExample:\n  outcrop simulate --port 9001\n" +
        "  # then, in config.yaml: aws: { endpoint: http://127.0.0.1:9001 }\n" +
        `\nModels, by id (sim.NAME) or by a mark in the prompt ([[sim:NAME]]):\n  ${
          BEHAVIOUR_NAMES.join(", ")
        }\n`,
    )
    .action(simulate);
}

async function simulate({ port }: { port: number }): Promise<void> {
  let simulator;
  try {
    simulator = startSimulator({ port });
  } catch (error) {
    throw listenFailure("127.0.0.1", port, error);
  }
  terminal.out(`Simulating Bedrock at ${simulator.url}. Ctrl-C stops it.`);
  terminal.out("Point Outcrop at it with:");
  terminal.out(`  export AWS_BEARER_TOKEN_BEDROCK=${SIMULATOR_BEARER_TOKEN}`);
  terminal.out(`  # config.yaml: aws: { endpoint: ${simulator.url} }`);
  await interrupted();
  await simulator.close();
}
