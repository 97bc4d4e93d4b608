/**
 * Ledgers on folders of their own, and images of those folders: what is on disk at a moment is what a `kill -9` at
 * that moment leaves.
 * @module
 */
import assert from "node:assert/strict";
import { JournalLedger } from "../../src/ledger/journal_ledger.ts";
import type { Log, LogFields } from "../../src/log.ts";
import type { Store, StoreWrite } from "../../src/storage/store.ts";
import { FakeClock } from "../fake_clock.ts";
import { FlakyStore } from "./flaky_store.ts";

/** One line of a log. */
export interface ToldLine {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields;
}

/** A log that is kept: each bench has its own, so that several can run at the same time. */
function keptLog(lines: ToldLine[]): Log {
  const at = (level: string) => (message: string, fields: LogFields = {}) => {
    lines.push({ level, message, fields });
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warning: at("warning"),
    error: at("error"),
    with: () => keptLog(lines),
  };
}

/** What a test of ledgers works with. */
export class LedgerBench {
  readonly clock = new FakeClock();
  readonly store: FlakyStore = new FlakyStore(this.clock);
  readonly log: ToldLine[] = [];
  readonly #root: string = Deno.makeTempDirSync();
  readonly #ledgers: JournalLedger[] = [];
  #folders = 0;

  /** A folder that is not there yet. */
  folder(): string {
    return `${this.#root}/${++this.#folders}`;
  }

  async open(
    path: string,
    { store = this.store.view().store, mostBytes }: { store?: Store; mostBytes?: number } = {},
  ): Promise<JournalLedger> {
    const ledger = await JournalLedger.open({
      path,
      store,
      clock: this.clock,
      log: keptLog(this.log),
      ...(mostBytes === undefined ? {} : { mostBytes }),
    });
    this.#ledgers.push(ledger);
    return ledger;
  }

  /** What a kill at this moment leaves of a folder. */
  image(path: string): string {
    const image = this.folder();
    Deno.mkdirSync(image);
    for (const { name } of Deno.readDirSync(path)) {
      if (name.endsWith(".journal")) Deno.copyFileSync(`${path}/${name}`, `${image}/${name}`);
    }
    return image;
  }

  /** Messages of the log, at this level. */
  told(level: string): string[] {
    return this.log.filter((line) => line.level === level).map(({ message }) => message);
  }

  async close(): Promise<void> {
    this.store.mood = "up";
    let closed = false;
    const closing = Promise.all(this.#ledgers.map((ledger) => ledger.close()))
      .finally(() => closed = true);
    closing.catch(() => undefined); // told below
    await until(() => closed, { clock: this.clock, ms: 500 }); // of a store that hangs, by the ledger's own deadline
    await closing;
    Deno.removeSync(this.#root, { recursive: true });
  }
}

/** Runs `test` with a bench, and closes all that it opened. */
export async function withLedgers(test: (bench: LedgerBench) => Promise<void>): Promise<void> {
  const bench = new LedgerBench();
  try {
    await test(bench);
  } finally {
    await bench.close();
  }
}

/** Files of segments in a folder. */
export function segmentsIn(path: string): string[] {
  return [...Deno.readDirSync(path)].map(({ name }) => name)
    .filter((name) => name.endsWith(".journal")).sort();
}

/** A record, and a sum that it belongs to. */
export function posting(id: string, sum: string = "a", value: unknown = id): StoreWrite[] {
  return [{ key: ["records", id], put: value }, { key: ["sums", sum], add: { n: 1 } }];
}

/** Waits until `holds`, moving the clock by `ms` at each turn; fails after ten real seconds. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  { clock, ms = 0 }: { clock?: FakeClock; ms?: number } = {},
): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!await holds()) {
    assert.ok(Date.now() < deadline, `waited too long: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
    clock?.advance(ms);
  }
}
