/**
 * When keys were last used: noted in memory, written at most once a minute and key.
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Store } from "./store.ts";

const PARTITION = "key_uses";
/** How far behind the truth the time of the last use may be. */
const APART_MS = 60_000;
/** Keys whose last write is remembered. */
const REMEMBERED = 10_000;

/** The last uses of the keys of one store. */
export class KeyUses {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #written = new Map<string, number>();
  readonly #pending = new Set<Promise<unknown>>();

  /** Reads and writes nothing yet. */
  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Notes that a key is used now. A store that does not take it costs the time, and nothing else. */
  note(id: string): void {
    const now = this.#clock.monotonic();
    const written = this.#written.get(id);
    if (written !== undefined && now - written < APART_MS) return;
    if (this.#written.size >= REMEMBERED) this.#written.clear();
    this.#written.set(id, now);
    const at = new Date(this.#clock.now()).toISOString();
    const write = this.#store.put([PARTITION, id], at)
      .catch(() => this.#written.delete(id)) // the next use tries again
      .finally(() => this.#pending.delete(write));
    this.#pending.add(write);
  }

  /** ISO time at which a key was last used, as far as it was written. */
  async of(id: string): Promise<string | undefined> {
    return (await this.#store.get<string>([PARTITION, id]))?.value;
  }

  /** All of them, by id. */
  async all(): Promise<ReadonlyMap<string, string>> {
    const all = new Map<string, string>();
    for await (const { key, value } of this.#store.list<string>(PARTITION)) all.set(key[1], value);
    return all;
  }

  /** Resolves when what was noted has been written. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }
}
