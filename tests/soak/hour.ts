/**
 * An hour's worth of load, compressed: gateway, Bedrock and clients go by one clock, that is moved on as fast as they
 * can follow. After each minute, when nothing is under way, the heap is collected and looked at: what has grown is
 * kept for good.
 * @module
 */
import v8 from "node:v8";
import vm from "node:vm";
import { openGateway } from "../../src/cli/gateway.ts";
import { parseConfig } from "../../src/config/load.ts";
import { openLog } from "../../src/log.ts";
import { startServer } from "../../src/server/server.ts";
import { SIMULATOR_CREDENTIALS, startSimulator } from "../../src/simulator/simulator.ts";
import { openStore } from "../../src/storage/open.ts";
import { FakeClock } from "../fake_clock.ts";
import { settled } from "../wait.ts";
import { slope } from "./figures.ts";
import { load, Seen } from "./load.ts";
import { configOf, randomOf } from "./soak.ts";

/** How an hour goes. */
export interface HourOptions {
  /** Minutes of it. */
  readonly minutes: number;
  /** Requests a minute. */
  readonly perMinute: number;
  /** API keys. */
  readonly keys: number;
  /** Seed of all choices. */
  readonly seed: number;
  /** A folder for the store. */
  readonly folder: string;
}

/** What came of it. */
export interface HourResult {
  readonly minutes: number;
  readonly seed: number;
  readonly requests: number;
  /** By what became of them. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** The heap after each minute, in KB. */
  readonly heap_kb: readonly number[];
  /** Its growth in the second half, in bytes a request. */
  readonly bytes_per_request: number;
  /** Timers that are left beside those of a gateway that rests. */
  readonly timers: number;
  /** Requests to Bedrock that are left open. */
  readonly open_upstreams: number;
}

/** Milliseconds of the clock for each turn of the event loop that waits for the machine's. */
const STEP_MS = 200;
/** Clients; some of them wait through their deadlines. */
const CLIENTS = 120;
/** Seconds of the clock that Bedrock is waited for: a sixth of a second of the machine's. */
const PATIENCE_S = 30;
const MINUTE_MS = 60_000;

/** Collects the heap. */
function collector(): () => void {
  v8.setFlagsFromString("--expose-gc");
  return vm.runInNewContext("gc");
}

/** Moves the clock on until something is done. */
async function passUntil(done: Promise<unknown>, clock: FakeClock): Promise<void> {
  let over = false;
  const end = () => void (over = true);
  done.then(end, end);
  while (!over) {
    clock.advance(STEP_MS);
    await new Promise((resolve) => setTimeout(resolve));
  }
  await done;
}

/** Runs it. */
export async function hour(options: HourOptions): Promise<HourResult> {
  const { minutes, perMinute, seed, folder } = options;
  const collect = collector();
  const clock = new FakeClock(Date.now());
  const simulator = startSimulator({ seed, clock });
  const path = `${folder}/soak.db`;
  const env = () => undefined;
  const gateway = await openGateway({
    loaded: parseConfig(configOf(simulator.url, PATIENCE_S), {
      file: `${folder}/config.yaml`,
      env,
    }),
    clock,
    env,
    log: openLog({ level: "info", format: "json", write: () => {} }),
    store: await openStore({ use: "deno_kv", path }, { clock }),
    provider: () => Promise.resolve(SIMULATOR_CREDENTIALS),
  });
  const server = startServer(gateway, { hostname: "127.0.0.1", port: 0 });
  const keys: string[] = [];
  for (let at = 0; at < options.keys; at++) {
    keys.push((await gateway.keys.create({ name: `hour ${at}` })).key);
  }
  const seen = new Seen();
  const random = randomOf(seed);
  const heap: number[] = [];
  const resting = clock.pending;
  const { admission, background } = gateway.services;
  for (let minute = 0; minute < minutes; minute++) {
    const until = clock.monotonic() + MINUTE_MS;
    const rate = perMinute / 60;
    const { url } = server;
    const asked = load({ url, keys, random, rate, concurrency: CLIENTS, until, clock }, seen);
    await passUntil(asked, clock);
    await settled(() => simulator.open === 0 && admission.inFlight === 0 && background.size === 0);
    seen.answered.clear(); // the client's own
    simulator.reset();
    collect();
    heap.push(Deno.memoryUsage().heapUsed / 1_024);
  }
  const timers = clock.pending - resting;
  const open_upstreams = simulator.open;
  await server.stop();
  await gateway.close();
  await simulator.close();
  const samples = heap.map((kb, at) => ({ at: at * 60, mb: kb / 1_024, files: 0 }));
  return {
    minutes,
    seed,
    requests: seen.sent,
    outcomes: Object.fromEntries([...seen.outcomes].sort()),
    heap_kb: heap.map(Math.round),
    bytes_per_request: Math.round(slope(samples, ({ mb }) => mb) * 1_048_576 / perMinute),
    timers,
    open_upstreams,
  };
}
