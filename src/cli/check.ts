/**
 * `outcrop check`.
 * @module
 */
import { Command } from "commander";
import { openLog } from "../log.ts";
import type { LoadedPlugin } from "../pipeline/guard.ts";
import { describeStore, openStore } from "../storage/open.ts";
import { systemClock } from "../clock.ts";
import { type ConfigOption, loadConfigOption, withConfigOption } from "./config_option.ts";
import { openGateway } from "./gateway.ts";
import { meaningOf } from "./models.ts";
import { table, terminal } from "./terminal.ts";

/** The `check` command. */
export function checkCommand(): Command {
  const command = new Command("check")
    .description("Validate a configuration; print the resolved models, pipeline and store.")
    .addHelpText("after", "\nExample:\n  outcrop check --config config.yaml\n")
    .action(check);
  return withConfigOption(command);
}

function hooksOf({ hooks }: LoadedPlugin): string {
  return Object.entries(hooks).filter(([, hook]) => hook !== undefined).map(([name]) => name).join(
    ", ",
  );
}

async function check(options: ConfigOption): Promise<void> {
  const loaded = await loadConfigOption(options);
  const { config } = loaded;
  const log = openLog({ level: "warning", format: "text" });
  // Plugins are set up against a store in memory: a check must not create the real one, nor wait for it.
  const store = await openStore({ use: "memory" }, { clock: systemClock });
  const gateway = await openGateway({ loaded, log, store });
  const { models, plugins } = gateway.services;
  terminal.out(`${loaded.file} is valid`);
  terminal.out(`\nStore: ${describeStore(config.store)}`);
  terminal.out(`Region: ${config.aws.region}`);
  terminal.out("\nPipeline, in order:");
  terminal.out(table(
    plugins.map((plugin) => ({
      plugin: plugin.name,
      hooks: hooksOf(plugin),
      "on error": plugin.closed ? "reject" : "continue",
      "timeout": `${plugin.timeoutMs} ms`,
    })),
  ));
  const aliases = Object.keys(config.models.aliases);
  if (aliases.length > 0) {
    terminal.out("\nAliases:");
    terminal.out(table(aliases.map((name) => {
      const { fallbacks, ...row } = meaningOf(models, name.replaceAll("*", "x"));
      return { alias: name, ...row, fallback: fallbacks.join(", ") };
    })));
  }
  await gateway.close();
  await store.close();
}
