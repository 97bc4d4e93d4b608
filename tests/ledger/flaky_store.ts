/**
 * A store in memory that fails as stores do, and what a ledger that writes to it has come to.
 * @module
 */
import type { FakeClock } from "../fake_clock.ts";
import { openMemoryStore } from "../../src/storage/memory.ts";
import { MOST_WRITES, type Store } from "../../src/storage/store.ts";

/**
 * What it does to a batch: takes it, refuses it, takes it and loses the answer, answers never (having taken it, or
 * not).
 */
export type Mood = "up" | "down" | "loses answers" | "takes and hangs" | "hangs";

/** A store with moods. */
export class FlakyStore {
  /** What it does now. */
  mood: Mood | (() => Mood) = "up";
  /** Ids and sizes of the batches that were asked for, in order. */
  readonly asked: { readonly id: string; readonly writes: number }[] = [];
  /** The store underneath. */
  readonly inner: Store;
  readonly #clock: FakeClock;

  constructor(clock: FakeClock) {
    this.#clock = clock;
    this.inner = openMemoryStore({ clock });
  }

  /** A view of it that can be cut off by itself, as a process's is when that is killed. */
  view(): { readonly store: Store; kill: () => void } {
    let killed = false;
    const apply: Store["apply"] = async (id, writes, options) => {
      if (killed) return await new Promise(() => {});
      this.asked.push({ id, writes: writes.length });
      const mood = typeof this.mood === "string" ? this.mood : this.mood();
      if (mood === "down") throw new Error("Cannot write as the database must answer: it does not");
      if (mood === "hangs") return await new Promise(() => {});
      const applied = await this.inner.apply(id, writes, options);
      if (mood === "takes and hangs") return await new Promise(() => {});
      if (mood === "loses answers") throw new Error("The answer was lost");
      return applied;
    };
    const store: Store = Object.create(this.inner, {
      apply: { value: apply },
      batchLimits: { value: { writes: MOST_WRITES, sums: MOST_WRITES, keyBytes: Infinity } },
    });
    // Methods of a class with private parts need the object itself.
    for (const name of ["get", "put", "delete", "add", "list", "ping", "close"] as const) {
      Object.defineProperty(store, name, { value: this.inner[name].bind(this.inner) });
    }
    return { store, kill: () => killed = true };
  }

  /** Sort strings of the records. */
  async records(): Promise<string[]> {
    return (await Array.fromAsync(this.inner.list("records"))).map(({ key }) => key[1]);
  }

  /** The counter `n` of each sum. */
  async sums(): Promise<Record<string, number>> {
    const sums = await Array.fromAsync(this.inner.list<{ n: number }>("sums"));
    return Object.fromEntries(sums.map(({ key, value }) => [key[1], value.n]));
  }

  /** All of them together. */
  async total(): Promise<number> {
    return Object.values(await this.sums()).reduce((sum, n) => sum + n, 0);
  }
}
