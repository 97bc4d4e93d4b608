/**
 * `outcrop keys list|show|revoke`, and where `create` hangs.
 * @module
 */
import { Command } from "commander";
import { systemClock } from "../clock.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { KeyRecord, Keys } from "../storage/keys.ts";
import { describeStore, openStore } from "../storage/open.ts";
import { type ConfigOption, loadConfigOption, withConfigOption } from "./config_option.ts";
import { CommandFailure } from "./failure.ts";
import { openKeys } from "./gateway.ts";
import { createCommand } from "./keys_create.ts";
import { table, terminal } from "./terminal.ts";

/** Options of the commands on keys. */
export interface KeysOptions extends ConfigOption {
  /** Print JSON. */
  json?: boolean;
}

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

/** The keys of the configured store, and what it is called. */
export interface OpenedKeys {
  /** The keys. */
  readonly keys: Keys;
  /** The configuration. */
  readonly loaded: LoadedConfig;
}

/**
 * Runs `work` on the keys of the configured store, and closes it.
 *
 * @throws {CommandFailure} If the store is in memory
 */
export async function withKeys(
  options: ConfigOption,
  work: (opened: OpenedKeys) => Promise<void>,
): Promise<void> {
  const loaded = await loadConfigOption(options);
  const choice = loaded.config.store;
  if (choice.use === "memory") {
    throw new CommandFailure(
      `Cannot keep keys as ${loaded.file} says 'store: memory', which is gone when a process ends: ` +
        "use deno_kv, or give the auth plugin a master_key",
    );
  }
  terminal.err(`Store: ${describeStore(choice)}`);
  const store = await openStore(choice, { clock: systemClock });
  try {
    const keys = await openKeys(store, { clock: systemClock, env: (name) => Deno.env.get(name) });
    await work({ keys, loaded });
  } finally {
    await store.close();
  }
}

/** A key as `--json` prints it: every attribute, null where there is none. */
export function keyJson(key: KeyRecord): Record<string, unknown> {
  return {
    id: key.id,
    name: key.name,
    user: key.user ?? null,
    team: key.team ?? null,
    created_at: key.created_at,
    expires_at: key.expires_at ?? null,
    revoked_at: key.revoked_at ?? null,
    last_used_at: key.last_used_at ?? null,
    models: key.models ?? null,
    tier: key.tier ?? null,
    limits: key.limits ?? null,
    budget: key.budget ?? null,
    cache_ttl: key.cache_ttl ?? null,
  };
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
