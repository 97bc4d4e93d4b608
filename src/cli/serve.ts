/**
 * `outcrop serve`.
 * @module
 */
import { Command, InvalidArgumentError } from "commander";
import type { LoadedConfig } from "../config/load.ts";
import { type Log, openLog } from "../log.ts";
import { type Server, startServer } from "../server/server.ts";
import { describeStore } from "../storage/open.ts";
import { type ConfigOption, loadConfigOption, withConfigOption } from "./config_option.ts";
import { type Gateway, openGateway } from "./gateway.ts";
import { interrupted } from "./interrupted.ts";
import { watchConfig } from "./watch_config.ts";
import { listenFailure } from "./listen_failure.ts";

interface ServeOptions extends ConfigOption {
  host?: string;
  port?: number;
}

/** Seconds that open answers may take to finish after the first signal. */
const DRAIN_S = 25;

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
  const gateway = await openGateway({ loaded, log });
  const hostname = options.host ?? config.listen.host;
  const port = options.port ?? config.listen.port;
  const server = listen(gateway, hostname, port);
  gateway.catalog.start();
  await announce({ gateway, loaded, log, server, hostname });
  const stopWatching = await watchConfig({
    files: () => [loaded.file, ...pricingOf(gateway)],
    reload: async () => await gateway.reload(await loadConfigOption(options)),
    clock: gateway.services.clock,
    log,
  });
  await interrupted();
  stopWatching();
  log.info("Stopping: open answers get up to {seconds} s; signal again to end at once", {
    seconds: DRAIN_S,
  });
  await stop(gateway, server, log);
}

function pricingOf({ services }: Gateway): string[] {
  const { pricing } = services.config;
  return pricing === null ? [] : [pricing];
}

/**
 * Listens.
 *
 * @throws {CommandFailure} If the port is taken or may not be used, with what to do
 */
export function listen(gateway: Gateway, hostname: string, port: number): Server {
  try {
    return startServer(gateway, { hostname, port });
  } catch (error) {
    throw listenFailure(hostname, port, error);
  }
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "::1" || hostname.startsWith("127.");
}

async function announce(
  { gateway, loaded, log, server, hostname }: {
    gateway: Gateway;
    loaded: LoadedConfig;
    log: Log;
    server: Server;
    hostname: string;
  },
): Promise<void> {
  const { config } = loaded;
  const keys = await gateway.keys.count();
  log.info("Listening on {url}", {
    url: server.url,
    store: describeStore(config.store),
    keys,
    plugins: gateway.services.plugins.map(({ name }) => name).join(" > ") || "none",
    credentials: await describeCredentials(gateway),
    region: config.aws.region,
  });
  if (!isLoopback(hostname)) {
    log.warning("Listening beyond this machine: put TLS in front, keys travel in the headers", {
      hostname,
    });
  }
  if (!gateway.services.plugins.some(({ name }) => name === "auth")) {
    log.warning("No auth plugin is listed: anybody who can reach the port is served");
  } else if (keys === 0) {
    log.warning("There are no keys yet: make one with 'outcrop keys create --name me'");
  }
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
  log.info("Stopped");
}
