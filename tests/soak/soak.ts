/**
 * The soak: a server in a process of its own, before a simulated Bedrock, under load from many keys with faults.
 * @module
 */
import { openKeys } from "../../src/cli/gateway.ts";
import { systemClock } from "../../src/clock.ts";
import { SIMULATOR_CREDENTIALS, startSimulator } from "../../src/simulator/simulator.ts";
import { openStore } from "../../src/storage/open.ts";
import type { Store } from "../../src/storage/store.ts";
import { command, Output } from "../cli/outcrop.ts";
import { look, type Sample, slope } from "./figures.ts";
import { load, Seen } from "./load.ts";

/** How a soak runs. */
export interface SoakOptions {
  /** Seconds of load. */
  readonly seconds: number;
  /** API keys. */
  readonly keys: number;
  /** Requests a second, at most. */
  readonly rate: number;
  /** Seed of all choices. */
  readonly seed: number;
  /** A folder for the server's files. */
  readonly folder: string;
  /** Seconds that Bedrock is waited for: a healthy answer takes far less on the busiest machine. */
  readonly patience: number;
  /** Told of the run, now and then. */
  readonly progress?: (line: string) => void;
}

/** What came of it. */
export interface SoakResult {
  readonly seconds: number;
  readonly keys: number;
  readonly seed: number;
  readonly requests: number;
  /** By what became of them. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Resident memory of the server: after the warm-up, at the end, and its growth by the minute. */
  readonly memory_mb: {
    readonly middle: number;
    readonly end: number;
    readonly per_minute: number;
  };
  /** Its open files: at the start, at most, after the load. */
  readonly files: { readonly start: number; readonly most: number; readonly end: number };
  /** Requests to Bedrock that are open after the load. */
  readonly open_upstreams: number;
  /** Answers of which no record was kept. */
  readonly lost: number;
  /** Records, or parts of sums, that stand for no request. */
  readonly doubled: number;
  /** Whole answers whose record tells other output tokens than the client saw. */
  readonly miscounted: number;
  /** Answers that must not be. */
  readonly wrong: readonly string[];
  /** Exit code of the server. */
  readonly exit: number;
}

/** The configuration of a soak's server. */
export function configOf(endpoint: string, patience: number): string {
  const phases = ["connect_s", "first_byte_s", "idle_s", "whole_s"];
  const deadlines = phases.map((name) => `${name}: ${patience}`).join(", ");
  return `listen: { port: 0 }
store: { use: deno_kv, path: soak.db }
aws: { endpoint: "${endpoint}" }
limits:
  retry_for_s: ${patience - 1}
  deadlines: { ${deadlines}, total_s: ${2 * patience} }
  drain_s: 20
models:
  aliases:
    converse: qwen.qwen3-32b-v1:0
    invoke: { model: claude-haiku-4-5, route: invoke }
    messages: { model: claude-haiku-4-5, route: messages }
    mantle: { model: claude-haiku-4-5, route: mantle }
    guarded: { model: claude-sonnet-4-5, route: invoke, fallback: [converse] }
plugins: [ { use: auth }, { use: rate_limit }, { use: usage } ]
`;
}

/** Numbers in [0, 1), the same for a seed. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

async function withStore<T>(folder: string, use: (store: Store) => Promise<T>): Promise<T> {
  const choice = { use: "deno_kv", path: `${folder}/soak.db` } as const;
  const store = await openStore(choice, { clock: systemClock });
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

function makeKeys(folder: string, count: number): Promise<string[]> {
  return withStore(folder, async (store) => {
    const keys = await openKeys(store, { clock: systemClock, env: () => undefined });
    const made: string[] = [];
    for (let at = 0; at < count; at++) made.push((await keys.create({ name: `soak ${at}` })).key);
    return made;
  });
}

interface Kept {
  /** Output tokens by the request's id, of what ended well. */
  readonly records: ReadonlyMap<string, { readonly tokens: number; readonly outcome: string }>;
  /** Requests in the sums. */
  readonly summed: number;
}

/** What the server left in its store. */
function readKept(folder: string, days: readonly string[]): Promise<Kept> {
  return withStore(folder, async (store) => {
    const records = new Map<string, { tokens: number; outcome: string }>();
    let summed = 0;
    for (const day of days) {
      const partition = `plugin.usage/records/${day}`;
      for await (const { key, value } of store.list<Record<string, unknown>>(partition)) {
        const id = key[1].split("/").at(-1) ?? "";
        records.set(id, { tokens: Number(value.output_tokens), outcome: String(value.outcome) });
      }
      for await (
        const { value } of store.list<Record<string, number>>(`plugin.usage/rollup/${day}`)
      ) summed += value.requests ?? 0;
    }
    return { records, summed };
  });
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}

async function settled(holds: () => boolean, seconds: number): Promise<boolean> {
  const deadline = performance.now() + seconds * 1_000;
  while (!holds()) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return true;
}

const SAMPLE_MS = 1_000;
const CONCURRENCY = 48;

/** Runs a soak. Linux only: what the server uses is read from /proc. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { seconds, folder, seed, rate, progress = () => {} } = options;
  const simulator = startSimulator({ seed });
  await Deno.writeTextFile(`${folder}/config.yaml`, configOf(simulator.url, options.patience));
  const keys = await makeKeys(folder, options.keys);
  const days = new Set([today()]);
  const server = command(["serve"], folder, {
    AWS_ACCESS_KEY_ID: SIMULATOR_CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: SIMULATOR_CREDENTIALS.secretAccessKey,
  }).spawn();
  const stdout = server.stdout.cancel();
  const told = new Output(server.stderr);
  const [, url = ""] = await told.next(/Listening on (http:\/\/127\.0\.0\.1:\d+)/);
  const rest = told.rest(); // read all along, or the server would wait for somebody to read its log
  const seen = new Seen();
  const start = performance.now();
  const samples: Sample[] = [];
  const sample = () => {
    samples.push(look(server.pid, (performance.now() - start) / 1_000));
    days.add(today());
    const last = samples.at(-1) as Sample;
    if (samples.length % 30 === 0) {
      progress(`${Math.round(last.at)} s: ${seen.sent} requests, ${Math.round(last.mb)} MB`);
    }
  };
  sample();
  const sampling = setInterval(sample, SAMPLE_MS);
  const until = systemClock.monotonic() + seconds * 1_000;
  const random = randomOf(seed);
  await load({ url, keys, random, rate, concurrency: CONCURRENCY, until }, seen);
  clearInterval(sampling);
  await settled(() => simulator.open === 0, 30);
  const open = simulator.open;
  const last = look(server.pid, (performance.now() - start) / 1_000);
  server.kill("SIGTERM");
  const { code } = await server.status;
  seen.wrong.push(...(await rest).split("\n").filter((line) => / err /.test(line)));
  await stdout;
  await simulator.close();
  days.add(today());
  const kept = await readKept(folder, [...days]);
  return { ...resultOf({ options, seen, samples, last, kept }), open_upstreams: open, exit: code };
}

interface Gathered {
  readonly options: SoakOptions;
  readonly seen: Seen;
  readonly samples: readonly Sample[];
  readonly last: Sample;
  readonly kept: Kept;
}

const round = (value: number) => Math.round(value * 100) / 100;

function resultOf(
  { options, seen, samples, last, kept }: Gathered,
): Omit<SoakResult, "open_upstreams" | "exit"> {
  const { records, summed } = kept;
  const lost = [...seen.answered.keys()].filter((id) => !records.has(id)).length;
  const unseen =
    [...records].filter(([id, { outcome }]) => !seen.answered.has(id) && outcome !== "rejected")
      .length;
  const miscounted =
    [...seen.answered].filter(([id, tokens]) =>
      tokens !== undefined && records.get(id)?.tokens !== tokens
    ).length;
  const middle = samples[Math.floor(samples.length / 2)] ?? last;
  return {
    seconds: options.seconds,
    keys: options.keys,
    seed: options.seed,
    requests: seen.sent,
    outcomes: Object.fromEntries([...seen.outcomes].sort()),
    memory_mb: {
      middle: round(middle.mb),
      end: round(last.mb),
      per_minute: round(slope(samples, ({ mb }) => mb)),
    },
    files: {
      start: samples[0]?.files ?? 0,
      most: Math.max(...samples.map(({ files }) => files)),
      end: last.files,
    },
    lost,
    doubled: Math.max(0, unseen - seen.left) + Math.abs(summed - records.size),
    miscounted,
    wrong: seen.wrong.slice(0, 20),
  };
}
