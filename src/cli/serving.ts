/**
 * What serves: a gateway that listens, in the main thread or in a worker.
 * @module
 */
import type { LoadedConfig } from "../config/load.ts";
import { errorFields, type Log, openLog } from "../log.ts";
import type { FaultCounts } from "../server/fault_counts.ts";
import { type Server, startServer } from "../server/server.ts";
import { describeStore } from "../storage/open.ts";
import { type ConfigOption, loadConfigOption } from "./config_option.ts";
import { CommandFailure } from "./failure.ts";
import { type Gateway, openGateway } from "./gateway.ts";
import { listenFailure } from "./listen_failure.ts";

/** Milliseconds for answers that were ended to say so, and for usage to be flushed to a store that is slow. */
const LAST_WORDS_MS = 2_000;
const CLOSE_MS = 10_000;
/** Seconds, beyond those of `limits.drain_s`, after which a stop has ended whatever happens. */
export const STOP_BEYOND_DRAIN_S: number = (LAST_WORDS_MS + CLOSE_MS) / 1_000 + 3;

/** Where a server listens. */
export interface Listen {
  /** Host name or address. */
  hostname: string;
  /** Port; 0 for any free one. */
  port: number;
  /** Whether other workers of this process listen on it too. @default false */
  reusePort?: boolean;
}

/** What a server says of itself when it starts; nothing of it is secret. */
export interface StartFacts {
  /** Base URL. */
  readonly url: string;
  /** The store, in a word or two. */
  readonly store: string;
  /** Keys in force. */
  readonly keys: number;
  /** Plugins, in list order. */
  readonly plugins: readonly string[];
  /** Which AWS credentials. */
  readonly credentials: string;
  /** AWS region. */
  readonly region: string;
}

/** A gateway that listens. */
export interface Serving {
  /** The gateway. */
  readonly gateway: Gateway;
  /** The server. */
  readonly server: Server;
  /** What it says of itself. */
  readonly facts: StartFacts;
  /** Reads the configuration again, and takes it; gives the parts that wait for a restart. */
  reload(): Promise<readonly string[]>;
  /** Stops accepting, lets open answers finish within `limits.drain_s`, ends those that do not, and closes all. */
  stop(): Promise<void>;
}

/** What serving needs. */
export interface ServingOptions extends ConfigOption {
  /** The configuration, as it is at the start. */
  loaded: LoadedConfig;
  /** Where to listen. */
  listen: Listen;
  /** Ended requests of all workers. @default counted anew */
  counts?: FaultCounts;
  /** Why the process as a whole cannot serve yet; undefined when it can. */
  waitsFor?: () => string | undefined;
}

/**
 * Opens a gateway and listens.
 *
 * @throws {CommandFailure} If the port is taken or may not be used, or there are no credentials; with what to do
 * @throws {ConfigError} If a plugin cannot be loaded
 */
export async function openServing(options: ServingOptions): Promise<Serving> {
  const { loaded } = options;
  const log = openLog(loaded.config.log);
  tellForgotten(log);
  const { waitsFor, counts } = options;
  const gateway = await openGateway({
    loaded,
    log,
    ...(waitsFor === undefined ? {} : { waitsFor }),
    ...(counts === undefined ? {} : { counts }),
  });
  const credentials = await describeCredentials(gateway);
  const server = listen(gateway, options.listen);
  gateway.catalog.start();
  return {
    gateway,
    server,
    facts: { ...await factsOf({ gateway, server, loaded }), credentials },
    reload: async () => await gateway.reload(await loadConfigOption(options)),
    stop: () => stop({ gateway, server, log, drainMs: loaded.config.limits.drain_s * 1_000 }),
  };
}

/** A promise that rejects and that nobody awaits, of a plugin's as a rule, is told; it ends nobody's answer. */
function tellForgotten(log: Log): void {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    log.error(
      "A promise was rejected that nobody awaits: await everything inside a plugin's hook",
      {
        fault: "us",
        cause: errorFields(event.reason),
      },
    );
  });
}

/**
 * Listens.
 *
 * @throws {CommandFailure} If the port is taken or may not be used, with what to do
 */
export function listen(gateway: Gateway, where: Listen): Server {
  try {
    return startServer(gateway, where);
  } catch (error) {
    throw listenFailure(where.hostname, where.port, error);
  }
}

async function factsOf(
  { gateway, server, loaded }: { gateway: Gateway; server: Server; loaded: LoadedConfig },
): Promise<Omit<StartFacts, "credentials">> {
  const { config } = loaded;
  return {
    url: server.url,
    store: describeStore(config.store),
    keys: await gateway.keys.count(),
    plugins: gateway.services.plugins.map(({ name }) => name),
    region: config.aws.region,
  };
}

/**
 * Which credentials; a server that could serve nobody does not start.
 *
 * @throws {CommandFailure} If there are none
 */
async function describeCredentials(gateway: Gateway): Promise<string> {
  try {
    return await gateway.credentials.describe();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandFailure(reason, 1, { cause: error });
  }
}

async function stop(
  { gateway, server, log, drainMs }: {
    gateway: Gateway;
    server: Server;
    log: Log;
    drainMs: number;
  },
): Promise<void> {
  const { clock, admission } = gateway.services;
  const within = (work: Promise<void>, ms: number) =>
    Promise.race([
      work.then(() => true),
      new Promise<false>((resolve) => clock.after(ms, () => resolve(false))),
    ]);
  const finished = server.stop();
  if (!await within(finished, drainMs)) {
    log.warning("Answers are still open: they end now", { open: admission.inFlight });
    admission.endAll();
    if (!await within(finished, LAST_WORDS_MS)) log.warning("Stopped with answers still open");
  }
  if (!await within(gateway.close(), CLOSE_MS)) {
    log.error("The store does not take what is left: stopped without it");
  }
}
