/**
 * `outcrop check`.
 * @module
 */
import { Command } from "commander";
import { describeStore } from "../storage/open.ts";
import { type ConfigOption, loadConfigOption, withConfigOption } from "./config_option.ts";
import { meaningOf } from "./models.ts";
import { pipelineOf, pipelineRows, withServices } from "./pipeline_rows.ts";
import { table, terminal } from "./terminal.ts";

/** The `check` command. */
export function checkCommand(): Command {
  const command = new Command("check")
    .description("Validate a configuration; print the resolved models, pipeline and store.")
    .addHelpText("after", "\nExample:\n  outcrop check --config config.yaml\n")
    .action(check);
  return withConfigOption(command);
}

async function check(options: ConfigOption): Promise<void> {
  const loaded = await loadConfigOption(options);
  const { config } = loaded;
  await withServices(loaded, (services) => {
    terminal.out(`${loaded.file} is valid`);
    terminal.out(`\nStore: ${describeStore(config.store)}`);
    terminal.out(`Region: ${config.aws.region}`);
    terminal.out("\nPipeline, in order:");
    terminal.out(table(pipelineRows(pipelineOf(services, loaded))));
    const aliases = Object.keys(config.models.aliases);
    if (aliases.length === 0) return;
    terminal.out("\nAliases:");
    terminal.out(table(aliases.map((name) => {
      const { fallbacks, ...row } = meaningOf(services.models, name.replaceAll("*", "x"));
      return { alias: name, ...row, fallback: fallbacks.join(", ") };
    })));
  });
}
