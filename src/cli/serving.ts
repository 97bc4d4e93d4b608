/**
 * What serves: a gateway that listens, in the main thread or in a worker.
 * @module
 */
import type { LoadedConfig } from "../config/load.ts";
import { type Log, openLog } from "../log.ts";
import type { FaultCounts } from "../server/fault_counts.ts";
import { type Server, startServer } from "../server/server.ts";
import { describeStore } from "../storage/open.ts";
import { type ConfigOption, loadConfigOption } from "./config_option.ts";
import { type Gateway, openGateway } from "./gateway.ts";
import { listenFailure } from "./listen_failure.ts";

/** Seconds that open answers may take to finish after the first signal. */
export const DRAIN_S = 25;

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
  /** Stops accepting, lets open answers finish within {@link DRAIN_S}, and closes all. */
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
 * @throws {CommandFailure} If the port is taken or may not be used, with what to do
 * @throws {ConfigError} If a plugin cannot be loaded
 */
export async function openServing(options: ServingOptions): Promise<Serving> {
  const { loaded } = options;
  const log = openLog(loaded.config.log);
  const { waitsFor, counts } = options;
  const gateway = await openGateway({
    loaded,
    log,
    ...(waitsFor === undefined ? {} : { waitsFor }),
    ...(counts === undefined ? {} : { counts }),
  });
  const server = listen(gateway, options.listen);
  gateway.catalog.start();
  return {
    gateway,
    server,
    facts: await factsOf({ gateway, server, loaded }),
    reload: async () => await gateway.reload(await loadConfigOption(options)),
    stop: () => stop(gateway, server, log),
  };
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
): Promise<StartFacts> {
  const { config } = loaded;
  return {
    url: server.url,
    store: describeStore(config.store),
    keys: await gateway.keys.count(),
    plugins: gateway.services.plugins.map(({ name }) => name),
    credentials: await describeCredentials(gateway),
    region: config.aws.region,
  };
}

/** Credentials that cannot be had yet do not stop the start: /ready says so, and they may come later. */
async function describeCredentials(gateway: Gateway): Promise<string> {
  try {
    return await gateway.credentials.describe();
  } catch (error) {
    return `none yet (${error instanceof Error ? error.message : String(error)})`;
  }
}

async function stop(gateway: Gateway, server: Server, log: Log): Promise<void> {
  const { clock } = gateway.services;
  const finished = server.stop().then(() => true);
  const late = new Promise<false>((resolve) => clock.after(DRAIN_S * 1_000, () => resolve(false)));
  if (!await Promise.race([finished, late])) log.warning("Stopped with answers still open");
  await gateway.close();
}
