/**
 * Hundreds of slow streams at once: what is lost, what is late, and what each costs.
 * @module
 */
import { readSlow } from "./load.ts";
import { percentile, ServerProcess } from "./processes.ts";
import { smallBody } from "./requests.ts";
import { SLOW_EVENTS, wallMs } from "./slow_upstream.ts";

/** What so many streams came to. */
export interface SlowResult {
  /** Streams at once. */
  readonly streams: number;
  /** Events that did not arrive. */
  readonly lost: number;
  /** Streams that were refused, or did not end as they should. */
  readonly broken: number;
  /** Microseconds of CPU time an event. */
  readonly cpuUs: number;
  /** Milliseconds from the upstream to this process. */
  readonly delayMs: { readonly p50: number; readonly p99: number };
  /** Kilobytes a stream. */
  readonly memoryKb: number;
}

/** A server to put under streams. */
export interface SlowTarget {
  /** Starts it. */
  readonly start: () => Promise<ServerProcess>;
  /** Path. */
  readonly path: string;
  /** Headers; the gateway tells its key first. */
  readonly headers: (server: ServerProcess) => Promise<Record<string, string>>;
}

/** Streams are opened over so many milliseconds, as clients come. */
const RAMP_MS = 2_000;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Measures a fresh server under so many streams. */
export async function slowStreams(target: SlowTarget, streams: number): Promise<SlowResult> {
  const server = await target.start();
  try {
    const headers = await target.headers(server);
    const shot = { url: server.url + target.path, body: smallBody("slow", true), headers };
    // Warm code, so that what is measured is streams.
    await Promise.all(Array.from({ length: 20 }, () => readSlow(shot, [], wallMs)));
    const [before, cpu] = [server.memory(), server.cpu()];
    const delays: number[] = [];
    const reading = Array.from({ length: streams }, async (_, index) => {
      await pause(RAMP_MS * index / streams);
      return await readSlow(shot, delays, wallMs);
    });
    await pause(RAMP_MS + 500);
    const samples: number[] = [];
    for (let turn = 0; turn < 10; turn++) {
      samples.push(server.memory());
      await pause(250);
    }
    const results = await Promise.all(reading);
    const events = results.reduce((sum, one) => sum + one.events, 0);
    return {
      streams,
      lost: streams * SLOW_EVENTS - events,
      broken: results.filter(({ whole }) => !whole).length,
      cpuUs: (server.cpu() - cpu) / Math.max(events, 1),
      delayMs: { p50: percentile(delays, 50), p99: percentile(delays, 99) },
      memoryKb: (percentile(samples, 50) - before) / streams / 1_024,
    };
  } finally {
    await server.stop();
  }
}
