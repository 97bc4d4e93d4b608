/**
 * `outcrop models`.
 * @module
 */
import { Command } from "commander";
import { Models } from "../bedrock/models.ts";
import { type ConfigOption, loadConfigOption, withConfigOption } from "./config_option.ts";
import { table, terminal } from "./terminal.ts";

interface ModelsOptions extends ConfigOption {
  json?: boolean;
}

/** The `models` command. */
export function modelsCommand(): Command {
  const command = new Command("models")
    .description("List the model names that are served, and what each resolves to.")
    .option("--json", "print one JSON document")
    .addHelpText("after", "\nExample:\n  outcrop models --json\n")
    .action(listModels);
  return withConfigOption(command);
}

async function listModels(options: ModelsOptions): Promise<void> {
  const { config } = await loadConfigOption(options);
  const models = new Models(config);
  const rows = models.list().map(({ id }) => {
    const { target, fallbacks } = models.resolve(id);
    return {
      id,
      model: target.modelId,
      route: target.route,
      tier: target.tier ?? "default",
      fallbacks: fallbacks.map(({ modelId }) => modelId),
    };
  });
  if (options.json) terminal.out(JSON.stringify({ data: rows }, null, 2));
  else {terminal.out(
      table(rows.map(({ fallbacks, ...row }) => ({ ...row, fallback: fallbacks.join(", ") }))),
    );}
}
