/**
 * `outcrop models`.
 * @module
 */
import { Command } from "commander";
import { type KnownLessons, Lessons } from "../bedrock/lessons.ts";
import { Models } from "../bedrock/models.ts";
import { systemClock } from "../clock.ts";
import type { Config } from "../config/schema.ts";
import { type ConfigOption, loadConfigOption, withConfigOption } from "./config_option.ts";
import { openConfiguredStore } from "./open_store.ts";
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
  const rows = models.list().map(({ id }) => ({ id, ...meaningOf(models, id) }));
  if (options.json) {
    const learned = await learnedBy(config);
    return terminal.out(JSON.stringify({ data: rows, learned }, null, 2));
  }
  terminal.out(
    table(rows.map(({ fallbacks, ...row }) => ({ ...row, fallback: fallbacks.join(", ") }))),
  );
}

/** What a name means, for people. */
export interface Meaning {
  /** Id that is asked. */
  readonly model: string;
  /** Route to it; `?` for a profile whose model is asked for at its first use. */
  readonly route: string;
  /** Service tier. */
  readonly tier: string;
  /** Ids asked when it cannot answer. */
  readonly fallbacks: readonly string[];
}

/** What a name means, without asking Bedrock. */
export function meaningOf(models: Models, name: string): Meaning {
  const [unknown] = models.unknownProfiles(name);
  if (unknown !== undefined) return { model: unknown, route: "?", tier: "?", fallbacks: [] };
  const { target, fallbacks } = models.resolve(name);
  return {
    model: target.modelId,
    route: target.route,
    tier: target.tier ?? "default",
    fallbacks: fallbacks.map(({ modelId }) => modelId),
  };
}

/** What servers on this store have learned that models refuse; nothing if there is no store yet. */
async function learnedBy(config: Config): Promise<KnownLessons[]> {
  const choice = config.store;
  if (choice.use === "memory" || choice.use === "deno_kv" && !exists(choice.path)) return [];
  const store = await openConfiguredStore(config, systemClock);
  const learned: KnownLessons[] = [];
  try {
    for await (const one of new Lessons(store, systemClock).list()) learned.push(one);
  } finally {
    await store.close();
  }
  return learned;
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
