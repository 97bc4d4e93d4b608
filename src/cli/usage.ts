/**
 * `outcrop usage`: what requests came to, from the sums that the plugin `usage` keeps.
 * @module
 */
import { Command, Option } from "commander";
import { systemClock } from "../clock.ts";
import type { LoadedConfig } from "../config/load.ts";
import { describeStore } from "../storage/open.ts";
import { prefixedStore } from "../storage/prefixed.ts";
import type { Store } from "../storage/store.ts";
import { type ConfigOption, loadConfigOption, withConfigOption } from "./config_option.ts";
import { CommandFailure } from "./failure.ts";
import { openKeys } from "./gateway.ts";
import { openConfiguredStore } from "./open_store.ts";
import { sinceOf } from "./since.ts";
import { terminal } from "./terminal.ts";
import { usageVerifyCommand } from "./usage_verify.ts";
import { type Sums, usageCsv, type UsageRow, usageTable } from "./usage_table.ts";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const NANO_PER_USD = 1_000_000_000;
/** Days that sums can live at most; see the plugin's `rollup_days`. */
const MOST_DAYS = 3_651;

const GROUPINGS = ["key", "user", "team", "model", "day", "hour"] as const;
type Grouping = typeof GROUPINGS[number];

interface UsageOptions extends ConfigOption {
  by: Grouping;
  since: string;
  json?: boolean;
  csv?: boolean;
}

/** The `usage` command. */
export function usageCommand(): Command {
  const command = new Command("usage")
    .description("Show requests, tokens and cost by key, user, team, model, day or hour.")
    .addOption(new Option("--by <what>", "what to sum by").choices(GROUPINGS).default("day"))
    .option("--since <when>", "a duration such as 24h or 30d, or an ISO time; whole hours", "7d")
    .addOption(new Option("--json", "print one JSON document").conflicts("csv"))
    .option("--csv", "print CSV")
    .addHelpText("after", "\nExample:\n  outcrop usage --by model --since 30d\n")
    .enablePositionalOptions()
    .action(showUsage)
    .addCommand(usageVerifyCommand());
  return withConfigOption(command);
}

async function showUsage(options: UsageOptions): Promise<void> {
  const now = systemClock.now();
  const since = sinceOf(options.since, now);
  const loaded = await loadConfigOption(options);
  const choice = loaded.config.store;
  if (choice.use === "memory") {
    throw new CommandFailure(
      `Cannot show usage as ${loaded.file} says 'store: memory', which is gone when a process ends: ` +
        "use deno_kv or dynamodb",
    );
  }
  terminal.err(`Store: ${describeStore(choice)}`);
  const store = await openConfiguredStore(loaded.config, systemClock);
  try {
    const forPeople = options.json !== true && options.csv !== true;
    const rows = await readUsage(store, { since, now, by: options.by, local: forPeople });
    if (options.by === "key") await nameKeys(store, rows);
    print(rows, options, { loaded, since });
  } finally {
    await store.close();
  }
}

function noSums(): Sums {
  return {
    requests: 0,
    input_tokens: 0,
    output_tokens: 0,
    cache_read_input_tokens: 0,
    cache_creation_input_tokens: 0,
    nano_usd: 0,
  };
}

function addTo(sums: Sums, more: Sums): void {
  for (const name of Object.keys(noSums()) as (keyof Sums)[]) sums[name] += more[name];
}

/** A stored sum; see `plugins/usage.ts`. */
function sumsOf(counters: Readonly<Record<string, number>>): Sums {
  const of = (name: string) => counters[name] ?? 0;
  return {
    requests: of("requests"),
    input_tokens: of("input_tokens"),
    output_tokens: of("output_tokens"),
    cache_read_input_tokens: of("cache_read_input_tokens"),
    cache_creation_input_tokens: of("cache_write_5m_tokens") + of("cache_write_1h_tokens"),
    nano_usd: of("nano_usd"),
  };
}

interface ReadOptions {
  readonly since: number;
  readonly now: number;
  readonly by: Grouping;
  /** Whether days and hours are those of this machine's time zone. */
  readonly local: boolean;
}

/** What a stored sum counts for: its sort string is JSON. */
function groupOf(sort: string, { by, local }: ReadOptions): string | null {
  const [hour = "", key = null, user = null, team = null, model = null] = JSON.parse(sort);
  if (by !== "day" && by !== "hour") return { key, user, team, model }[by];
  if (!local) return by === "day" ? hour.slice(0, 10) : `${hour}:00:00Z`;
  const at = new Date(`${hour}:00:00Z`).toLocaleString("sv"); // 2026-11-23 13:00:00
  return by === "day" ? at.slice(0, 10) : at.slice(0, 16);
}

/** Sums since a time, day by day; ordered by time, else by cost. */
async function readUsage(store: Store, options: ReadOptions): Promise<UsageRow[]> {
  const usage = prefixedStore(store, "usage");
  const groups = new Map<string | null, Sums>();
  const first = Math.max(options.since, options.now - MOST_DAYS * DAY_MS);
  const from = `["${new Date(first).toISOString().slice(0, 13)}`;
  const lastDay = Math.floor((options.now + HOUR_MS) / DAY_MS); // a server's clock may be ahead
  for (let day = Math.floor(first / DAY_MS); day <= lastDay; day++) {
    const partition = `rollup/${new Date(day * DAY_MS).toISOString().slice(0, 10)}`;
    for await (const { key, value } of usage.list<Record<string, number>>(partition, { from })) {
      const group = groupOf(key[1], options);
      const sums = groups.get(group) ?? noSums();
      addTo(sums, sumsOf(value));
      groups.set(group, sums);
    }
  }
  const rows = [...groups].map(([name, sums]) => ({ names: [name], ...sums }));
  const inTime = options.by === "day" || options.by === "hour";
  return rows.sort((a, b) => (inTime ? 0 : b.nano_usd - a.nano_usd) || byName(a, b));
}

function byName({ names: [a] }: UsageRow, { names: [b] }: UsageRow): number {
  return (a ?? "") < (b ?? "") ? -1 : 1;
}

/** Gives rows by key the key's name as a second one, where the key is there still. */
async function nameKeys(store: Store, rows: UsageRow[]): Promise<void> {
  const keys = await openKeys(store, { clock: systemClock, env: (name) => Deno.env.get(name) });
  const names = new Map<string, string>();
  for await (const { id, name } of keys.list()) names.set(id, name);
  for (const [at, row] of rows.entries()) {
    const [id = null] = row.names;
    rows[at] = { ...row, names: [id, names.get(id ?? "") ?? null] };
  }
}

function totalsOf(rows: readonly UsageRow[]): Sums {
  const totals = noSums();
  for (const row of rows) addTo(totals, row);
  return totals;
}

/** Sums as `--json` prints them. */
function sumsJson(sums: Sums): Record<string, number> {
  return {
    requests: sums.requests,
    input_tokens: sums.input_tokens,
    output_tokens: sums.output_tokens,
    cache_read_input_tokens: sums.cache_read_input_tokens,
    cache_creation_input_tokens: sums.cache_creation_input_tokens,
    cost_usd: sums.nano_usd / NANO_PER_USD,
  };
}

function print(
  rows: readonly UsageRow[],
  { by, json, csv }: UsageOptions,
  { loaded, since }: { loaded: LoadedConfig; since: number },
): void {
  const columns = by === "key" ? ["key", "name"] : [by];
  const totals = totalsOf(rows);
  if (json) {
    const data = rows.map((row) => ({
      ...Object.fromEntries(columns.map((column, at) => [column, row.names[at] ?? null])),
      ...sumsJson(row),
    }));
    terminal.out(JSON.stringify({ data, totals: sumsJson(totals) }, null, 2));
  } else if (csv) {
    terminal.part(usageCsv(columns, rows));
  } else if (rows.length === 0) {
    terminal.out(nothingYet(loaded, since));
  } else {
    terminal.out(usageTable(rows, totals, { headings: columns }));
  }
}

function nothingYet({ config, file }: LoadedConfig, since: number): string {
  if (!config.plugins.some(({ use }) => use === "usage")) {
    return `There is no usage: list '- use: usage' under plugins in ${file}, and restart the server`;
  }
  const at = new Date(since).toLocaleString("sv").slice(0, 16);
  return `There is no usage since ${at}: send a request, or look further back with --since 30d`;
}
