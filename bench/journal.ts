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
import type { Store, StoreWrite } from "../src/storage/store.ts";

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

/** What the plugins `usage` and `budget` leave of a request. */
function writesOf(n: number): StoreWrite[] {
  const at = new Date(Date.UTC(2026, 10, 23) + n).toISOString();
  const id = `req_${String(n).padStart(24, "0")}`;
  const record = {
    id,
    at,
    key_id: "key_7f3k2m9x1c",
    key_name: "laptop",
    user: "ann",
    team: "platform",
    model: "claude-sonnet-4-5",
    model_id: "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
    base_model: "anthropic.claude-sonnet-4-5-20250929-v1:0",
    route: "invoke",
    tier: "default",
    region: "us-east-1",
    input_tokens: 1_234 + n,
    output_tokens: 567,
    cache_read_input_tokens: 89_012,
    cache_write_5m_tokens: 345,
    cache_write_1h_tokens: 0,
    nano_usd: 12_345_678,
    listed: true,
    estimated: false,
    total_ms: 4_321,
    first_byte_ms: 321,
    stop_reason: "end_turn",
    outcome: "ok",
    status: 200,
    error_type: null,
    user_agent: "claude-cli/2.1.197 (external, cli)",
    session_id: "01234567-89ab-cdef-0123-456789abcdef",
    agent_id: null,
    bedrock_request_id: "01234567-89ab-cdef-0123-456789abcdef",
  };
  const sort = JSON.stringify([at.slice(0, 13), record.key_id, "ann", "platform", record.model]);
  const counters = {
    requests: 1,
    input_tokens: 1_234 + n,
    output_tokens: 567,
    nano_usd: 12_345_678,
  };
  return [
    { key: ["plugin.usage/rollup/2026-11-23", sort], add: counters, expiresAt: 1_900_000_000_000 },
    {
      key: ["plugin.usage/records/2026-11-23", `${at}/${id}`],
      put: record,
      expiresAt: 1_800_000_000_000,
    },
    {
      key: ["plugin.budget/2026-11-23/day", record.key_id],
      add: { spent: 12_345_678, "held/0f9c2b7e-51d4": -12_345_678 },
    },
  ];
}

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
  const postings = Array.from({ length: requests }, (_, n) => writesOf(n));
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
