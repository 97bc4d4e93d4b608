/**
 * Figures that stand alone: first byte, memory of a large request, what checks cost, calls of the store.
 * @module
 */
import { firstByte, load, type Shot } from "./load.ts";
import { median, percentile, ServerProcess } from "./processes.ts";
import { CLAUDE_CODE_BETAS, claudeCodeBody, smallBody } from "./requests.ts";
import { CONNECTIONS, type MeasureOptions } from "./scenarios.ts";

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Milliseconds that the first byte comes later than through the raw hop, at low load; both have served `warmth`
 * requests before, as a server in use has.
 */
export async function firstByteAdded(
  hop: Shot,
  ours: Shot,
  { times, warmth }: { readonly times: number; readonly warmth: number },
): Promise<{ p50: number; p99: number }> {
  const [hops, gateways]: [number[], number[]] = [[], []];
  for (const shot of [hop, ours]) await load(shot, warmth, CONNECTIONS);
  for (let turn = 0; turn < times + 20; turn++) {
    const ms = [await firstByte(hop), (await pause(10), await firstByte(ours))] as const;
    await pause(10);
    if (turn < 20) continue; // warms up
    hops.push(ms[0]);
    gateways.push(ms[1]);
  }
  const added = (percent: number) => percentile(gateways, percent) - percentile(hops, percent);
  return { p50: added(50), p99: added(99) };
}

const BODY = 1_000_000;
const HELD = 24;

/** The most memory that a large request takes, in sizes of its body: many are held open at the same time. */
export async function peakMemory(
  start: () => Promise<ServerProcess>,
  shotOf: (server: ServerProcess, body: string) => Promise<Shot>,
): Promise<number> {
  const server = await start();
  try {
    const body = claudeCodeBody("stalled", BODY);
    const shot = await shotOf(server, body);
    const small = await shotOf(server, smallBody("claude-haiku-4-5", true));
    await load(small, 500, CONNECTIONS);
    const before = server.memory();
    server.resetPeak();
    const abort = new AbortController();
    const held = Array.from(
      { length: HELD },
      () =>
        fetch(shot.url, {
          method: "POST",
          body,
          headers: { ...shot.headers, "anthropic-beta": CLAUDE_CODE_BETAS },
          signal: abort.signal,
        }),
    );
    await pause(2_500);
    const peak = server.memory("VmHWM");
    abort.abort();
    await Promise.allSettled(held); // left, as they were told to
    return (peak - before) / HELD / body.length;
  } finally {
    await server.stop();
  }
}

/** What checks cost. */
export interface ChecksResult {
  /** Microseconds of CPU time a request, without plugins. */
  readonly noneUs: number;
  /** With auth and usage. */
  readonly offUs: number;
  /** With limits and a budget too, that are set but never reached. */
  readonly onUs: number;
  /** Calls of the store a request, in the steady state. */
  readonly storeCalls: number;
  /** The same a second: they go by time. */
  readonly callsPerSecond: number;
}

/** A gateway, and what is sent to it. */
export interface Candidate {
  /** The gateway. */
  readonly server: ServerProcess;
  /** The request. */
  readonly shot: Shot;
}

/** Measures small requests without plugins, without checks and with them, alternated; counts the store's calls. */
export async function checksCost(
  gateways: { readonly none: Candidate; readonly off: Candidate; readonly on: Candidate },
  { rounds, warmth }: MeasureOptions,
): Promise<ChecksResult> {
  const requests = 2_000;
  const us = { none: [] as number[], off: [] as number[], on: [] as number[] };
  let calls = 0;
  let seconds = 0;
  for (const { shot } of Object.values(gateways)) await load(shot, warmth * requests, CONNECTIONS);
  for (let round = 0; round < rounds; round++) {
    for (const [name, { server, shot }] of Object.entries(gateways)) {
      const [cpu, before] = [server.cpu(), Number(await server.ask())];
      const loaded = await load(shot, requests, CONNECTIONS);
      us[name as keyof typeof us].push((server.cpu() - cpu) / requests);
      if (name !== "on") continue;
      calls += Number(await server.ask()) - before;
      seconds += loaded.seconds;
    }
  }
  return {
    noneUs: median(us.none),
    offUs: median(us.off),
    onUs: median(us.on),
    storeCalls: calls / requests / rounds,
    callsPerSecond: calls / seconds,
  };
}
