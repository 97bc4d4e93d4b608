/**
 * The way to a server, which can be cut: then nobody listens, as when the server is stopped.
 * @module
 */

/** A way that passes bytes on in both directions. */
export class Wire {
  readonly #target: Deno.ConnectOptions;
  readonly #open = new Set<Deno.Conn>();
  #listener: Deno.Listener | undefined;
  #port = 0;

  /** To a base URL. Nobody listens yet. */
  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.#target = { hostname, port: Number(port) };
  }

  /** Its own base URL, the same after each cut. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens. */
  join(): void {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: this.#port });
    this.#listener = listener;
    this.#port = (listener.addr as Deno.NetAddr).port;
    void this.#accept(listener);
  }

  /** Cuts what is open, and refuses what comes. */
  cut(): void {
    this.#listener?.close();
    this.#listener = undefined;
    for (const connection of this.#open) this.#close(connection);
  }

  async #accept(listener: Deno.Listener): Promise<void> {
    for await (const client of listener) void this.#pass(client);
  }

  async #pass(client: Deno.Conn): Promise<void> {
    this.#open.add(client);
    try {
      const server = await Deno.connect(this.#target);
      this.#open.add(server);
      await Promise.allSettled([
        client.readable.pipeTo(server.writable),
        server.readable.pipeTo(client.writable),
      ]);
      this.#close(server);
    } catch {
      this.#open.delete(client); // the server has gone
    }
    this.#close(client);
  }

  #close(connection: Deno.Conn): void {
    this.#open.delete(connection);
    try {
      connection.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error; // closed already, by its stream
    }
  }
}
