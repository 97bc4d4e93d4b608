/**
 * Connections to one host, kept open for the next request.
 * @module
 */
import type { Http1Connection } from "./http1_connection.ts";

/** At most so many are kept. */
const KEPT_OPEN = 256;
/** For so long: AWS closes at 60 s or later, and what is closed under a request fails it. */
const KEPT_MS = 50_000;

interface Idle {
  readonly connection: Http1Connection;
  readonly since: number;
}

/** Keeps connections to one host. */
export class Http1Pool {
  readonly #idle: Idle[] = [];
  readonly #open = new Set<Http1Connection>();
  #closed = false;

  /** One that was kept open: the last first, so that the others grow old and go. */
  reuse(): Http1Connection | undefined {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (performance.now() - idle.since < KEPT_MS) {
        idle.connection.use();
        return idle.connection;
      }
      this.drop(idle.connection);
    }
    return undefined;
  }

  /** Takes a new one. */
  add(connection: Http1Connection): void {
    this.#open.add(connection);
    if (this.#closed) this.drop(connection);
  }

  /** Takes one back that the next request may use; it goes when its other side closes it. */
  keep(connection: Http1Connection): void {
    if (this.#closed || this.#idle.length >= KEPT_OPEN) return this.drop(connection);
    this.#idle.push({ connection, since: performance.now() });
    connection.watch(() => {
      const at = this.#idle.findIndex((one) => one.connection === connection);
      if (at >= 0) this.#idle.splice(at, 1);
      this.drop(connection);
    });
  }

  /** Ends one. */
  drop(connection: Http1Connection): void {
    this.#open.delete(connection);
    connection.close();
  }

  /** Ends all. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#open) connection.close();
    this.#open.clear();
    this.#idle.length = 0;
  }
}
