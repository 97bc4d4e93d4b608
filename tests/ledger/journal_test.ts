/** What a journal keeps: whatever is cut off it, damaged in it, or left of it by a process that ended. */
import assert from "node:assert/strict";
import { JournalFolder } from "../../src/ledger/folder.ts";
import { posting, segmentsIn, until, withLedgers } from "./fixture.ts";

Deno.test("a posting is on disk when post() resolves, and those of one turn are written together", async () => {
  await withLedgers(async (bench) => {
    const folder = bench.folder();
    bench.store.mood = "down";
    const ledger = await bench.open(folder);
    const together = [ledger.post(posting("r1")), ledger.post(posting("r2"))];
    assert.equal(together[0], together[1]);
    await Promise.all(together);
    await ledger.post(posting("r3"));
    const image = bench.image(folder);
    bench.store.mood = "up";
    const after = await bench.open(image);
    await after.settled();
    assert.deepEqual(await bench.store.records(), ["r1", "r2", "r3"]);
    assert.deepEqual(await bench.store.sums(), { a: 3 });
  });
});

Deno.test("what is written is made durable within 50 ms, and a batch before it is sent", async () => {
  const original = Deno.FsFile.prototype.syncData;
  const events: string[] = [];
  Deno.FsFile.prototype.syncData = async function () {
    await original.call(this);
    events.push("durable");
  };
  try {
    await withLedgers(async (bench) => {
      bench.store.mood = () => (events.push("sent"), "up");
      const ledger = await bench.open(bench.folder());
      await ledger.post(posting("r1"));
      await ledger.post(posting("r2"));
      assert.deepEqual(events, []);
      bench.clock.advance(50);
      await until(() => events.length > 0);
      assert.deepEqual(events, ["durable"]); // one for both
      bench.clock.advance(200);
      await until(() => events.length > 2);
      assert.deepEqual(events, ["durable", "durable", "sent"]);
    });
  } finally {
    Deno.FsFile.prototype.syncData = original;
  }
});

/** A journal of two batches, the first in the store, and a posting that is in none; and where its lines end. */
async function someJournal(): Promise<{ bytes: Uint8Array; name: string; lines: string[] }> {
  let result = { bytes: new Uint8Array(), name: "", lines: [""] };
  await withLedgers(async (bench) => {
    const folder = bench.folder();
    const ledger = await bench.open(folder);
    const sent = (asked: number) =>
      until(() => bench.store.asked.length === asked, { clock: bench.clock, ms: 10 });
    await ledger.post(posting("r0", "é🌍"));
    await ledger.post(posting("r1"));
    await sent(1);
    bench.store.mood = "hangs";
    await ledger.post(posting("r2"));
    await ledger.post(posting("r3", "é🌍"));
    await sent(2);
    await ledger.post(posting("r4"));
    const [name = ""] = segmentsIn(folder);
    const bytes = Deno.readFileSync(`${folder}/${name}`);
    result = { bytes, name, lines: new TextDecoder().decode(bytes).split("\n").slice(0, -1) };
  });
  return result;
}

function tagOf(line: string): string {
  return JSON.parse(line.slice(9))[0];
}

Deno.test("cut anywhere, a journal gives every posting whose line is whole, once", async () => {
  const { bytes, name, lines } = await someJournal();
  assert.equal(lines.map(tagOf).join(""), "jppbdppbp");
  const encoder = new TextEncoder();
  const ends: number[] = [];
  let size = 0;
  for (const line of lines) ends.push(size += encoder.encode(`${line}\n`).length);
  assert.equal(size, bytes.length);
  const id = name.replace(/journal$/, "");
  const check = (length: number, stored: boolean) =>
    withLedgers(async (bench) => {
      const folder = bench.folder();
      Deno.mkdirSync(folder);
      Deno.writeFileSync(`${folder}/${name}`, bytes.subarray(0, length));
      const tags = lines.filter((_, at) => (ends[at] ?? 0) <= length).map(tagOf);
      const applied = async (number: number, writes: string[][]) => {
        const batch = writes.flatMap(([record = "", sum = ""]) => posting(record, sum));
        const options = { expiresAt: bench.clock.now() + 86_400_000 };
        assert.equal(await bench.store.inner.apply(`${id}${number}`, batch, options), true);
      };
      const batches = tags.filter((tag) => tag === "b").length;
      if (tags.includes("d") || (batches > 0 && stored)) {
        await applied(0, [["r0", "é🌍"], ["r1", "a"]]);
      }
      if (batches > 1 && stored) await applied(2, [["r2", "a"], ["r3", "é🌍"]]);
      const ledger = await bench.open(folder);
      await ledger.settled();
      const records = tags.filter((tag) => tag === "p").map((_, number) => `r${number}`);
      assert.deepEqual(await bench.store.records(), records, `cut at ${length}`);
      assert.equal(await bench.store.total(), records.length, `cut at ${length}`);
      assert.deepEqual(segmentsIn(folder), []);
      assert.deepEqual(bench.told("error"), []); // what a crash cuts off is no fault
    });
  for (let length = 0; length <= bytes.length; length += 16) {
    const some = Array.from({ length: Math.min(16, bytes.length + 1 - length) }, (_, n) => n);
    // Of a batch that is noted, nobody knows whether the store has it.
    for (const stored of [false, true]) {
      await Promise.all(some.map((n) => check(length + n, stored)));
    }
  }
});

Deno.test("a damaged byte costs the line it is in, and is told", async () => {
  const { bytes, name, lines } = await someJournal();
  const encoder = new TextEncoder();
  let start = 0;
  for (const [at, line] of lines.entries()) {
    const length = encoder.encode(`${line}\n`).length;
    for (const offset of [0, 8, 9, Math.floor(length / 2), length - 1]) {
      await withLedgers(async (bench) => {
        const folder = bench.folder();
        Deno.mkdirSync(folder);
        const damaged = bytes.slice();
        damaged[start + offset] = (damaged[start + offset] ?? 0) ^ 0x21;
        Deno.writeFileSync(`${folder}/${name}`, damaged);
        await bench.store.inner.apply(
          name.replace(/journal$/, "0"),
          [...posting("r0", "é🌍"), ...posting("r1")],
          { expiresAt: bench.clock.now() + 86_400_000 },
        );
        const ledger = await bench.open(folder);
        await ledger.settled();
        const tag = tagOf(line);
        // A line without its end takes the next one with it.
        const lost = [at, ...(offset === length - 1 ? [at + 1] : [])]
          .map((index) => /"records","(r[2-4])"/.exec(lines[index] ?? "")?.[1])
          .filter((id) => id !== undefined);
        const records = ["r0", "r1", "r2", "r3", "r4"].filter((id) => !lost.includes(id));
        assert.deepEqual(await bench.store.records(), records, `${tag} at ${offset}`);
        assert.equal(await bench.store.total(), records.length, `${tag} at ${offset}`);
        const isLast = at === lines.length - 1 ||
          (offset === length - 1 && at === lines.length - 2);
        assert.equal(bench.told("error").length, isLast ? 0 : 1, `${tag} at ${offset}`);
      });
    }
    start += length;
  }
});

Deno.test("a journal of another version is left as it is, and told", async () => {
  const { bytes, name, lines } = await someJournal();
  const [first = ""] = lines;
  const { crc32 } = await import("node:zlib");
  const json = first.slice(9).replace('["j",1,', '["j",2,');
  const other = `${crc32(json).toString(16).padStart(8, "0")} ${json}\n`;
  await withLedgers(async (bench) => {
    const folder = bench.folder();
    Deno.mkdirSync(folder);
    const rest = bytes.subarray(first.length + 1);
    Deno.writeFileSync(
      `${folder}/${name}`,
      new Uint8Array([...new TextEncoder().encode(other), ...rest]),
    );
    const ledger = await bench.open(folder);
    await ledger.post(posting("new"));
    await assert.rejects(ledger.settled(), /must be readable/);
    await until(async () => (await bench.store.records()).length === 1, {
      clock: bench.clock,
      ms: 50,
    });
    assert.deepEqual(await bench.store.records(), ["new"]);
    assert.match(
      JSON.stringify(bench.log),
      /must be of version 1: it is of 2; start the version of Outcrop/,
    );
    assert.equal(Deno.readFileSync(`${folder}/${name}`).length, bytes.length);
  });
});

Deno.test("a closed ledger leaves nothing behind but the folder's own lock", async () => {
  await withLedgers(async (bench) => {
    const folder = bench.folder();
    const ledger = await bench.open(folder);
    await ledger.post(posting("r1"));
    await ledger.close();
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["folder.lock"]);
    assert.deepEqual(await bench.store.records(), ["r1"]);
    assert.equal(bench.clock.pending, 0);
    await assert.rejects(ledger.post(posting("r2")), /must be open: it is closed/);
  });
});

Deno.test("a folder that cannot be used is an error that says what to do", async () => {
  await assert.rejects(
    JournalFolder.open("/proc/no/journal"),
    /Cannot open the journal \/proc\/no\/journal: .* Set store\.journal to a folder that may be written/,
  );
});
