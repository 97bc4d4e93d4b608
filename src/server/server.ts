/**
 * Listens, and stops without cutting anybody off.
 * @module
 */
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
  const server = Deno.serve({
    hostname: options.hostname,
    port: options.port,
    reusePort: options.reusePort ?? false,
    onListen: () => {},
    onError: (error) => errorOutside(source.services, error),
  }, createHandler(source));
  const { port } = server.addr as Deno.NetAddr;
  return {
    url: urlOf(options.hostname, port),
    port,
    async stop() {
      await server.shutdown();
      await source.services.background.settled();
    },
  };
}
