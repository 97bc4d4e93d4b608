/**
 * Runs random programs against a store and its model.
 * @module
 */
import { assert as check, asyncProperty } from "fast-check";
import type { Store } from "../../../src/storage/store.ts";
import type { FakeClock } from "../../fake_clock.ts";
import { OwnEntries } from "./own.ts";
import { type OwnCall, program, type Round, type SharedCall } from "./program.ts";
import { SharedEntries } from "./shared.ts";

/** Handles of one store, as several processes have them. */
export interface Handles {
  /** At least one; callers take them in turn. */
  readonly stores: readonly [Store, ...Store[]];
  /** Their clock. */
  readonly clock: FakeClock;
  /** Ends it all. */
  close(): Promise<void>;
}

const SHARED: ReadonlySet<string> = new Set<SharedCall["kind"]>([
  "batch",
  "claim",
  "settle",
  "sum",
  "swap",
  "tally",
]);

function isShared(call: OwnCall | SharedCall): call is SharedCall {
  return SHARED.has(call.kind);
}

async function runRounds(
  { stores, clock }: Handles,
  rounds: readonly Round[],
  name: string,
): Promise<number> {
  const shared = new SharedEntries(clock, `${name} shared`);
  const handle = (caller: number) => stores[caller % stores.length] ?? stores[0];
  const most = Math.max(...rounds.map(({ callers }) => callers.length));
  const owns = Array.from(
    { length: most },
    (_, caller) => new OwnEntries(handle(caller), clock, `${name} own ${caller}`),
  );
  let steps = 0;
  for (const [at, { callers, pass }] of rounds.entries()) {
    await Promise.all(callers.map(async (calls, caller) => {
      for (const call of calls) {
        steps++;
        if (isShared(call)) await shared.call(handle(caller), call);
        else await owns[caller]?.call(call);
      }
    }));
    await shared.check(handle(at));
    clock.advance(pass);
  }
  for (const own of owns) await own.check();
  return steps;
}

/**
 * Runs programs until so many steps are made; how many were.
 *
 * @throws {Error} With the smallest program that does not do what the model does, and the seed
 */
export async function runModel(
  handles: Handles,
  { steps, seed }: { readonly steps: number; readonly seed: number },
): Promise<number> {
  let [made, programs] = [0, 0];
  for (let batch = 0; made < steps; batch++) {
    await check(
      asyncProperty(program, async (rounds) => {
        made += await runRounds(handles, rounds, `program ${programs++}`);
      }),
      { seed: seed + batch, numRuns: 5 },
    );
  }
  return made;
}
