/**
 * Listens, and stops without cutting anybody off.
 * @module
 */
import { errorFields, MinuteLog } from "../log.ts";
import { createHandler, errorOutside } from "./app.ts";
import type { ServicesSource } from "./services.ts";

/** A listening server. */
export interface Server {
  /** Base URL, e.g. `http://127.0.0.1:8000`. */
  readonly url: string;
  /** The port in use. */
  readonly port: number;
  /** Stops accepting, lets open answers finish, resolves when all have. */
  stop(): Promise<void>;
}

/** Where to listen. */
export interface ListenOptions {
  /** Host name or address. */
  hostname: string;
  /** Port; 0 for any free one. */
  port: number;
  /** Whether others of this process listen on the port too. @default false */
  reusePort?: boolean;
}

function urlOf(hostname: string, port: number): string {
  const host = hostname === "0.0.0.0" || hostname === "::" ? "localhost" : hostname;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/**
 * Starts to listen.
 *
 * @throws {Deno.errors.AddrInUse} If the port is taken
 * @throws {Deno.errors.PermissionDenied} If the port or host may not be used
 */
export function startServer(source: ServicesSource, options: ListenOptions): Server {
  return new LastingServer(source, options);
}

/** So long nobody is let in after connections could not be accepted: time for some to end. */
const LISTEN_AGAIN_MS = 500;

/**
 * Listens again when listening has ended by itself: this runtime ends it for good where a connection cannot be
 * accepted, as when the process may open no more files. Whoever opens many connections would end the gateway with it.
 */
class LastingServer implements Server {
  readonly url: string;
  readonly port: number;
  readonly #source: ServicesSource;
  readonly #listen: (port: number) => Deno.HttpServer;
  readonly #log: MinuteLog;
  #server: Deno.HttpServer | undefined;
  #stopped = false;

  constructor(source: ServicesSource, { hostname, port, reusePort = false }: ListenOptions) {
    this.#source = source;
    this.#log = new MinuteLog(source.services.log, source.services.clock);
    const handler = createHandler(source);
    const onError = (error: unknown) => errorOutside(source.services, error);
    this.#listen = (port) =>
      Deno.serve({ hostname, port, reusePort, onListen: () => {}, onError }, handler);
    const server = this.#listen(port);
    this.port = (server.addr as Deno.NetAddr).port;
    this.url = urlOf(hostname, this.port);
    this.#keep(server);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#server?.shutdown();
    await this.#source.services.background.settled();
  }

  #keep(server: Deno.HttpServer): void {
    this.#server = server;
    server.finished.catch((error) => {
      this.#server = undefined;
      this.#again(error);
    });
  }

  #again(error: unknown): void {
    this.#log.warning(
      "Cannot accept connections: let the process open more files (ulimit -n), or end idle connections in front of it",
      { fault: "us", cause: errorFields(error) },
    );
    this.#source.services.clock.after(LISTEN_AGAIN_MS, () => {
      if (this.#stopped) return;
      try {
        this.#keep(this.#listen(this.port));
      } catch (later) {
        this.#again(later);
      }
    });
  }
}
