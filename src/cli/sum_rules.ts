/**
 * Sums that are made of the records of requests, and can be made of them again: a row of {@link sumRules} for each
 * plugin that keeps some.
 * @module
 */
import { type CountedRecord, rollupEnd, rollupOf } from "../../plugins/usage.ts";
import { PERIODS, spanOf } from "../sharing/span.ts";
import type { StoreKey } from "../storage/store.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** Named counts. */
export type Counters = Readonly<Record<string, number>>;

/** A stretch of time: Unix milliseconds. */
export interface Stretch {
  /** Its beginning. */
  readonly start: number;
  /** Its end. */
  readonly end: number;
}

/** How the sums of one kind follow from records. */
export interface SumRule {
  /** What people call them. */
  readonly name: string;
  /** The plugin whose part of the store they are in. */
  readonly plugin: string;
  /** Whether a sum and its record reach the store in one step: then no difference is ever one of time. */
  readonly inOneStep: boolean;
  /** Whether a sum without an entry is a difference. */
  readonly mustExist: boolean;
  /** Partitions that hold sums of a stretch. */
  partitions(stretch: Stretch): readonly string[];
  /** The stretch whose requests a sum counts. */
  stretchOf(key: StoreKey): Stretch;
  /** The sums that a record counts for, and with what. */
  of(record: CountedRecord): readonly { readonly key: StoreKey; readonly add: Counters }[];
  /** What of a stored entry is counted of records. */
  counted(value: Counters): Counters;
  /** Unix milliseconds at which a sum that is made anew ends. */
  expiresAt(key: StoreKey): number;
}

function daysOf({ start, end }: Stretch): string[] {
  const days: string[] = [];
  for (let day = Math.floor(start / DAY_MS); day * DAY_MS < end; day++) {
    days.push(new Date(day * DAY_MS).toISOString().slice(0, 10));
  }
  return days;
}

/** Sums by hour, key, user, team and model. */
function rollupRule(rollupDays: number): SumRule {
  return {
    name: "usage",
    plugin: "usage",
    inOneStep: true,
    mustExist: true,
    partitions: (stretch) => daysOf(stretch).map((day) => `rollup/${day}`),
    stretchOf: ([, sort]) => {
      const start = Date.parse(`${JSON.parse(sort)[0]}:00:00Z`);
      return { start, end: start + HOUR_MS };
    },
    of: (record) => [rollupOf(record)],
    counted: (value) => value,
    expiresAt: ([partition]) => rollupEnd(partition.slice("rollup/".length), rollupDays),
  };
}

/** What was spent of budgets: of those only that a cap is or was in force for. */
const budgetRule: SumRule = {
  name: "budget",
  plugin: "budget",
  inOneStep: false,
  mustExist: false,
  partitions: ({ start, end }) => {
    const spans = daysOf({ start, end })
      .flatMap((day) => PERIODS.map((period) => spanOf(period, Date.parse(day)).name));
    return [...new Set(spans)];
  },
  stretchOf: ([partition]) => {
    const [day = "", period] = partition.split("/");
    return spanOf(PERIODS.find((one) => one === period) ?? "day", Date.parse(day));
  },
  of: ({ at, key_id, user, team, nano_usd }) => {
    const scopes = [
      `key ${key_id}`,
      ...(user === null ? [] : [`user ${user}`]),
      ...(team === null ? [] : [`team ${team}`]),
      "overall",
    ];
    return PERIODS.flatMap((period) => {
      const { name } = spanOf(period, Date.parse(at));
      return scopes.map((scope) => ({ key: [name, scope] as const, add: { spent: nano_usd } }));
    });
  },
  counted: ({ spent = 0 }) => ({ spent }),
  expiresAt: () => Infinity,
};

/** All of them. */
export function sumRules({ rollupDays }: { rollupDays: number }): readonly SumRule[] {
  return [rollupRule(rollupDays), budgetRule];
}
