/**
 * What a soak's figures say.
 * @module
 */
import type { HourResult } from "./hour.ts";
import type { SoakResult } from "./soak.ts";

/** MB by the minute that are no leak: the heap breathes, and the store's cache fills. */
const MOST_GROWTH = 2;
/** Connections that are kept open for the next request, and what the runtime opens by the way. */
const MOST_KEPT = 300;

/** The figures, for people. */
export function told(result: SoakResult): string {
  const { memory_mb, files, outcomes } = result;
  const ended = Object.entries(outcomes).map(([name, count]) => `${name} ${count}`).join(", ");
  return [
    `requests         ${result.requests} in ${result.seconds} s from ${result.keys} keys: ${ended}`,
    `memory           ${memory_mb.middle} MB half way, ${memory_mb.end} MB at the end, ${memory_mb.per_minute} MB a minute`,
    `files            ${files.start} at the start, ${files.most} at most, ${files.end} after the load`,
    `open upstreams   ${result.open_upstreams}`,
    `usage            lost ${result.lost}, doubled ${result.doubled}, miscounted ${result.miscounted}`,
    `exit code        ${result.exit}`,
    ...result.wrong.map((line) => `wrong            ${line}`),
  ].join("\n");
}

/** What is not as it must be; memory only where the run was long enough to tell. */
export function failures(result: SoakResult, { memory }: { memory: boolean }): string[] {
  const { memory_mb, files } = result;
  const checks: readonly (readonly [string, boolean])[] = [
    ["nothing of usage is lost", result.lost === 0],
    ["nothing of usage is doubled", result.doubled === 0],
    ["usage is what clients saw", result.miscounted === 0],
    ["no upstream is left open", result.open_upstreams === 0],
    ["files are given back", files.end - files.start <= MOST_KEPT],
    ["the server ends well", result.exit === 0],
    ["every answer may be", result.wrong.length === 0],
    ["memory is flat", !memory || memory_mb.per_minute <= MOST_GROWTH],
  ];
  return checks.filter(([, holds]) => !holds).map(([name]) => name);
}

/** The figures of a compressed hour, for people. */
export function hourTold(result: HourResult): string {
  const { heap_kb, minutes, requests, bytes_per_request, timers, open_upstreams } = result;
  const middle = heap_kb[Math.floor(heap_kb.length / 2)];
  return [
    `compressed       ${requests} requests in ${minutes} minutes of the simulator's`,
    `heap             ${middle} KB half way, ${
      heap_kb.at(-1)
    } KB at the end: ${bytes_per_request} bytes a request`,
    `left             ${timers} timers, ${open_upstreams} open upstreams`,
  ].join("\n");
}

/** What of it is not as it must be. `bytes`: of the heap that a request may keep, which is what the figures blur. */
export function hourFailures(result: HourResult, { bytes }: { bytes: number }): string[] {
  const checks: readonly (readonly [string, boolean])[] = [
    ["memory is flat", result.bytes_per_request <= bytes],
    ["no timer is left", result.timers === 0],
    ["no upstream is left open", result.open_upstreams === 0],
    ["most are served", (result.outcomes.whole ?? 0) > result.requests / 2],
  ];
  return checks.filter(([, holds]) => !holds).map(([name]) => name);
}
