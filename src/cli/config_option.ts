/**
 * `--config`, the same for every command.
 * @module
 */
import { type Command, Option } from "commander";
import { loadConfig, type LoadedConfig } from "../config/load.ts";

/** What `--config` leaves in a command's options. */
export interface ConfigOption {
  /** Path of the configuration file. */
  config: string;
}

/** Adds `--config`; `$OUTCROP_CONFIG` or `config.yaml` when absent. */
export function withConfigOption(command: Command): Command {
  return command.addOption(
    new Option("-c, --config <file>", "configuration file").env("OUTCROP_CONFIG").default(
      "config.yaml",
    ),
  );
}

/**
 * Loads the configuration a command was told of.
 *
 * @throws {ConfigError} That lists every fault with file, line and column
 */
export function loadConfigOption({ config }: ConfigOption): Promise<LoadedConfig> {
  return Promise.resolve(loadConfig(config, { env: (name) => Deno.env.get(name) }));
}
