/**
 * Replicas that share one limit, and requests that come to them by chance.
 * @module
 */
import { openMemoryStore } from "../../src/storage/memory.ts";
import type { Store } from "../../src/storage/store.ts";
import { between, seededRandom } from "../../src/simulator/random.ts";
import { SimulatedClock, SimulatedReplica } from "./simulated.ts";

/** Replicas, and what they stand on. */
export interface World {
  readonly clock: SimulatedClock;
  readonly store: Store;
  readonly random: () => number;
  readonly replicas: readonly SimulatedReplica[];
}

/** Replicas of one store; `most` is the longest way to it, and how far clocks are ahead. */
export function open(
  count: number,
  { seed, latencyMs = 20, skewMs = 0 }: { seed: number; latencyMs?: number; skewMs?: number },
): World {
  const random = seededRandom(seed);
  const clock = new SimulatedClock();
  const store = openMemoryStore({ clock });
  const replicas = Array.from({ length: count }, () => {
    const latency = [1, between(random, 2, latencyMs)] as const;
    const ahead = between(random, 0, skewMs);
    return new SimulatedReplica({ clock, store, random, latencyMs: latency, skewMs: ahead });
  });
  return { clock, store, random, replicas };
}

/** The sum. */
export function sum(list: readonly number[]): number {
  return list.reduce((total, one) => total + one, 0);
}

/** What a limit lets through in that time: a full bucket, and what refills. */
export function allowed(limit: number, ms: number): number {
  return limit * (1 + ms / 60_000);
}

/** What replicas are asked for. */
export interface Demand {
  readonly replicas: readonly SimulatedReplica[];
  readonly clock: SimulatedClock;
  readonly random: () => number;
  /** Requests a minute, of each replica. */
  readonly perMinute: (replica: number) => number;
  readonly limit: (replica: number) => number;
  readonly ms: number;
  /** Called with each request that is admitted. */
  readonly onAdmitted?: (replica: number) => void;
}

/** Asks for requests by chance, at that pace; how many each replica admitted. */
export async function run(demand: Demand): Promise<number[]> {
  const { replicas, clock, random, ms, onAdmitted } = demand;
  const admitted = replicas.map(() => 0);
  let isOver = false;
  const arrive = (at: number) => {
    if (isOver) return;
    const { limits } = replicas[at] as SimulatedReplica;
    const count = (taken: boolean) => {
      if (!taken || isOver) return;
      admitted[at] = (admitted[at] as number) + 1;
      onAdmitted?.(at);
    };
    const taken = limits.take([{
      bucket: limits.bucket("key one", "requests", demand.limit(at)),
      amount: 1,
    }]);
    if (typeof taken === "boolean") count(taken);
    else void taken.then(count);
    next(at);
  };
  const next = (at: number) => {
    const mean = 60_000 / demand.perMinute(at);
    clock.after(-Math.log(1 - random()) * mean, () => arrive(at));
  };
  for (const at of replicas.keys()) if (demand.perMinute(at) > 0) next(at);
  await clock.pass(ms);
  isOver = true;
  return admitted;
}

/** So many requests at the same time, to each of some replicas; how many each of them admits. */
export async function burst(
  { clock }: World,
  replicas: readonly SimulatedReplica[],
  { count, limit }: { count: number; limit: number },
): Promise<number[]> {
  const taken = Promise.all(replicas.map(({ limits }) => {
    const claim = () => [{ bucket: limits.bucket("key one", "requests", limit), amount: 1 }];
    return Promise.all(Array.from({ length: count }, () => limits.take(claim())));
  }));
  await clock.pass(1_000);
  return (await taken).map((each) => each.filter((is) => is).length);
}
