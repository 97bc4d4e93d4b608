/**
 * `outcrop keys create`.
 * @module
 */
import { Command } from "commander";
import { withConfigOption } from "./config_option.ts";
import {
  type AttributeOptions,
  attributesOf,
  parseName,
  warnOfIdle,
  withAttributeOptions,
} from "./key_options.ts";
import { keyJson, type KeysOptions, type OpenedKeys, withKeys } from "./keys_store.ts";
import { terminal } from "./terminal.ts";

interface CreateOptions extends KeysOptions, AttributeOptions {
  name: string;
}

/** The `keys create` command. */
export function createCommand(): Command {
  const command = new Command("create")
    .description("Make a key. The key itself is shown this once.")
    .requiredOption("--name <name>", "what people call it", parseName);
  withAttributeOptions(command)
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      "\nExample:\n  outcrop keys create --name ci --models 'claude-*' --expires 90d --json\n",
    )
    .action((options: CreateOptions) => withKeys(options, (opened) => create(opened, options)));
  return withConfigOption(command);
}

async function create(opened: OpenedKeys, options: CreateOptions): Promise<void> {
  const fields = { name: options.name, ...attributesOf(options) };
  warnOfIdle(fields, opened.loaded);
  const { record, key } = await opened.keys.create(fields);
  if (options.json) {
    terminal.out(JSON.stringify({ ...keyJson(record), key }, null, 2));
    return;
  }
  terminal.out(key);
  terminal.err(
    `Made ${record.id} (${record.name}). The key above is shown this once: keep it now.`,
  );
}
