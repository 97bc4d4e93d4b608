/** What the journal does at its bounds: of memory, of the disk, and of a disk that fails. */
import assert from "node:assert/strict";
import type { JournalLedger } from "../../src/ledger/journal_ledger.ts";
import { posting, segmentsIn, until, withLedgers } from "./fixture.ts";

/** Posts records of some 10 KB each. */
async function postMany(ledger: JournalLedger, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n += 50) {
    const some = Array.from({ length: Math.min(50, to - n) }, (_, at) => n + at);
    const value = "x".repeat(10_000);
    await Promise.all(some.map((at) => ledger.post(posting(`r${at}`, String(at % 7), value))));
  }
}

Deno.test("while the store is down postings stay on disk, most of them in nobody's memory, and none is lost", async () => {
  await withLedgers(async (bench) => {
    const folder = bench.folder();
    const ledger = await bench.open(folder);
    bench.store.mood = "down";
    await postMany(ledger, 0, 5_000); // 50 MB
    assert.ok(segmentsIn(folder).length >= 48);
    bench.log.length = 0;
    await until(() => bench.log.some(({ level }) => level === "error"), {
      clock: bench.clock,
      ms: 60_000,
    });
    const told = bench.log.filter(({ level }) => level === "error").at(-1)?.fields;
    const [postings, unread] = [Number(told?.postings), Number(told?.unread)];
    assert.ok(postings < 2_000, `${postings} postings are in memory`); // 16 MB, and two segments
    assert.ok(unread > 25, `${unread} segments are not`);
    bench.store.mood = "up";
    await ledger.settled();
    assert.equal((await bench.store.records()).length, 5_000);
    assert.equal(await bench.store.total(), 5_000);
    assert.deepEqual(segmentsIn(folder), []);
  });
});

Deno.test("beyond the bound on disk records are dropped and counted, and every sum is kept", async () => {
  await withLedgers(async (bench) => {
    const folder = bench.folder();
    const ledger = await bench.open(folder, { mostBytes: 3_000_000 });
    bench.store.mood = "down";
    await postMany(ledger, 0, 1_000); // 10 MB
    const size = segmentsIn(folder)
      .reduce((sum, name) => sum + Deno.statSync(`${folder}/${name}`).size, 0);
    assert.ok(size < 5_000_000, `${size} bytes`);
    assert.match(
      bench.told("error").join(),
      /The journal is full: records of requests are dropped/,
    );
    bench.store.mood = "up";
    await ledger.settled();
    const records = (await bench.store.records()).length;
    assert.ok(records >= 290 && records < 500, `${records} records`);
    assert.equal(await bench.store.total(), 1_000);
    const dropped = await bench.store.inner.get<{ n: number }>(["ledger/dropped", "records"]);
    assert.equal(dropped?.value.n, 1_000 - records);
    bench.clock.advance(10_000);
    assert.match(bench.told("warning").join(), /The journal has room again/);
    await postMany(ledger, 1_000, 1_010);
    await ledger.settled();
    assert.equal((await bench.store.records()).length, records + 10);
  });
});

Deno.test("sums that were kept in a full journal survive a kill ten seconds later", async () => {
  await withLedgers(async (bench) => {
    const folder = bench.folder();
    const { store, kill } = bench.store.view();
    const ledger = await bench.open(folder, { mostBytes: 2_000_000, store });
    bench.store.mood = "down";
    await postMany(ledger, 0, 400);
    const noted = () =>
      segmentsIn(folder).some((name) =>
        Deno.readTextFileSync(`${folder}/${name}`).includes("ledger/dropped")
      );
    assert.equal(noted(), false);
    bench.clock.advance(10_000);
    await until(noted);
    kill();
    bench.store.mood = "up";
    const after = await bench.open(bench.image(folder));
    await after.settled();
    assert.equal(await bench.store.total(), 400);
  });
});

Deno.test("a disk that takes nothing is told; postings go on through memory, and to the disk when it is back", async () => {
  await withLedgers(async (bench) => {
    const folder = bench.folder();
    const ledger = await bench.open(folder);
    const lock = Deno.readDirSync(folder).find(({ name }) => name.endsWith(".lock"))?.name;
    assert.ok(lock);
    Deno.renameSync(folder, `${folder}-gone`);
    await ledger.post(posting("r1"));
    await ledger.post(posting("r2"));
    await until(async () => (await bench.store.records()).length === 2, {
      clock: bench.clock,
      ms: 50,
    });
    assert.equal(
      bench.told("error")[0],
      "The journal cannot be written: what is noted meanwhile lives in memory only",
    );
    Deno.renameSync(`${folder}-gone`, folder);
    bench.clock.advance(10_000);
    await ledger.post(posting("r3"));
    await ledger.post(posting("r4"));
    assert.equal(segmentsIn(folder).length, 1);
    await ledger.settled();
    assert.equal(await bench.store.total(), 4);
  });
});

Deno.test("a disk that fills up loses nothing of what it did not take", async () => {
  const original = Deno.FsFile.prototype.writeSync;
  await withLedgers(async (bench) => {
    const folder = bench.folder();
    const ledger = await bench.open(folder);
    await ledger.post(posting("r1"));
    let room = 20;
    Deno.FsFile.prototype.writeSync = function (bytes) {
      if (room === 0) throw new Error("No space left on device (os error 28)");
      const written = original.call(this, bytes.subarray(0, room));
      room -= written;
      return written;
    };
    try {
      await ledger.post(posting("r2")); // twenty bytes of it are written, and taken back
      await ledger.post(posting("r3"));
      await until(async () => (await bench.store.records()).length === 2, {
        clock: bench.clock,
        ms: 50,
      });
      assert.deepEqual(await bench.store.records(), ["r2", "r3"]); // r1's batch cannot be noted
    } finally {
      Deno.FsFile.prototype.writeSync = original;
    }
    const text = Deno.readTextFileSync(`${folder}/${segmentsIn(folder)[0]}`);
    assert.match(text, /^\S+ \["j".*\n\S+ \["p",0.*\n$/);
    await until(async () => (await bench.store.records()).length === 3, {
      clock: bench.clock,
      ms: 1_000,
    });
    assert.equal(await bench.store.total(), 3);
  });
});
