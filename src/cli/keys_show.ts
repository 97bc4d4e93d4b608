/**
 * `outcrop keys list|show`.
 * @module
 */
import { Command, Option } from "commander";
import type { KeyFields, KeyRecord } from "../storage/keys.ts";
import { localTime, shown, widthOf } from "./cells.ts";
import { csv, type CsvCell } from "./csv.ts";
import { withConfigOption } from "./config_option.ts";
import { dollars, gauge, type KeyBudget, openBudgets } from "./key_budgets.ts";
import { keyJson, type KeysOptions, noSuchKey, type OpenedKeys, withKeys } from "./keys_store.ts";
import { type Row, table, terminal, terminalWidth } from "./terminal.ts";

interface ListOptions extends KeysOptions {
  csv?: boolean;
}

const LABEL = 14;
const LIST_BAR = 6;
const SHOW_BAR = 24;

/** The `keys list` command. */
export function listCommand(): Command {
  const command = new Command("list")
    .description("List all keys, with what each has spent of its budget.")
    .addOption(new Option("--json", "print one JSON document").conflicts("csv"))
    .option("--csv", "print CSV")
    .addHelpText("after", "\nExample:\n  outcrop keys list --csv > keys.csv\n")
    .action((options: ListOptions) => withKeys(options, (opened) => list(opened, options)));
  return withConfigOption(command);
}

/** The `keys show` command. */
export function showCommand(): Command {
  const command = new Command("show")
    .description("Show one key, and what is spent of the budgets that hold for it.")
    .argument("<id>", "public id of the key")
    .option("--json", "print one JSON document")
    .addHelpText("after", "\nExample:\n  outcrop keys show key_7f3k2m9x1c\n")
    .action((id: string, options: KeysOptions) =>
      withKeys(options, (opened) => show(opened, id, options))
    );
  return withConfigOption(command);
}

function stateOf({ revoked_at, expires_at }: KeyRecord, now: number): string {
  if (revoked_at !== undefined) return "revoked";
  return expires_at !== undefined && Date.parse(expires_at) <= now ? "expired" : "active";
}

/** The budget of the key alone that is spent the most. */
function tightest(budgets: readonly KeyBudget[], { id }: KeyRecord): KeyBudget | undefined {
  return budgets.filter(({ scope }) => scope === `key ${id}`)
    .toSorted((a, b) => b.spent_usd / b.usd - a.spent_usd / a.usd)[0];
}

function rowOf(key: KeyRecord, budgets: readonly KeyBudget[], now: number): Row {
  const budget = tightest(budgets, key);
  return {
    id: key.id,
    name: key.name,
    user: key.user ?? "",
    team: key.team ?? "",
    state: stateOf(key, now),
    budget: budget === undefined
      ? ""
      : gauge(budget, { of: `of ${dollars(budget.usd)}/${budget.period}`, width: LIST_BAR }),
    used: localTime(key.last_used_at),
    expires: localTime(key.expires_at),
    models: key.models?.join(",") ?? "all",
  };
}

const CSV_HEADER = [
  "id",
  "name",
  "user",
  "team",
  "state",
  "created_at",
  "expires_at",
  "revoked_at",
  "last_used_at",
  "models",
  "tier",
  "requests_per_minute",
  "input_tokens_per_minute",
  "output_tokens_per_minute",
  "concurrency",
  "cache_ttl",
  "budget_usd",
  "budget_per",
  "spent_usd",
];

function csvRow(key: KeyRecord, budget: KeyBudget | undefined, now: number): CsvCell[] {
  const { limits = {} } = key;
  return [
    ...[key.id, key.name, key.user, key.team, stateOf(key, now)],
    ...[key.created_at, key.expires_at, key.revoked_at, key.last_used_at],
    ...[key.models?.join(" "), key.tier],
    ...[limits.requests_per_minute, limits.input_tokens_per_minute],
    ...[limits.output_tokens_per_minute, limits.concurrency, key.cache_ttl],
    ...[budget?.usd ?? key.budget?.usd, budget?.period ?? key.budget?.per, budget?.spent_usd],
  ];
}

/** Rows without the columns that are empty in all of them. */
function withoutEmpty(rows: readonly Row[]): Row[] {
  const headings = Object.keys(rows[0] ?? {})
    .filter((heading) => rows.some((row) => row[heading] !== ""));
  return rows.map((row) =>
    Object.fromEntries(headings.map((heading) => [heading, row[heading] ?? ""]))
  );
}

async function list(
  { keys, store, loaded }: OpenedKeys,
  { json, csv: asCsv }: ListOptions,
): Promise<void> {
  const now = Date.now();
  const reader = await openBudgets(store, { loaded, now, ofMany: true });
  const all: { readonly key: KeyRecord; readonly budgets: readonly KeyBudget[] }[] = [];
  for await (const key of keys.list()) all.push({ key, budgets: await reader.of(key) });
  if (json) {
    const data = all.map(({ key, budgets }) => ({
      ...keyJson(key),
      spending: spendingJson(budgets),
    }));
    return terminal.out(JSON.stringify({ data }, null, 2));
  }
  if (asCsv) {
    const lines = all.map(({ key, budgets }) => csvRow(key, tightest(budgets, key), now));
    return terminal.part(csv([CSV_HEADER, ...lines]));
  }
  if (all.length === 0) {
    return terminal.out("There are no keys yet: make one with 'outcrop keys create --name me'");
  }
  const rows = withoutEmpty(all.map(({ key, budgets }) => rowOf(key, budgets, now)));
  terminal.out(table(rows, terminalWidth(), {
    whole: ["id", "state", "budget", "used", "expires"],
    spare: ["models", "expires", "used", "team", "user", "budget"],
  }));
}

function spendingJson(budgets: readonly KeyBudget[]): Record<string, unknown>[] {
  return budgets.map(({ scope, period, usd, spent_usd, resets_at }) => ({
    scope,
    per: period,
    usd,
    spent_usd,
    resets_at,
  }));
}

const LIMIT_WORDS: Readonly<Record<keyof NonNullable<KeyFields["limits"]>, string>> = {
  requests_per_minute: "requests a minute",
  input_tokens_per_minute: "input tokens a minute",
  output_tokens_per_minute: "output tokens a minute",
  concurrency: "at the same time",
};

function limitsOf({ limits = {} }: KeyRecord): string[] {
  const names = Object.keys(LIMIT_WORDS) as (keyof typeof LIMIT_WORDS)[];
  return names.filter((name) => limits[name] !== undefined)
    .map((name) => `${limits[name]} ${LIMIT_WORDS[name]}`);
}

/** Parts joined by commas into lines that fit. */
function wrapped(parts: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const [at, part] of parts.entries()) {
    const text = at < parts.length - 1 ? `${part},` : part;
    const last = lines.at(-1);
    if (last === undefined || widthOf(last) + 1 + widthOf(text) > width) lines.push(text);
    else lines[lines.length - 1] = `${last} ${text}`;
  }
  return lines;
}

function budgetLines(key: KeyRecord, budgets: readonly KeyBudget[], room: number): string[] {
  const { budget } = key;
  if (budget !== undefined && budgets.length === 0) {
    return [
      `${dollars(budget.usd)} a ${budget.per}: of no effect, as the plugin 'budget' is not listed`,
    ];
  }
  const width = Math.max(Math.min(SHOW_BAR, room - 6), 1);
  return budgets.flatMap((one) => [
    `${dollars(one.spent_usd)} of ${dollars(one.usd)} of ${shown(one.who)} this ${one.period}`,
    gauge(one, { width }).trim(),
    `until ${localTime(one.resets_at)}`,
  ]);
}

async function show(
  { keys, store, loaded }: OpenedKeys,
  id: string,
  { json }: KeysOptions,
): Promise<void> {
  const key = await keys.get(id);
  if (key === undefined) throw noSuchKey(id);
  const now = Date.now();
  const budgets = await (await openBudgets(store, { loaded, now })).of(key);
  if (json) {
    const spending = spendingJson(budgets);
    return terminal.out(JSON.stringify({ ...keyJson(key), spending }, null, 2));
  }
  const room = terminalWidth() - LABEL;
  const rows: readonly (readonly [label: string, lines: readonly string[]])[] = [
    ["id", [key.id]],
    ["name", [shown(key.name)]],
    ["user", [shown(key.user ?? "")]],
    ["team", [shown(key.team ?? "")]],
    ["state", [stateOf(key, now)]],
    ["created", [localTime(key.created_at)]],
    ["expires", [localTime(key.expires_at)]],
    ["revoked", [localTime(key.revoked_at)]],
    ["last used", [localTime(key.last_used_at)]],
    ["models", wrapped(key.models ?? ["all"], room)],
    ["tier", [key.tier ?? ""]],
    ["limits", wrapped(limitsOf(key), room)],
    ["cache ttl", [key.cache_ttl ?? ""]],
    ["budget", budgetLines(key, budgets, room)],
  ];
  for (const [label, lines] of rows) {
    for (const [at, line] of lines.entries()) {
      if (line !== "") terminal.out(`${(at === 0 ? label : "").padEnd(LABEL)}${line}`);
    }
  }
}
