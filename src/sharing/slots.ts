/**
 * Slots: how many requests run at the same time, in all replicas together. They are those of a pool; where the store
 * does not answer, a replica lets in as many as the whole limit has, by its own count.
 * @module
 */
import type { Grant, Pool } from "./pool.ts";
import type { StoreOutage } from "./store_outage.ts";

/** A slot that is taken. Give it back once. */
export interface Slot {
  /** Gives it back. */
  give(): void;
}

/** Slots of one plugin, by id. */
export class SharedSlots {
  readonly #pool: (id: string) => Pool;
  readonly #outage: StoreOutage;
  /** Requests that run here, by id. */
  readonly #running = new Map<string, number>();

  /** Of these pools. */
  constructor(pool: (id: string) => Pool, outage: StoreOutage) {
    this.#pool = pool;
    this.#outage = outage;
  }

  /** A slot of the `capacity` that there are; undefined where all are taken. At once where this replica holds one. */
  take(id: string, capacity: number): Slot | undefined | Promise<Slot | undefined> {
    if (!this.#outage.isDown) return this.#ask(id, capacity);
    if (this.#outage.isDue) void this.#probe(id, capacity); // beside the request, which waits for nothing
    return this.#alone(id, capacity);
  }

  #ask(id: string, capacity: number): Slot | undefined | Promise<Slot | undefined> {
    const pool = this.#pool(id);
    const grant = pool.take(1, { capacity });
    return grant instanceof Promise
      ? this.#granted(id, { grant, pool, capacity })
      : this.#slot(id, { grant, pool });
  }

  async #probe(id: string, capacity: number): Promise<void> {
    (await this.#ask(id, capacity))?.give();
  }

  async #granted(
    id: string,
    { grant, pool, capacity }: { grant: Promise<Grant>; pool: Pool; capacity: number },
  ): Promise<Slot | undefined> {
    this.#outage.asked();
    try {
      const slot = this.#slot(id, { grant: await grant, pool });
      this.#outage.end();
      return slot;
    } catch (error) {
      this.#outage.begin(error);
      return this.#alone(id, capacity);
    }
  }

  #slot(id: string, { grant, pool }: { grant: Grant; pool: Pool }): Slot | undefined {
    if (typeof grant !== "number") return undefined;
    this.#count(id, 1);
    return {
      give: () => {
        this.#count(id, -1);
        pool.give(grant);
      },
    };
  }

  #alone(id: string, capacity: number): Slot | undefined {
    if ((this.#running.get(id) ?? 0) >= capacity) return undefined;
    this.#count(id, 1);
    return { give: () => this.#count(id, -1) };
  }

  #count(id: string, change: number): void {
    const running = (this.#running.get(id) ?? 0) + change;
    if (running === 0) this.#running.delete(id);
    else this.#running.set(id, running);
  }
}
