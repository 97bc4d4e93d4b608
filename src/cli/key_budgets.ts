/**
 * What is spent of the budgets that hold for a key.
 * @module
 */
import { type BudgetSettings, type CapRule, capRules } from "../../plugins/budget.ts";
import type { LoadedConfig } from "../config/load.ts";
import { spanOf } from "../sharing/span.ts";
import type { KeyRecord } from "../storage/key_record.ts";
import { prefixedStore } from "../storage/prefixed.ts";
import type { Store } from "../storage/store.ts";
import { bar } from "./cells.ts";
import { builtinSettings, isListed } from "./plugin_settings.ts";

const NANO_PER_USD = 1_000_000_000;

/** A budget, and what is spent of it. */
export interface KeyBudget extends CapRule {
  /** US dollars spent in the period of now. */
  readonly spent_usd: number;
  /** ISO time at which the next period begins. */
  readonly resets_at: string;
}

/** Reads budgets. */
export interface BudgetReader {
  /** The budgets that hold for a key; none where the plugin is not listed. */
  of(key: KeyRecord): Promise<KeyBudget[]>;
}

type Spent = (name: string, scope: string) => Promise<number>;
type Counters = { readonly spent?: number };

/** Asks for each. */
function oneByOne(pools: Store): Spent {
  return async (name, scope) => (await pools.get<Counters>([name, scope]))?.value.spent ?? 0;
}

/** Reads a period whole at its first use. */
function wholePeriods(pools: Store): Spent {
  const periods = new Map<string, Promise<ReadonlyMap<string, number>>>();
  const read = async (name: string) => {
    const spent = new Map<string, number>();
    for await (const { key, value } of pools.list<Counters>(name)) {
      spent.set(key[1], value.spent ?? 0);
    }
    return spent;
  };
  return async (name, scope) => {
    const period = periods.get(name) ?? read(name);
    periods.set(name, period);
    return (await period).get(scope) ?? 0;
  };
}

/**
 * Reads the budgets of a store, by the settings of config.yaml.
 *
 * @param options.ofMany Whether those of many keys are asked for
 */
export async function openBudgets(
  store: Store,
  { loaded, now, ofMany = false }: { loaded: LoadedConfig; now: number; ofMany?: boolean },
): Promise<BudgetReader> {
  if (!isListed("budget", loaded)) return { of: () => Promise.resolve([]) };
  const settings = await builtinSettings("budget", loaded) as BudgetSettings;
  const pools = prefixedStore(store, "budget");
  const spent = ofMany ? wholePeriods(pools) : oneByOne(pools);
  const read = async (rule: CapRule): Promise<KeyBudget> => {
    const { name, end } = spanOf(rule.period, now);
    const spent_usd = await spent(name, rule.scope) / NANO_PER_USD;
    return { ...rule, spent_usd, resets_at: new Date(end).toISOString() };
  };
  return { of: (key) => Promise.all(capRules(settings, { id: key.id, key }).map(read)) };
}

/** Whole dollars, or to the cent, or as many decimals as less than one needs. */
export function dollars(usd: number): string {
  if (Number.isInteger(usd)) return `$${usd}`;
  return usd >= 1 ? `$${usd.toFixed(2)}` : `$${Number(usd.toFixed(6))}`;
}

/** How much of a budget is spent: percents, what they are of, and a bar. */
export function gauge(
  { spent_usd, usd }: KeyBudget,
  { of = "", width }: { of?: string; width: number },
): string {
  const share = spent_usd / usd;
  const percent = Math.floor(Math.round(share * 1e6) / 1e4); // 0.009 of 0.02 is 45 %, whatever floats say
  return [`${String(percent).padStart(3)} %`, of, bar(share, width)].filter((part) => part !== "")
    .join(" ");
}
