/**
 * `outcrop init`.
 * @module
 */
import { Command } from "commander";
import { CONFIG_TEMPLATE } from "../config/template.ts";
import { type ConfigOption, withConfigOption } from "./config_option.ts";
import { CommandFailure } from "./failure.ts";
import { terminal } from "./terminal.ts";

interface InitOptions extends ConfigOption {
  force?: boolean;
}

/** The `init` command. */
export function initCommand(): Command {
  const command = new Command("init")
    .description("Write a commented config.yaml.")
    .option("--force", "overwrite the file if it is there")
    .addHelpText("after", "\nExample:\n  outcrop init --config config.yaml\n")
    .action(init);
  return withConfigOption(command);
}

async function init({ config, force = false }: InitOptions): Promise<void> {
  try {
    await Deno.writeTextFile(config, CONFIG_TEMPLATE, force ? {} : { createNew: true });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) {
      throw new CommandFailure(
        `Cannot write ${config} as it is there already: use --force to overwrite it, or --config for another path`,
        1,
        { cause: error },
      );
    }
    throw new CommandFailure(
      `Cannot write ${config}: ${
        error instanceof Error ? error.message : String(error)
      }. Name a file in a folder that may be written with --config`,
      1,
      { cause: error },
    );
  }
  terminal.out(`Wrote ${config}. Next:`);
  terminal.out("  outcrop keys create --name me    # prints the key once");
  terminal.out("  outcrop serve");
}
