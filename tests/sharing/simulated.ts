/**
 * Replicas in simulated time: a clock that jumps from event to event, a store that answers late, clocks that differ.
 * @module
 */
import type { CancelTimer, Clock } from "../../src/clock.ts";
import { SharedLimits } from "../../src/sharing/limits.ts";
import { StoreOutage } from "../../src/sharing/store_outage.ts";
import { between } from "../../src/simulator/random.ts";
import type { Entry, Store, StoreKey } from "../../src/storage/store.ts";

interface Event {
  readonly at: number;
  readonly order: number;
  run: (() => void) | undefined;
}

/** A clock that jumps from one timer to the next; what a timer sets going comes to rest before the next one. */
export class SimulatedClock implements Clock {
  readonly #started: number;
  readonly #heap: Event[] = [];
  #now: number;
  #order = 0;

  constructor(start: number = Date.UTC(2026, 10, 23, 12, 0, 0)) {
    this.#now = start;
    this.#started = start;
  }

  now(): number {
    return Math.floor(this.#now);
  }

  monotonic(): number {
    return this.#now - this.#started;
  }

  after(ms: number, run: () => void): CancelTimer {
    const event: Event = { at: this.#now + Math.max(ms, 0), order: this.#order++, run };
    this.#push(event);
    return () => {
      event.run = undefined;
    };
  }

  /** Lets so much time pass. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settled();
    for (let next = this.#heap[0]; next !== undefined && next.at <= end; next = this.#heap[0]) {
      this.#pop();
      if (next.run === undefined) continue;
      this.#now = next.at;
      next.run();
      await settled();
    }
    this.#now = end;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!before(event, heap[up] as Event)) break;
      heap[at] = heap[up] as Event;
      at = up;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Event;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && before(heap[down + 1] as Event, heap[down] as Event)) down++;
      if (!before(heap[down] as Event, last)) break;
      heap[at] = heap[down] as Event;
      at = down;
    }
    heap[at] = last;
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** What waits for nothing but other promises has come to its end. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 40; turn++) await undefined;
}

/** How one replica's world is. */
export interface ReplicaOptions {
  readonly clock: SimulatedClock;
  readonly store: Store;
  readonly random: () => number;
  /** By how much its clock is ahead. @default 0 */
  readonly skewMs?: number;
  /** How long a call of the store takes there, and the answer back. @default 1 to 5 each */
  readonly latencyMs?: readonly [least: number, most: number];
  /** Told of each write that was tried, and of what. */
  readonly onWrite?: (key: StoreKey, value: unknown) => void;
  /** Told of what each read found. */
  readonly onRead?: (key: StoreKey, value: unknown) => void;
}

/** One replica's limits, with its own clock and its own way to the store. */
export class SimulatedReplica {
  readonly limits: SharedLimits;
  /** Its way to the store. */
  readonly store: Store;
  /** Calls of the store. */
  reads = 0;
  writes = 0;
  /** Writes that others came before. */
  lost = 0;
  /** `down`: calls fail. `hangs`: they are never answered. `deaf`: they happen, and the answer is lost. */
  fault: "none" | "down" | "hangs" | "deaf" = "none";
  /** Lines of its log. */
  readonly log: string[] = [];
  latencyMs: readonly [least: number, most: number];
  readonly #options: ReplicaOptions;

  constructor(options: ReplicaOptions) {
    this.#options = options;
    this.latencyMs = options.latencyMs ?? [1, 5];
    const { clock, skewMs = 0, random } = options;
    const own: Clock = {
      now: () => clock.now() + skewMs,
      monotonic: () => clock.monotonic(),
      after: (ms, run) => clock.after(ms, run),
    };
    const line = (message: string) => void this.log.push(message);
    const log = { debug: line, info: line, warning: line, error: line, with: () => log };
    const outage = new StoreOutage({ clock: own, log });
    this.store = this.#store();
    this.limits = new SharedLimits({ store: this.store, clock: own, random, outage });
  }

  #store(): Store {
    const { store } = this.#options;
    return new Proxy(store, {
      get: (target, name) => {
        const member = Reflect.get(target, name);
        return typeof member !== "function" ? member : async (...given: unknown[]) => {
          if (name === "get") this.reads++;
          else this.writes++;
          await this.#wait();
          if (this.fault === "down") throw new Error("The store is down");
          if (this.fault === "hangs") return await new Promise(() => {});
          const result = await Reflect.apply(member, target, given);
          if (name === "put") {
            this.#options.onWrite?.(given[0] as StoreKey, given[1]);
            if (result === undefined) this.lost++;
          }
          if (name === "get") {
            this.#options.onRead?.(given[0] as StoreKey, (result as Entry | undefined)?.value);
          }
          const isLost = this.fault === "deaf";
          await this.#wait();
          if (isLost) throw new Error("The answer was lost");
          return result;
        };
      },
    });
  }

  #wait(): Promise<void> {
    const { clock, random } = this.#options;
    const [least, most] = this.latencyMs;
    const ms = between(random, 1_000 * least, 1_000 * most) / 1_000;
    return new Promise((resolve) => void clock.after(ms, resolve));
  }
}
