/**
 * What the commands on keys have in common.
 * @module
 */
import { systemClock } from "../clock.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { KeyRecord, Keys } from "../storage/keys.ts";
import { describeStore } from "../storage/open.ts";
import type { Store } from "../storage/store.ts";
import { type ConfigOption, loadConfigOption } from "./config_option.ts";
import { CommandFailure } from "./failure.ts";
import { openKeys } from "./gateway.ts";
import { openConfiguredStore } from "./open_store.ts";
import { terminal } from "./terminal.ts";

/** Options of the commands on keys. */
export interface KeysOptions extends ConfigOption {
  /** Print JSON. */
  json?: boolean;
}

/** The keys of the configured store, and what it is called. */
export interface OpenedKeys {
  /** The keys. */
  readonly keys: Keys;
  /** The store they are in. */
  readonly store: Store;
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
        "use deno_kv or dynamodb, or give the auth plugin a master_key",
    );
  }
  terminal.err(`Store: ${describeStore(choice)}`);
  const store = await openConfiguredStore(loaded.config, systemClock);
  try {
    const keys = await openKeys(store, { clock: systemClock, env: (name) => Deno.env.get(name) });
    await work({ keys, store, loaded });
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

/** What a command fails with that is told of a key there is not. */
export function noSuchKey(id: string): CommandFailure {
  return new CommandFailure(`There is no key ${id}: 'outcrop keys list' shows those there are`);
}
