/**
 * The command line: which command, and what becomes of its failure.
 * @module
 */
import { Command, CommanderError } from "commander";
import { ConfigError } from "../config/load.ts";
import { nearest } from "../text/nearest.ts";
import { checkCommand } from "./check.ts";
import { demoCommand } from "./demo.ts";
import { doctorCommand } from "./doctor.ts";
import { CommandFailure } from "./failure.ts";
import { initCommand } from "./init.ts";
import { keysCommand } from "./keys.ts";
import { modelsCommand } from "./models.ts";
import { pluginCommand } from "./plugin.ts";
import { serveCommand } from "./serve.ts";
import { simulateCommand } from "./simulate.ts";
import { storeCommand } from "./store.ts";
import { terminal } from "./terminal.ts";
import { usageCommand } from "./usage.ts";
import { VERSION } from "./version.ts";

/** Exit code of a command that failed. */
export const EXIT_FAILED = 1;
/** Exit code of a command that was called wrongly. */
export const EXIT_USAGE = 2;

/** Not `help` and the option parser's own ways to end well. */
const ENDED_WELL = new Set(["commander.helpDisplayed", "commander.help", "commander.version"]);

/** The program with all its commands. */
export function buildProgram(): Command {
  const program = new Command("outcrop")
    .description("Serves the Anthropic Messages API from Amazon Bedrock.")
    .version(VERSION, "-v, --version")
    .showSuggestionAfterError(true)
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false })
    .enablePositionalOptions() // options belong to the command that they follow
    .addHelpText("after", "\nExamples:\n  outcrop demo\n  outcrop init && outcrop serve\n");
  for (
    const command of [
      serveCommand(),
      demoCommand(),
      initCommand(),
      checkCommand(),
      doctorCommand(),
      keysCommand(),
      modelsCommand(),
      usageCommand(),
      pluginCommand(),
      storeCommand(),
      simulateCommand(),
    ]
  ) {
    program.addCommand(command);
  }
  return program;
}

/** Every command writes through the terminal, and throws where commander would end the process. */
function prepare(command: Command): void {
  command.exitOverride();
  command.configureOutput({
    writeOut: (text) => terminal.out(text.trimEnd()),
    writeErr: (text) => terminal.err(text.trimEnd()),
  });
  command.commands.forEach(prepare);
}

/** The group a word was looked for in, e.g. `keys` for `outcrop keys lst`. */
function groupOf(
  program: Command,
  argv: readonly string[],
): { group: Command; word: string } | undefined {
  let group = program;
  for (const word of argv) {
    if (word.startsWith("-")) return undefined;
    const next = group.commands.find((command) => command.name() === word);
    if (next === undefined) return group.commands.length === 0 ? undefined : { group, word };
    group = next;
  }
  return undefined;
}

function unknownCommand(program: Command, argv: readonly string[]): string | undefined {
  const place = groupOf(program, argv);
  if (place === undefined || place.word === "help") return undefined;
  const names = place.group.commands.map((command) => command.name());
  const near = nearest(place.word, names).map((name) => `'${name}'`).join(" or ");
  const meant = near === "" ? `the commands are ${names.join(", ")}` : `did you mean ${near}?`;
  return `Unknown command '${place.word}': ${meant}`;
}

/** Runs one command line. Returns the process's exit code: 0 ok, 1 failed, 2 wrong usage. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = buildProgram();
  prepare(program);
  const unknown = unknownCommand(program, argv);
  if (unknown !== undefined) {
    terminal.err(unknown);
    return EXIT_USAGE;
  }
  try {
    await program.parseAsync([...argv], { from: "user" });
    return 0;
  } catch (error) {
    return exitCodeOf(error);
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return ENDED_WELL.has(error.code) ? 0 : EXIT_USAGE;
  if (error instanceof ConfigError || error instanceof CommandFailure) {
    terminal.err(error.message);
    return error instanceof CommandFailure ? error.exitCode : EXIT_FAILED;
  }
  terminal.err(error instanceof Error ? error.message : String(error));
  if (Deno.env.get("OUTCROP_DEBUG") !== undefined && error instanceof Error) {
    terminal.err(error.stack ?? "");
  }
  return EXIT_FAILED;
}
