/**
 * `outcrop keys`: where its commands hang.
 * @module
 */
import { Command } from "commander";
import { revokeCommand, rotateCommand, updateCommand } from "./keys_change.ts";
import { createCommand } from "./keys_create.ts";
import { listCommand, showCommand } from "./keys_show.ts";

/** The `keys` commands. */
export function keysCommand(): Command {
  const keys = new Command("keys")
    .description("Make, list, show, change, rotate and revoke API keys.")
    .addHelpText("after", "\nExample:\n  outcrop keys create --name laptop --expires 90d\n");
  for (
    const command of [
      createCommand(),
      listCommand(),
      showCommand(),
      updateCommand(),
      rotateCommand(),
      revokeCommand(),
    ]
  ) {
    keys.addCommand(command);
  }
  return keys;
}
