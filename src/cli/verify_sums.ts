/**
 * Compares sums with the records that they are made of, and makes them again where they differ.
 *
 * Servers may run meanwhile. A sum that changes while it is looked at is looked at again; one that reaches the store
 * in another step than its records counts as different when the difference is the same some seconds later. Nothing is
 * written over what has changed since it was read.
 * @module
 */
import { type CountedRecord, recordPartition } from "../../plugins/usage.ts";
import { DROPPED_PARTITION } from "../ledger/overflow.ts";
import { pluginPrefix, prefixedStore } from "../storage/prefixed.ts";
import type { Entry, Store, StoreKey } from "../storage/store.ts";
import type { Counters, Stretch, SumRule } from "./sum_rules.ts";

const DAY_MS = 86_400_000;
/** Looks at sums that change while they are looked at. */
const MOST_LOOKS = 5;

/** A sum that is not what the records say. */
export interface Difference {
  /** Which kind of sum. */
  readonly rule: SumRule;
  /** Where it is, in its plugin's part of the store. */
  readonly key: StoreKey;
  /** What is stored; undefined if nothing is. */
  readonly entry: Entry<Counters> | undefined;
  /** What it should be. */
  readonly recorded: Counters;
}

/** What a comparison came to. */
export interface Verified {
  /** Sums that were compared. */
  readonly judged: number;
  /** Those that differ. */
  readonly differences: readonly Difference[];
  /** Those that changed whenever they were looked at. */
  readonly changing: number;
  /** Records that were dropped as a journal was full, by day: sums above the records are right then. */
  readonly dropped: ReadonlyMap<string, number>;
}

/** What is compared. */
export interface VerifyOptions {
  /** The kinds of sums. */
  readonly rules: readonly SumRule[];
  /** Sums of this stretch, as far as they lie in it or reach into it. */
  readonly stretch: Stretch;
  /** Unix milliseconds from which on all records are there. */
  readonly recordedSince: number;
  /** Partitions of a day's records. @default 1 */
  readonly recordPartitions?: number | undefined;
  /** Waits some seconds. */
  readonly pause: () => Promise<void>;
}

interface Sum {
  readonly rule: SumRule;
  readonly key: StoreKey;
  readonly entry: Entry<Counters> | undefined;
  readonly recorded: Record<string, number>;
}

type Sums = Map<string, Sum>;

function nameOf(rule: SumRule, [partition, sort]: StoreKey): string {
  return `${rule.name}\n${partition}\n${sort}`;
}

class Verification {
  readonly #store: Store;
  readonly #options: VerifyOptions;
  readonly dropped = new Map<string, number>();

  constructor(store: Store, options: VerifyOptions) {
    this.#store = store;
    this.#options = options;
  }

  async readDropped(): Promise<void> {
    const prefix = `${pluginPrefix("usage")}records/`;
    for await (
      const { key, value } of this.#store.list<{ n: number }>(DROPPED_PARTITION, { prefix })
    ) {
      const day = key[1].slice(prefix.length).split("/", 1)[0] ?? "";
      this.dropped.set(day, value.n + (this.dropped.get(day) ?? 0));
    }
  }

  /** The sums that can be judged and that `wanted` names, with what is stored and recorded of each. */
  async look(wanted?: ReadonlySet<string>): Promise<{ sums: Sums; changed: Set<string> }> {
    const sums: Sums = new Map();
    for await (const [name, rule, entry] of this.#stored()) {
      if (wanted !== undefined && !wanted.has(name)) continue;
      sums.set(name, { rule, key: entry.key, entry, recorded: {} });
    }
    await this.#addRecords(sums, wanted);
    const changed = new Set<string>();
    const seen = new Set<string>();
    for await (const [name, , { version }] of this.#stored()) {
      if (wanted !== undefined && !wanted.has(name)) continue;
      seen.add(name);
      if (sums.get(name)?.entry?.version !== version) changed.add(name);
    }
    for (const [name, { entry }] of sums) {
      if (entry !== undefined && !seen.has(name)) changed.add(name);
    }
    return { sums, changed };
  }

  differs(sum: Sum): boolean {
    const { rule, entry, recorded } = sum;
    if (entry === undefined && !rule.mustExist) return false;
    const stored = rule.counted(entry?.value ?? {});
    const names = new Set([...Object.keys(stored), ...Object.keys(recorded)]);
    const onlyLess = this.droppedIn(rule.stretchOf(sum.key)) > 0;
    return [...names].some((name) => {
      const over = (stored[name] ?? 0) - (recorded[name] ?? 0);
      return onlyLess ? over < 0 : over !== 0;
    });
  }

  /** Records that were dropped of a stretch. */
  droppedIn({ start, end }: Stretch): number {
    let n = 0;
    for (const [day, count] of this.dropped) {
      const from = Date.parse(day);
      if (from < end && from + DAY_MS > start) n += count;
    }
    return n;
  }

  #judgeable({ start, end }: Stretch): boolean {
    const { stretch, recordedSince } = this.#options;
    return start >= recordedSince && end > stretch.start && start < stretch.end;
  }

  async *#stored(): AsyncGenerator<[string, SumRule, Entry<Counters>]> {
    for (const rule of this.#options.rules) {
      const part = prefixedStore(this.#store, rule.plugin);
      for (const partition of rule.partitions(this.#options.stretch)) {
        for await (const entry of part.list<Counters>(partition)) {
          if (!this.#judgeable(rule.stretchOf(entry.key))) continue;
          yield [nameOf(rule, entry.key), rule, entry];
        }
      }
    }
  }

  /** Adds up the records of all the time that the sums count. */
  async #addRecords(sums: Sums, wanted: ReadonlySet<string> | undefined): Promise<void> {
    const { stretch, recordedSince, rules, recordPartitions = 1 } = this.#options;
    const starts = [...sums.values()].map(({ rule, key }) => rule.stretchOf(key).start);
    const first = starts.reduce(
      (a, b) => Math.min(a, b),
      wanted === undefined ? stretch.start : Infinity,
    );
    const start = Math.max(first, recordedSince);
    const usage = prefixedStore(this.#store, "usage");
    const from = start === Infinity ? "" : new Date(start).toISOString();
    for (let day = Math.floor(start / DAY_MS); day * DAY_MS < stretch.end; day++) {
      const date = new Date(day * DAY_MS).toISOString().slice(0, 10);
      for (let part = 0; part < recordPartitions; part++) {
        const records = usage.list<CountedRecord>(recordPartition(date, part), { from });
        for await (const { value } of records) {
          for (const rule of rules) this.#addRecord(rule, value, { sums, wanted });
        }
      }
    }
  }

  #addRecord(
    rule: SumRule,
    record: CountedRecord,
    { sums, wanted }: { sums: Sums; wanted: ReadonlySet<string> | undefined },
  ): void {
    for (const { key, add } of rule.of(record)) {
      const name = nameOf(rule, key);
      let sum = sums.get(name);
      if (sum === undefined) {
        const missing = rule.mustExist && wanted?.has(name) !== false;
        if (!missing || !this.#judgeable(rule.stretchOf(key))) continue;
        sums.set(name, sum = { rule, key, entry: undefined, recorded: {} });
      }
      for (const [counter, n] of Object.entries(add)) {
        sum.recorded[counter] = (sum.recorded[counter] ?? 0) + n;
      }
    }
  }
}

/** Compares. */
export async function verifySums(store: Store, options: VerifyOptions): Promise<Verified> {
  const verification = new Verification(store, options);
  await verification.readDropped();
  const first = await verification.look();
  const judged = first.sums.size;
  const differences = new Map<string, Sum>();
  const late = new Set<string>();
  let { sums, changed } = first;
  for (let look = 1;; look++) {
    for (const [name, sum] of sums) {
      if (!sum.rule.inOneStep) {
        if (look === 1 && verification.differs(sum)) late.add(name);
        changed.delete(name);
      } else if (!changed.has(name) && verification.differs(sum)) differences.set(name, sum);
    }
    if (changed.size === 0 || look === MOST_LOOKS) break;
    ({ sums, changed } = await verification.look(changed));
  }
  if (late.size > 0) {
    await options.pause();
    const again = await verification.look(late);
    for (const [name, sum] of again.sums) {
      if (verification.differs(sum) && sameDifference(sum, first.sums.get(name))) {
        differences.set(name, sum);
      }
    }
  }
  return {
    judged,
    differences: [...differences.values()],
    changing: changed.size,
    dropped: verification.dropped,
  };
}

function sameDifference(a: Sum, b: Sum | undefined): boolean {
  const of = ({ rule, entry, recorded }: Sum) => {
    const stored = rule.counted(entry?.value ?? {});
    return Object.keys(stored).map((name) => (stored[name] ?? 0) - (recorded[name] ?? 0)).join();
  };
  return b !== undefined && of(a) === of(b);
}

/**
 * Makes a sum again: what it counts of records is set to what they say, the rest stays. Where records were dropped,
 * nothing is made less.
 *
 * @returns Whether it was written; false where it has changed since it was read
 */
export async function fixSum(
  store: Store,
  { rule, key, entry, recorded }: Difference,
  dropped: boolean,
): Promise<boolean> {
  const stored: Counters = entry?.value ?? {};
  const value: Record<string, number> = { ...stored };
  for (const name of new Set([...Object.keys(rule.counted(stored)), ...Object.keys(recorded)])) {
    const should = recorded[name] ?? 0;
    value[name] = dropped ? Math.max(should, stored[name] ?? 0) : should;
  }
  const expiresAt = entry === undefined ? rule.expiresAt(key) : entry.expiresAt;
  const written = await prefixedStore(store, rule.plugin).put(key, value, {
    when: entry === undefined ? "absent" : { version: entry.version },
    ...(expiresAt === undefined ? {} : { expiresAt }),
  });
  return written !== undefined;
}

/** Whether records of the time that a sum counts were dropped. */
export function isThinned({ rule, key }: Difference, { dropped }: Verified): boolean {
  const { start, end } = rule.stretchOf(key);
  return [...dropped.keys()].some((day) =>
    Date.parse(day) < end && Date.parse(day) + DAY_MS > start
  );
}
