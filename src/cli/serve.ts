/**
 * `outcrop serve`.
 * @module
 */
import { Command, InvalidArgumentError } from "commander";
import { systemClock } from "../clock.ts";
import type { LoadedConfig } from "../config/load.ts";
import { type Log, openLog } from "../log.ts";
import { FaultCounts } from "../server/fault_counts.ts";
import { WorkerGroup } from "../server/workers.ts";
import { CommandFailure } from "./failure.ts";
import { type ConfigOption, loadConfigOption, withConfigOption } from "./config_option.ts";
import { interrupted } from "./interrupted.ts";
import { listenFailure } from "./listen_failure.ts";
import type { WorkerStart } from "./serve_worker.ts";
import {
  type Listen,
  openServing,
  type Serving,
  type StartFacts,
  STOP_BEYOND_DRAIN_S,
} from "./serving.ts";
import { watchConfig } from "./watch_config.ts";

interface ServeOptions extends ConfigOption {
  host?: string;
  port?: number;
}

/** Parses a port. @throws {InvalidArgumentError} If it is none */
export function parsePort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new InvalidArgumentError("a port is a whole number from 0 (any free one) to 65535.");
}

/** The `serve` command. */
export function serveCommand(): Command {
  const command = new Command("serve")
    .description("Serve with a configuration file until stopped.")
    .option("--host <host>", "address to listen on, instead of listen.host")
    .option("--port <port>", "port to listen on, instead of listen.port", parsePort)
    .addHelpText("after", "\nExample:\n  outcrop serve --config config.yaml --port 8000\n")
    .action(serve);
  return withConfigOption(command);
}

async function serve(options: ServeOptions): Promise<void> {
  const loaded = await loadConfigOption(options);
  const { config } = loaded;
  const log = openLog(config.log);
  let started = false;
  const stopped = interrupted(); // from now on: the first of several workers serves before the last has started
  void stopped.then(() => {
    if (!started) log.info("Stopping when all has started; signal again to end at once");
  });
  const listen: Listen = {
    hostname: options.host ?? config.listen.host,
    port: options.port ?? config.listen.port,
  };
  const workers = config.listen.workers === "auto"
    ? navigator.hardwareConcurrency
    : config.listen.workers;
  const serving = workers === 1
    ? await openServing({ config: options.config, loaded, listen })
    : await serveByWorkers(workers, { options, listen, log });
  started = true;
  announce(serving.facts, {
    workers,
    hostname: listen.hostname,
    keysCanBeMade: config.store.use !== "memory",
    log,
  });
  let files = filesOf(loaded);
  const stopWatching = await watchConfig({
    files: () => files,
    reload: async () => {
      const waiting = await serving.reload();
      files = filesOf(await loadConfigOption(options)); // another file of prices may be named now
      return waiting;
    },
    clock: systemClock,
    log,
  });
  await stopped;
  stopWatching();
  const seconds = config.limits.drain_s;
  log.info("Stopping: open answers get up to {seconds} s; signal again to end at once", {
    seconds,
  });
  const late = await stopWithin(seconds + STOP_BEYOND_DRAIN_S, () => serving.stop());
  if (late) log.warning("Stopped with something still open");
  log.info("Stopped");
}

/** Whether stopping took longer than it may: a worker that hangs must not keep the process. */
function stopWithin(seconds: number, stop: () => Promise<void>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const cancel = systemClock.after(seconds * 1_000, () => resolve(true));
    stop().then(() => resolve(false), reject).finally(cancel);
  });
}

async function serveByWorkers(
  count: number,
  { options, listen, log }: { options: ServeOptions; listen: Listen; log: Log },
): Promise<Pick<Serving, "facts" | "reload" | "stop">> {
  const start: WorkerStart = {
    config: options.config,
    listen: { ...listen, port: freePort(listen), reusePort: true },
    counts: new FaultCounts().shared,
  };
  try {
    const { group, facts } = await WorkerGroup.open<WorkerStart, StartFacts>({
      count,
      entry: new URL("./serve_worker.ts", import.meta.url),
      start,
      clock: systemClock,
      log,
    });
    return { facts, reload: () => group.reload(), stop: () => group.stop() };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandFailure(reason, 1, { cause: error });
  }
}

/**
 * The port that workers share. Nobody else may have it: another process that shares its port too would take a part
 * of the requests, and nobody would see why.
 *
 * @throws {CommandFailure} If it is taken
 */
function freePort({ hostname, port }: Listen): number {
  try {
    const listener = Deno.listen({ hostname, port });
    listener.close();
    return (listener.addr as Deno.NetAddr).port;
  } catch (error) {
    throw listenFailure(hostname, port, error);
  }
}

function filesOf({ file, config }: LoadedConfig): string[] {
  return config.pricing === null ? [file] : [file, config.pricing];
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "::1" || /^127(\.\d{1,3}){3}$/.test(hostname);
}

function announce(
  { url, store, keys, plugins, credentials, region }: StartFacts,
  { workers, hostname, keysCanBeMade, log }: {
    workers: number;
    hostname: string;
    keysCanBeMade: boolean;
    log: Log;
  },
): void {
  log.info("Listening on {url}", {
    url,
    store,
    keys,
    plugins: plugins.join(" > ") || "none",
    credentials,
    region,
    workers,
  });
  if (!isLoopback(hostname)) {
    log.warning("Listening beyond this machine: put TLS in front, keys travel in the headers", {
      hostname,
    });
  }
  if (!plugins.includes("auth")) {
    log.warning("No auth plugin is listed: anybody who can reach the port is served");
  } else if (keys === 0) {
    log.warning(
      keysCanBeMade
        ? "There are no keys yet: make one with 'outcrop keys create --name me'"
        : "There are no keys, and no command can make one in 'store: memory': use deno_kv or dynamodb, or auth's master_key",
    );
  }
}
