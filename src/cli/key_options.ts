/**
 * What `keys create` and `keys update` take of a key's attributes.
 * @module
 */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { LoadedConfig } from "../config/load.ts";
import type { KeyFields } from "../storage/keys.ts";
import { parseExpiry } from "../text/duration.ts";
import { CommandFailure } from "./failure.ts";
import { isListed } from "./plugin_settings.ts";
import { terminal } from "./terminal.ts";

/** Attributes as options spell them. */
export interface AttributeOptions {
  /** Whose it is. */
  user?: string;
  /** Whose team's it is. */
  team?: string;
  /** Service tier. */
  tier?: "default" | "priority" | "flex" | "reserved";
  /** Requests per minute. */
  rpm?: number;
  /** Input tokens per minute. */
  tpm?: number;
  /** Output tokens per minute. */
  outputTpm?: number;
  /** Requests at the same time. */
  concurrency?: number;
  /** US dollars. */
  budget?: number;
  /** Period of the budget. */
  budgetPer?: "day" | "week" | "month";
  /** Duration or ISO time. */
  expires?: string;
  /** Globs. */
  models?: string[];
  /** Life of cached prompts. */
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

/** A name that is shown in tables and counted by. */
export function parseName(text: string): string {
  const name = text.trim();
  if (name !== "" && name.length <= 200 && !/\p{Cc}/u.test(name)) return name;
  throw new InvalidArgumentError("1 to 200 characters without control characters are expected.");
}

/** Adds an option for each attribute. */
export function withAttributeOptions(command: Command): Command {
  return command
    .option("--user <user>", "whose it is", parseName)
    .option("--team <team>", "whose team's it is", parseName)
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
      new Option("--budget-per <period>", "period of the budget; a month unless told").choices([
        "day",
        "week",
        "month",
      ]),
    )
    .option("--expires <when>", "a duration such as 90d, or an ISO time")
    .option("--models <globs>", "names it may ask for, e.g. 'claude-*,qwen.*'", parseList)
    .addOption(new Option("--cache-ttl <ttl>", "life of its cached prompts").choices(["5m", "1h"]));
}

/** The object without members that are undefined. */
export function given<T extends Record<string, unknown>>(members: T): Partial<T> {
  const kept = Object.entries(members).filter(([, value]) => value !== undefined);
  return Object.fromEntries(kept) as Partial<T>;
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

/**
 * The attributes that were given, beside those of a key there is.
 *
 * @throws {CommandFailure} If a time is none, or the period of a budget is given without one
 */
export function attributesOf(
  options: AttributeOptions,
  before: Partial<KeyFields> = {},
): Partial<KeyFields> {
  const limits = given({
    requests_per_minute: options.rpm,
    input_tokens_per_minute: options.tpm,
    output_tokens_per_minute: options.outputTpm,
    concurrency: options.concurrency,
  });
  return given({
    user: options.user,
    team: options.team,
    tier: options.tier,
    models: options.models,
    cache_ttl: options.cacheTtl,
    limits: Object.keys(limits).length === 0 ? undefined : { ...before.limits, ...limits },
    expires_at: options.expires === undefined ? undefined : expiryOf(options.expires),
    budget: budgetOf(options, before),
  }) as Partial<KeyFields>;
}

function budgetOf(
  { budget, budgetPer }: AttributeOptions,
  before: Partial<KeyFields>,
): KeyFields["budget"] {
  if (budget === undefined && budgetPer === undefined) return undefined;
  const usd = budget ?? before.budget?.usd;
  if (usd === undefined) {
    throw new CommandFailure("--budget-per needs a budget: add --budget <usd>", 2);
  }
  return { usd, per: budgetPer ?? before.budget?.per ?? "month" };
}

/** Which plugin makes an attribute of a key work. */
const PLUGIN_OF: readonly (readonly [attribute: keyof KeyFields, plugin: string])[] = [
  ["models", "auth"],
  ["limits", "rate_limit"],
  ["budget", "budget"],
  ["tier", "tier"],
  ["cache_ttl", "prompt_cache"],
];

/** Says of attributes without their plugin that they do nothing. */
export function warnOfIdle(fields: Partial<KeyFields>, loaded: LoadedConfig): void {
  for (const [attribute, plugin] of PLUGIN_OF) {
    if (fields[attribute] === undefined || isListed(plugin, loaded)) continue;
    terminal.err(
      `Note: ${attribute} has no effect while the plugin '${plugin}' is not listed in ${loaded.file}`,
    );
  }
}
