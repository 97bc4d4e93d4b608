/** How what a journal holds reaches the store once, whatever the store does and whenever the process ends. */
import assert from "node:assert/strict";
import { asyncProperty, constantFrom, integer, oneof, record } from "fast-check";
import type { JournalLedger } from "../../src/ledger/journal_ledger.ts";
import { MOST_WRITES, type StoreWrite } from "../../src/storage/store.ts";
import { checkAsyncProperty } from "../seed.ts";
import { type LedgerBench, posting, segmentsIn, until, withLedgers } from "./fixture.ts";
import type { Mood } from "./flaky_store.ts";

const DAY_MS = 86_400_000;

function ids(count: number, from: number = 0): string[] {
  return Array.from({ length: count }, (_, n) => `r${String(from + n).padStart(4, "0")}`);
}

async function allPosted(ledger: JournalLedger, records: readonly string[]): Promise<void> {
  await Promise.all(records.map((id) => ledger.post(posting(id))));
}

function stored(bench: LedgerBench, count: number): Promise<void> {
  return until(async () => (await bench.store.records()).length === count, {
    clock: bench.clock,
    ms: 50,
  });
}

Deno.test("postings are gathered for 250 ms; those that fill a batch go at once", async () => {
  await withLedgers(async (bench) => {
    const ledger = await bench.open(bench.folder());
    await allPosted(ledger, ids(3));
    bench.clock.advance(249);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(bench.store.asked.length, 0);
    bench.clock.advance(1);
    await until(() => bench.store.asked.length === 1);
    assert.equal(bench.store.asked[0]?.writes, 4); // three records, and one sum of them
    await until(async () => (await bench.store.records()).length === 3);
    await allPosted(ledger, ids(80, 3));
    await until(async () => (await bench.store.records()).length >= 52);
    assert.equal(bench.store.asked[1]?.writes, MOST_WRITES); // 49 records and their sum
  });
});

Deno.test("a store that is down is told once a minute, asked ever more seldom, and given all when it is back", async () => {
  await withLedgers(async (bench) => {
    const ledger = await bench.open(bench.folder());
    bench.store.mood = "down";
    await allPosted(ledger, ids(10));
    for (let second = 0; second < 150; second++) {
      bench.clock.advance(1_000);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const errors = bench.log.filter(({ level }) => level === "error");
    assert.equal(errors.length, 3); // at once, and after one and two minutes
    assert.match(String(errors[0]?.fields.cause), /the database must answer/);
    assert.equal(errors[2]?.fields.postings, 10);
    assert.ok(Number(errors[1]?.fields.times) > 3);
    assert.ok(bench.store.asked.length > 10 && bench.store.asked.length < 40);
    await assert.rejects(ledger.settled(), /the database must answer/);
    bench.store.mood = "up";
    await stored(bench, 10);
    assert.equal(new Set(bench.store.asked.map(({ id }) => id)).size, 1); // the same batch, over and over
    assert.deepEqual(bench.told("warning"), ["The store takes what waited in the journal"]);
  });
});

Deno.test("what a store took whose answer was lost, or never came, is not counted again", async () => {
  await withLedgers(async (bench) => {
    const ledger = await bench.open(bench.folder());
    for (const mood of ["loses answers", "takes and hangs"] as const) {
      bench.store.mood = mood;
      const before = bench.store.asked.length;
      await allPosted(ledger, ids(5, before * 10));
      const asked = (times: number) =>
        until(() => bench.store.asked.length >= before + times, { clock: bench.clock, ms: 1_000 });
      await asked(2);
      bench.store.mood = "up";
      await asked(3);
      await ledger.settled();
    }
    assert.equal((await bench.store.records()).length, 10);
    assert.deepEqual(await bench.store.sums(), { a: 10 });
  });
});

Deno.test("a write that the store refuses for good is left out and told; the others are kept, once", async () => {
  await withLedgers(async (bench) => {
    const ledger = await bench.open(bench.folder());
    const sum = { key: ["sums", "full"], add: { n: 1 } } as const;
    await bench.store.inner.add(["sums", "full"], { n: Number.MAX_SAFE_INTEGER });
    await ledger.post(posting("r1"));
    await ledger.post([{ key: ["records", "r2"], put: 2 }, sum]);
    await ledger.post(posting("r3"));
    await ledger.settled();
    assert.deepEqual(await bench.store.records(), ["r1", "r2", "r3"]);
    assert.deepEqual(await bench.store.sums(), { a: 2, full: Number.MAX_SAFE_INTEGER });
    const [told] = bench.log.filter(({ level }) => level === "error");
    assert.equal(told?.message, "The store refuses a write for good: it is left out");
    assert.equal(told?.fields.key, "sums full");
  });
});

Deno.test("a batch that goes write by write goes on so after a kill, even if the store would take it whole now", async () => {
  await withLedgers(async (bench) => {
    const folder = bench.folder();
    const full = ["sums", "full"] as const;
    await bench.store.inner.add(full, { n: Number.MAX_SAFE_INTEGER });
    const { store, kill } = bench.store.view();
    const ledger = await bench.open(folder, { store });
    bench.store.mood = () => {
      if (bench.store.asked.length < 3) return "up"; // the whole, which is refused, and its first write
      kill();
      return "hangs";
    };
    await ledger.post([{ key: ["sums", "a"], add: { n: 1 } }, { key: full, add: { n: 1 } }]);
    await until(() => bench.store.asked.length === 3, { clock: bench.clock, ms: 50 });
    bench.store.mood = "up";
    await bench.store.inner.delete(full);
    const after = await bench.open(bench.image(folder));
    await after.settled();
    assert.deepEqual(await bench.store.sums(), { a: 1, full: 1 });
  });
});

Deno.test("postings that could never be written are refused at once", async () => {
  await withLedgers(async (bench) => {
    const ledger = await bench.open(bench.folder());
    const many: StoreWrite[] = ids(MOST_WRITES + 1).map((id) => ({ key: ["records", id], put: 1 }));
    const wrong: [StoreWrite[], RegExp][] = [
      [many, /must hold at most 50 writes, .*: it holds 51 writes, /],
      [[...posting("r1"), ...posting("r1")], /keys must differ/],
      [[{ key: ["records", ""], put: 1 }], /an empty part/],
      [
        [{ key: ["sums", "a"], add: { n: 0.5 } }],
        /sums\/a as 'n' must be a safe integer: it is 0.5/,
      ],
    ];
    for (const [writes, message] of wrong) await assert.rejects(ledger.post(writes), message);
    await ledger.settled();
    assert.deepEqual([await bench.store.records(), await bench.store.total()], [[], 0]);
  });
});

Deno.test("what is put twice is put as it was last; the end of a sum is that of its beginning", async () => {
  await withLedgers(async (bench) => {
    const ledger = await bench.open(bench.folder());
    const now = bench.clock.now();
    await ledger.post([{ key: ["records", "r"], put: 1 }, {
      key: ["sums", "a"],
      add: { n: 1, m: 2 },
      expiresAt: now + DAY_MS,
    }]);
    await ledger.post([{ key: ["records", "r"], put: 2, expiresAt: now + DAY_MS }, {
      key: ["sums", "a"],
      add: { n: 1 },
      expiresAt: now + 2 * DAY_MS,
    }]);
    await ledger.settled();
    assert.equal(bench.store.asked.length, 1);
    const record = await bench.store.inner.get(["records", "r"]);
    assert.deepEqual([record?.value, record?.expiresAt], [2, now + DAY_MS]);
    const sum = await bench.store.inner.get(["sums", "a"]);
    assert.deepEqual([sum?.value, sum?.expiresAt], [{ n: 2, m: 2 }, now + DAY_MS]);
  });
});

Deno.test("a batch that may have been sent is sent again for 30 days, and not after", async () => {
  for (const [days, records] of [[29, ["r1", "r2"]], [31, ["r2"]]] as const) {
    await withLedgers(async (bench) => {
      const folder = bench.folder();
      const { store, kill } = bench.store.view();
      const ledger = await bench.open(folder, { store });
      kill();
      await ledger.post(posting("r1"));
      await until(
        () => Deno.readTextFileSync(`${folder}/${segmentsIn(folder)[0]}`).includes('["b"'),
        {
          clock: bench.clock,
          ms: 50,
        },
      );
      await ledger.post(posting("r2")); // in no batch: it cannot have been sent
      const image = bench.image(folder);
      bench.clock.advance(days * DAY_MS);
      const after = await bench.open(image);
      await after.settled();
      assert.deepEqual(await bench.store.records(), records);
      const told = bench.told("error").filter((message) => message.includes("too old"));
      assert.equal(told.length, days > 30 ? 1 : 0);
    });
  }
});

Deno.test("a machine's clock that is set back or forward does not keep postings from the store", async () => {
  await withLedgers(async (bench) => {
    let offset = 0;
    const { clock } = bench;
    const real = clock.now.bind(clock);
    clock.now = () => real() + offset;
    const ledger = await bench.open(bench.folder());
    for (const [at, id] of ids(20).entries()) {
      offset = at % 2 === 0 ? -400 * DAY_MS : 40 * DAY_MS;
      await ledger.post(posting(id));
      if (at % 5 === 0) await ledger.settled();
    }
    await ledger.settled();
    offset = 0;
    assert.equal((await bench.store.records()).length, 20);
    assert.deepEqual(await bench.store.sums(), { a: 20 });
  });
});

interface Life {
  readonly postings: number;
  readonly moods: readonly Mood[];
  readonly ms: number;
}

Deno.test("killed at any moments, under a store of any moods, every posting is counted once", async () => {
  const mood = oneof(
    constantFrom<Mood>("up", "down", "loses answers", "takes and hangs", "hangs"),
    constantFrom<Mood>("up"),
  );
  const life = record({
    postings: integer({ min: 0, max: 90 }),
    moods: record({ a: mood, b: mood, c: mood }),
    ms: integer({ min: 0, max: 400 }),
  }).map(({ postings, moods, ms }): Life => ({ postings, moods: Object.values(moods), ms }));
  const lives = record({ a: life, b: life, c: life, d: life }).map((all) => Object.values(all));
  await checkAsyncProperty(
    asyncProperty(lives, async (all) => {
      await withLedgers((bench) => liveAndDie(bench, all));
    }),
    40,
  );
});

/** Each life goes on with what the one before left, and is killed in the midst of it. */
async function liveAndDie(bench: LedgerBench, lives: readonly Life[]): Promise<void> {
  let [folder, posted] = [bench.folder(), 0];
  for (const { postings, moods, ms } of lives) {
    const { store, kill } = bench.store.view();
    let asked = 0;
    bench.store.mood = () => moods[asked++ % moods.length] ?? "up";
    const ledger = await bench.open(folder, { store });
    for (const id of ids(postings, posted)) {
      await ledger.post(posting(id, id.slice(-1)));
      bench.clock.advance(ms);
    }
    posted += postings;
    kill();
    folder = bench.image(folder);
    for (const name of segmentsIn(folder)) {
      // What the kill cut off: of a posting whose post() has not resolved.
      Deno.writeTextFileSync(`${folder}/${name}`, '1badc0de ["p",1000000,[{"key', { append: true });
    }
  }
  bench.store.mood = "up";
  const last = await bench.open(folder);
  await last.settled();
  assert.deepEqual(await bench.store.records(), ids(posted));
  assert.equal(await bench.store.total(), posted);
  assert.deepEqual(segmentsIn(folder), []);
  assert.ok(!bench.told("error").some((message) => message.startsWith("Damaged")));
}
