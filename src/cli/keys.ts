/**
 * `outcrop keys list|show|revoke`, and where `create` hangs.
 * @module
 */
import { Command } from "commander";
import type { KeyRecord } from "../storage/keys.ts";
import { withConfigOption } from "./config_option.ts";
import { CommandFailure } from "./failure.ts";
import { createCommand } from "./keys_create.ts";
import { keyJson, type KeysOptions, type OpenedKeys, withKeys } from "./keys_store.ts";
import { table, terminal } from "./terminal.ts";

/** The `keys` commands. */
export function keysCommand(): Command {
  const keys = new Command("keys")
    .description("Make, list, show and revoke API keys.")
    .addHelpText("after", "\nExample:\n  outcrop keys create --name laptop --expires 90d\n");
  keys.addCommand(createCommand());
  keys.addCommand(
    sub("list", "List all keys.", "outcrop keys list")
      .action((options: KeysOptions) => withKeys(options, (opened) => list(opened, options))),
  );
  keys.addCommand(
    sub("show", "Show one key.", "outcrop keys show key_7f3k2m9x1c")
      .argument("<id>", "public id of the key")
      .action((id: string, options: KeysOptions) =>
        withKeys(options, (opened) => show(opened, id, options))
      ),
  );
  keys.addCommand(
    sub(
      "revoke",
      "Revoke a key; running servers refuse it within 2 s.",
      "outcrop keys revoke key_7f3k2m9x1c",
    )
      .argument("<id>", "public id of the key")
      .action((id: string, options: KeysOptions) =>
        withKeys(options, (opened) => revoke(opened, id, options))
      ),
  );
  return keys;
}

function sub(name: string, description: string, example: string): Command {
  const command = new Command(name)
    .description(description)
    .option("--json", "print one JSON document")
    .addHelpText("after", `\nExample:\n  ${example}\n`);
  return withConfigOption(command);
}

function stateOf({ revoked_at, expires_at }: KeyRecord): string {
  if (revoked_at !== undefined) return "revoked";
  return expires_at !== undefined && Date.parse(expires_at) <= Date.now() ? "expired" : "active";
}

function local(iso: string | undefined): string {
  return iso === undefined ? "" : new Date(iso).toLocaleString("sv").slice(0, 16);
}

async function list({ keys }: OpenedKeys, { json }: KeysOptions): Promise<void> {
  const all: KeyRecord[] = [];
  for await (const key of keys.list()) all.push(key);
  if (json) return terminal.out(JSON.stringify({ data: all.map(keyJson) }, null, 2));
  if (all.length === 0) {
    return terminal.out("There are no keys yet: make one with 'outcrop keys create --name me'");
  }
  terminal.out(table(all.map((key) => ({
    id: key.id,
    name: key.name,
    user: key.user ?? "",
    team: key.team ?? "",
    state: stateOf(key),
    created: local(key.created_at),
    expires: local(key.expires_at),
    models: key.models?.join(",") ?? "all",
  }))));
}

function noSuchKey(id: string): CommandFailure {
  return new CommandFailure(`There is no key ${id}: 'outcrop keys list' shows those there are`);
}

function print(key: KeyRecord, { json }: KeysOptions): void {
  if (json) return terminal.out(JSON.stringify(keyJson(key), null, 2));
  const rows = Object.entries(keyJson(key)).filter(([, value]) => value !== null);
  for (const [name, value] of rows) {
    terminal.out(`${name.padEnd(14)}${typeof value === "string" ? value : JSON.stringify(value)}`);
  }
}

async function show({ keys }: OpenedKeys, id: string, options: KeysOptions): Promise<void> {
  const key = await keys.get(id);
  if (key === undefined) throw noSuchKey(id);
  print(key, options);
}

async function revoke({ keys }: OpenedKeys, id: string, options: KeysOptions): Promise<void> {
  const key = await keys.revoke(id);
  if (key === undefined) throw noSuchKey(id);
  if (options.json) print(key, options);
  else terminal.out(`Revoked ${key.id} (${key.name}): running servers refuse it within 2 s`);
}
