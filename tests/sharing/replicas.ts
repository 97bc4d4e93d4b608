/**
 * Replicas that share a pool through one store, as workers and machines do.
 * @module
 */
import { Sharing } from "../../src/sharing/shared.ts";
import type { Pool } from "../../src/sharing/pool.ts";
import { openMemoryStore } from "../../src/storage/memory.ts";
import type { Store, StoreWrite } from "../../src/storage/store.ts";
import { FakeClock } from "../fake_clock.ts";

/** One replica: its way to the store can be cut, and its calls are counted. */
export class Replica {
  /** Calls of the store so far. */
  calls = 0;
  /** What the store does to this replica. `deaf`: it is written, and the answer is lost. */
  fault: "none" | "down" | "deaf" | "hangs" = "none";
  readonly sharing: Sharing;

  constructor(store: Store, clock: FakeClock) {
    const faulty = new Proxy(store, {
      get: (target, name) => {
        const member = Reflect.get(target, name);
        return typeof member !== "function" ? member : async (...given: unknown[]) => {
          this.calls++;
          if (this.fault === "down") throw new Error("The store is down");
          if (this.fault === "hangs") return await new Promise(() => {});
          const result = await Reflect.apply(member, target, given);
          if (this.fault === "deaf" && name === "put") throw new Error("The answer was lost");
          return result;
        };
      },
    });
    this.sharing = new Sharing(faulty, clock);
  }

  /** The pool, as this replica sees it. */
  get pool(): Pool {
    return this.sharing.of("test").pool(["pools", "one"]);
  }
}

/** Replicas, and what they stand on. */
export interface Replicas {
  readonly clock: FakeClock;
  readonly store: Store;
  readonly replicas: readonly Replica[];
  /** Brings a posting into the store, as the ledger does some time later. */
  post(write: StoreWrite): Promise<void>;
  /** What the store holds of the pool. */
  stored(): Promise<Readonly<Record<string, number>>>;
  /** Lets pass some time, and what falls due in it come to its end. */
  pass(ms: number): Promise<void>;
}

/** A store, its clock, and so many replicas. */
export function openReplicas(count: number): Replicas {
  const clock = new FakeClock();
  const store = openMemoryStore({ clock });
  let batches = 0;
  return {
    clock,
    store,
    replicas: Array.from({ length: count }, () => new Replica(store, clock)),
    post: async (write) => {
      const key = [`plugin.test/${write.key[0]}`, write.key[1]] as const;
      const options = { expiresAt: clock.now() + 60_000 };
      await store.apply(`batch ${batches++}`, [{ ...write, key }], options);
    },
    stored: async () =>
      (await store.get<Record<string, number>>(["plugin.test/pools", "one"]))?.value ?? {},
    pass: async (ms) => {
      clock.advance(ms);
      await settled();
    },
  };
}

/** Everything that waits for nothing but other promises has come to its end. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
