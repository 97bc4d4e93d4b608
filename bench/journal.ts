/**
 * What the journal costs a request: CPU time of noting a posting, of bringing it to a store that costs nothing, and
 * how long the end of an answer waits for it. A posting is a record, its sum, and what a budget spends.
 *
 * `deno run -A bench/journal.ts` prints a table.
 * @module
 */
import process from "node:process";
import { systemClock } from "../src/clock.ts";
import { JournalLedger } from "../src/ledger/journal_ledger.ts";
import type { Log } from "../src/log.ts";
import { table } from "../src/cli/terminal.ts";
import { openMemoryStore } from "../src/storage/memory.ts";
import type { Store } from "../src/storage/store.ts";
import { postingOf } from "./posting.ts";

/** What was measured of so many requests that end at the same time. */
export interface JournalCost {
  /** Requests that end at the same time. */
  readonly together: number;
  /** CPU microseconds a request until it is noted: this thread's, and those of the disk's. */
  readonly note_us: number;
  /** CPU microseconds a request from its note to the store, which takes batches and does nothing. */
  readonly post_us: number;
  /** Median microseconds that an answer's end waits. */
  readonly wait_us: number;
  /** Bytes a request in the journal. */
  readonly bytes: number;
}

const silent: Log = {
  debug: () => {},
  info: () => {},
  warning: () => {},
  error: () => {},
  with: () => silent,
};

/** A store that takes batches when it may, and does nothing with them. */
function idleStore(): { store: Store; open: () => void } {
  const inner = openMemoryStore({ clock: systemClock });
  const gate = Promise.withResolvers<void>();
  const store: Store = Object.create(inner, {
    apply: { value: () => gate.promise.then(() => true) },
  });
  return { store, open: gate.resolve };
}

function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Measures with so many requests that end at the same time. */
export async function journalCost(
  together: number,
  requests: number = 20_000,
): Promise<JournalCost> {
  const path = await Deno.makeTempDir();
  const { store, open } = idleStore();
  const ledger = await JournalLedger.open({ path, store, clock: systemClock, log: silent });
  const postings = Array.from({ length: requests }, (_, n) => postingOf(n));
  const waits: number[] = [];
  const started = cpuUs();
  for (let at = 0; at < requests; at += together) {
    const before = performance.now();
    await Promise.all(postings.slice(at, at + together).map((writes) => ledger.post(writes)));
    waits.push(performance.now() - before);
  }
  const noted = cpuUs();
  const bytes = [...Deno.readDirSync(path)]
    .reduce((sum, { name }) => sum + Deno.statSync(`${path}/${name}`).size, 0);
  open();
  await ledger.settled();
  const posted = cpuUs();
  await ledger.close();
  await Deno.remove(path, { recursive: true });
  const median = waits.sort((a, b) => a - b)[Math.floor(waits.length / 2)] ?? 0;
  return {
    together,
    note_us: Number(((noted - started) / requests).toFixed(1)),
    post_us: Number(((posted - noted) / requests).toFixed(1)),
    wait_us: Math.round(median * 1_000),
    bytes: Math.round(bytes / requests),
  };
}

if (import.meta.main) {
  await journalCost(16); // warms up
  const rows = [];
  for (const together of [1, 4, 16]) rows.push({ ...await journalCost(together) });
  Deno.stdout.writeSync(new TextEncoder().encode(`${table(rows)}\n`));
  Deno.exit();
}
