/**
 * `outcrop usage verify`: whether sums and budgets are what the records of requests say.
 * @module
 */
import { Command } from "commander";
import { z } from "zod";
import { systemClock } from "../clock.ts";
import { describeStore } from "../storage/open.ts";
import { type ConfigOption, loadConfigOption, withConfigOption } from "./config_option.ts";
import { CommandFailure } from "./failure.ts";
import { openConfiguredStore } from "./open_store.ts";
import { builtinSettings } from "./plugin_settings.ts";
import { sinceOf } from "./since.ts";
import { sumRules } from "./sum_rules.ts";
import { table, terminal } from "./terminal.ts";
import { type Difference, fixSum, isThinned, type Verified, verifySums } from "./verify_sums.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** What a server has sent of a request by then, it has sent whole. */
const PAUSE_MS = 3_000;

interface VerifyCommandOptions extends ConfigOption {
  since: string;
  fix?: boolean;
  json?: boolean;
}

/** The `usage verify` command. */
export function usageVerifyCommand(): Command {
  const command = new Command("verify")
    .description(
      "Add up the records of requests, and show where sums and budgets say otherwise. Servers may run meanwhile.",
    )
    .option("--since <when>", "a duration such as 24h or 30d, or an ISO time; whole hours", "7d")
    .option("--fix", "set what differs to what the records say")
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      `
It looks no further back than records are kept (records_days of the plugin usage). If that was shortened lately, look
back no further than it is in force: sums of records that are gone would seem too high. What waits in a server's
journal is not in the store yet: budgets are best fixed when the servers' journals are empty.
Exits with 1 where something differs, or could not be fixed.

Example:
  outcrop usage verify --since 24h
  outcrop usage verify --since 24h --fix
`,
    )
    .action(verify);
  return withConfigOption(command);
}

const days = z.object({
  records_days: z.number(),
  record_partitions: z.number(),
  rollup_days: z.number(),
});

async function verify(options: VerifyCommandOptions): Promise<void> {
  const now = systemClock.now();
  const since = sinceOf(options.since, now);
  const loaded = await loadConfigOption(options);
  const { store: choice } = loaded.config;
  if (choice.use === "memory") {
    throw new CommandFailure(
      `Cannot verify usage as ${loaded.file} says 'store: memory', which is gone when a process ends: ` +
        "use deno_kv or dynamodb",
    );
  }
  const { records_days, record_partitions, rollup_days } = days.parse(
    await builtinSettings("usage", loaded),
  );
  if (records_days === 0) {
    throw new CommandFailure(
      "Cannot verify usage as there must be records: set records_days of the plugin usage to more than 0",
    );
  }
  terminal.err(`Store: ${describeStore(choice)}`);
  const store = await openConfiguredStore(loaded.config, systemClock);
  try {
    const start = Math.floor(since / HOUR_MS) * HOUR_MS;
    const found = await verifySums(store, {
      rules: sumRules({ rollupDays: rollup_days }),
      stretch: { start, end: now + HOUR_MS }, // a server's clock may be ahead

      recordPartitions: record_partitions,
      recordedSince: Math.ceil((now - records_days * DAY_MS) / HOUR_MS) * HOUR_MS,
      pause: () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS)),
    });
    let fixed = 0;
    if (options.fix) {
      for (const difference of found.differences) {
        if (await fixSum(store, difference, isThinned(difference, found))) fixed++;
      }
    }
    print(found, { ...options, fixed });
  } finally {
    await store.close();
  }
}

interface Row {
  readonly sum: string;
  readonly of: string;
  readonly counter: string;
  readonly stored: number;
  readonly recorded: number;
}

function rowsOf(difference: Difference): Row[] {
  const { rule, key, entry, recorded } = difference;
  const stored = rule.counted(entry?.value ?? {});
  return [...new Set([...Object.keys(stored), ...Object.keys(recorded)])]
    .map((counter) => ({
      sum: rule.name,
      of: key.join(" "),
      counter,
      stored: stored[counter] ?? 0,
      recorded: recorded[counter] ?? 0,
    }))
    .filter((row) => row.stored !== row.recorded);
}

function print(
  found: Verified,
  { json, fix, fixed }: { json?: boolean; fix?: boolean; fixed: number },
): void {
  const { judged, differences, changing, dropped } = found;
  const rows = differences.flatMap(rowsOf);
  if (json) {
    const facts = { judged, different: differences.length, fixed, changing };
    const data = { data: rows, ...facts, dropped_records: Object.fromEntries(dropped) };
    terminal.out(JSON.stringify(data, null, 2));
  } else {
    if (rows.length > 0) {
      terminal.out(table(rows.map((row) => ({ ...row, difference: row.stored - row.recorded }))));
      terminal.out("");
    }
    const told = differences.length === 0
      ? `All of ${judged} sums are what the records say`
      : `${differences.length} of ${judged} sums are not what the records say`;
    const todo = differences.length === 0 || fix ? "" : ": --fix sets them";
    terminal.out(told + todo);
    if (fix && differences.length > 0) terminal.out(`${fixed} were set to what the records say`);
    if (changing > 0) {
      terminal.out(
        `${changing} changed whenever they were looked at: look again when less is asked`,
      );
    }
    for (const [day, n] of dropped) {
      terminal.out(
        `${n} records of ${day} were dropped while a journal was full: its sums may be more`,
      );
    }
  }
  const left = differences.length - fixed;
  if (left > 0) throw new CommandFailure(`${left} sums are not what the records say`);
}
