/** What a group of workers does about those that hang, cannot start, or are still busy; see tests/cli/workers_test.ts. */
import assert from "node:assert/strict";
import type { Log, LogFields } from "../../src/log.ts";
import { WorkerGroup } from "../../src/server/workers.ts";
import { FakeClock } from "../fake_clock.ts";
import { settled } from "../wait.ts";
import { FLAG } from "./told_worker.ts";

interface Told {
  readonly message: string;
  readonly fields: LogFields;
}

interface Bench {
  readonly clock: FakeClock;
  /** Stops the group, once. */
  stop(): Promise<void>;
  readonly told: readonly Told[];
  flag(name: keyof typeof FLAG): number;
  set(name: keyof typeof FLAG, value: number): void;
}

async function withWorkers(test: (bench: Bench) => Promise<void>): Promise<void> {
  const clock = new FakeClock();
  const start = new SharedArrayBuffer(24);
  const flags = new Int32Array(start);
  const told: Told[] = [];
  const tell = (message: string, fields: LogFields = {}) => void told.push({ message, fields });
  const log: Log = { debug: tell, info: tell, warning: tell, error: tell, with: () => log };
  const { group, facts } = await WorkerGroup.open<SharedArrayBuffer, string>({
    count: 2,
    entry: new URL("./told_worker.ts", import.meta.url),
    start,
    clock,
    log,
  });
  assert.equal(facts, "worker 1");
  const set = (name: keyof typeof FLAG, value: number) => {
    Atomics.store(flags, FLAG[name], value);
  };
  let stopped: Promise<void> | undefined;
  const stop = () => stopped ??= group.stop();
  try {
    await test({ clock, stop, told, set, flag: (name) => Atomics.load(flags, FLAG[name]) });
  } finally {
    set("held", 0);
    await stop();
  }
}

/** Lets five seconds pass, after which each is asked whether it is alive, until the second has said that it is. */
async function round({ clock, flag }: Bench): Promise<void> {
  const before = flag("alive");
  clock.advance(5_000);
  await settled(() => flag("alive") > before);
  await new Promise((resolve) => setTimeout(resolve, 5)); // its answer is on its way to this thread
}

Deno.test("a worker that answers nothing for half a minute is replaced, and the others know that one is missing", () =>
  withWorkers(async (bench) => {
    const { clock, told, flag, set } = bench;
    await settled(() => flag("all") === 2);
    for (let n = 0; n < 8; n++) await round(bench);
    assert.equal(told.length, 0);
    set("silent", 1);
    for (let n = 0; n < 6; n++) await round(bench);
    assert.equal(told.length, 0, "it is given half a minute");
    clock.advance(5_000);
    const [crash, ...rest] = told;
    assert.match(crash?.message ?? "", /^Worker \{worker\} has crashed: another takes its place/);
    assert.deepEqual([crash?.fields.worker, crash?.fields.reason, rest], [
      1,
      "it has answered nothing for 30 s",
      [],
    ]);
    await settled(() => flag("all") === 1);
    set("silent", 0);
    clock.advance(100);
    await settled(() => told.length === 2);
    assert.equal(told[1]?.message, "Worker {worker} listens again");
    await settled(() => flag("all") === 2);
    for (let n = 0; n < 8; n++) await round(bench);
    assert.equal(told.length, 2);
  }));

Deno.test("one that cannot start is tried again ever more seldom, up to every half minute", () =>
  withWorkers(async (bench) => {
    const { clock, told, set } = bench;
    set("silent", 1);
    set("broken", 1);
    for (let n = 0; n < 20 && told.length === 0; n++) await round(bench);
    const waits: number[] = [];
    for (let n = 1; n <= 11; n++) {
      const waited = Number(told[n - 1]?.fields.wait_ms);
      waits.push(waited);
      // The second must be heard meanwhile.
      for (let left = waited; left > 0; left -= 5_000) {
        if (left >= 5_000) await round(bench);
        else clock.advance(left);
      }
      await settled(() => told.length > n);
    }
    assert.deepEqual(waits, [
      100,
      200,
      400,
      800,
      1_600,
      3_200,
      6_400,
      12_800,
      25_600,
      30_000,
      30_000,
    ]);
    assert.match(String(told.at(-1)?.fields.reason), /It is broken/);
  }));

Deno.test("stopping tells all of them, and waits for the last", () =>
  withWorkers(async ({ stop, flag, set }) => {
    set("held", 1);
    let isOver = false;
    const stopping = stop().then(() => isOver = true);
    await settled(() => flag("stopping") === 2);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(isOver, false);
    set("held", 0);
    await stopping;
  }));
