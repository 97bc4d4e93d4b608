/**
 * From the command to the first answer of `/health`, and what an idle server holds: `outcrop serve` from source.
 * @module
 */
import { load, type Shot } from "./load.ts";
import { freePort, median, ServerProcess, until } from "./processes.ts";

const MAIN = new URL("../src/main.ts", import.meta.url).pathname;
const ENV = { AWS_ACCESS_KEY_ID: "AKIDBENCH", AWS_SECRET_ACCESS_KEY: "bench" };

/** Starts `outcrop serve` by the command line. */
export async function serve(
  config: string,
): Promise<{ server: ServerProcess; folder: string }> {
  const folder = await Deno.makeTempDir();
  const port = freePort();
  await Deno.writeTextFile(`${folder}/config.yaml`, config);
  const args = [MAIN, "serve", "--config", `${folder}/config.yaml`, "--port", String(port)];
  return { server: ServerProcess.spawn(args, { port, env: ENV, quiet: true }), folder };
}

async function healthy(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/health`);
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    return false; // not yet
  }
}

/** Starts of the server, and its memory when idle. */
export interface StartResult {
  /** Milliseconds to `/health`. */
  readonly startMs: number;
  /** Megabytes, idle. */
  readonly idleMb: number;
}

/** Measures starts: medians. */
export async function starts(times: number): Promise<StartResult> {
  const ms: number[] = [];
  const memory: number[] = [];
  for (let turn = 0; turn <= times; turn++) {
    const from = performance.now();
    const { server, folder } = await serve("aws: { endpoint: 'http://127.0.0.1:9' }\n");
    await until(() => healthy(server.url), "/health", 2);
    const took = performance.now() - from;
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    if (turn > 0) { // the first one warms the module cache
      ms.push(took);
      memory.push(server.memory() / 1_048_576);
    }
    await server.stop();
    await Deno.remove(folder, { recursive: true });
  }
  return { startMs: median(ms), idleMb: median(memory) };
}

/** What `outcrop serve` does with so many workers. */
export interface Throughput {
  /** Requests a second, where load and upstream have the same cores to share. */
  readonly perSecond: number;
  /** Microseconds of CPU time a request: what workers would do that each have a core is known by it. */
  readonly cpuUs: number;
}

/** Measures `outcrop serve` with so many workers, without a key. */
export async function throughput(
  upstream: string,
  workers: number,
  shotOf: (url: string) => Shot,
): Promise<Throughput> {
  const { server, folder } = await serve(
    `listen: { workers: ${workers} }\naws: { endpoint: '${upstream}' }\nplugins: []\n`,
  );
  try {
    await until(() => healthy(server.url), "/health");
    const shot = shotOf(server.url);
    await load(shot, workers * 20_000, 32);
    const cpu = server.cpu();
    const { seconds } = await load(shot, 6_000, 32);
    return { perSecond: 6_000 / seconds, cpuUs: (server.cpu() - cpu) / 6_000 };
  } finally {
    await server.stop();
    await Deno.remove(folder, { recursive: true });
  }
}
