/**
 * `outcrop keys create`.
 * @module
 */
import { Command, InvalidArgumentError, Option } from "commander";
import type { KeyFields } from "../storage/keys.ts";
import { parseExpiry } from "../text/duration.ts";
import { withConfigOption } from "./config_option.ts";
import { CommandFailure } from "./failure.ts";
import { keyJson, type KeysOptions, type OpenedKeys, withKeys } from "./keys_store.ts";
import { terminal } from "./terminal.ts";

interface CreateOptions extends KeysOptions {
  name: string;
  user?: string;
  team?: string;
  tier?: "default" | "priority" | "flex" | "reserved";
  rpm?: number;
  tpm?: number;
  outputTpm?: number;
  concurrency?: number;
  budget?: number;
  budgetPer: "day" | "week" | "month";
  expires?: string;
  models?: string[];
  cacheTtl?: "5m" | "1h";
}

function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new InvalidArgumentError("a whole number above 0 is expected.");
}

function parseUsd(text: string): number {
  const usd = Number(text);
  if (Number.isFinite(usd) && usd > 0) return usd;
  throw new InvalidArgumentError("an amount in US dollars above 0 is expected, e.g. 25 or 0.50.");
}

function parseList(text: string): string[] {
  const items = text.split(",").map((item) => item.trim()).filter((item) => item !== "");
  if (items.length > 0) return items;
  throw new InvalidArgumentError("a list is expected, e.g. 'claude-*,qwen.*'.");
}

/** The `keys create` command. */
export function createCommand(): Command {
  const command = new Command("create")
    .description("Make a key. The key itself is shown this once.")
    .requiredOption("--name <name>", "what people call it")
    .option("--user <user>", "whose it is")
    .option("--team <team>", "whose team's it is")
    .addOption(
      new Option("--tier <tier>", "service tier").choices([
        "default",
        "priority",
        "flex",
        "reserved",
      ]),
    )
    .option("--rpm <n>", "requests per minute", parseCount)
    .option("--tpm <n>", "input tokens per minute", parseCount)
    .option("--output-tpm <n>", "output tokens per minute", parseCount)
    .option("--concurrency <n>", "requests at the same time", parseCount)
    .option("--budget <usd>", "US dollars it may spend", parseUsd)
    .addOption(
      new Option("--budget-per <period>", "period of the budget").choices(["day", "week", "month"])
        .default("month"),
    )
    .option("--expires <when>", "a duration such as 90d, or an ISO time")
    .option("--models <globs>", "names it may ask for, e.g. 'claude-*,qwen.*'", parseList)
    .addOption(new Option("--cache-ttl <ttl>", "life of its cached prompts").choices(["5m", "1h"]))
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      "\nExample:\n  outcrop keys create --name ci --models 'claude-*' --expires 90d --json\n",
    )
    .action((options: CreateOptions) => withKeys(options, (opened) => create(opened, options)));
  return withConfigOption(command);
}

/** The object without members that are undefined; undefined if none is left. */
function given<T extends Record<string, unknown>>(members: T): Partial<T> | undefined {
  const kept = Object.entries(members).filter(([, value]) => value !== undefined);
  return kept.length === 0 ? undefined : Object.fromEntries(kept) as Partial<T>;
}

function expiryOf(text: string): string {
  try {
    return new Date(parseExpiry(text, Date.now())).toISOString();
  } catch (error) {
    throw new CommandFailure(
      `--expires: ${error instanceof Error ? error.message : String(error)}`,
      2,
      { cause: error },
    );
  }
}

function fieldsOf(options: CreateOptions): KeyFields {
  const limits = given({
    requests_per_minute: options.rpm,
    input_tokens_per_minute: options.tpm,
    output_tokens_per_minute: options.outputTpm,
    concurrency: options.concurrency,
  });
  return {
    name: options.name,
    ...given({
      user: options.user,
      team: options.team,
      tier: options.tier,
      models: options.models,
      cache_ttl: options.cacheTtl,
      limits,
      expires_at: options.expires === undefined ? undefined : expiryOf(options.expires),
      budget: options.budget === undefined
        ? undefined
        : { usd: options.budget, per: options.budgetPer },
    }),
  } as KeyFields;
}

/** Which plugin makes an attribute of a key work. */
const PLUGIN_OF: readonly (readonly [attribute: keyof KeyFields, plugin: string])[] = [
  ["models", "auth"],
  ["limits", "rate_limit"],
  ["budget", "budget"],
  ["tier", "tier"],
  ["cache_ttl", "prompt_cache"],
];

function warnOfIdle(fields: KeyFields, { loaded }: OpenedKeys): void {
  const listed = new Set(loaded.config.plugins.map(({ use }) => use));
  for (const [attribute, plugin] of PLUGIN_OF) {
    if (fields[attribute] === undefined || listed.has(plugin)) continue;
    terminal.err(
      `Note: ${attribute} has no effect while the plugin '${plugin}' is not listed in ${loaded.file}`,
    );
  }
}

async function create(opened: OpenedKeys, options: CreateOptions): Promise<void> {
  const fields = fieldsOf(options);
  warnOfIdle(fields, opened);
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
