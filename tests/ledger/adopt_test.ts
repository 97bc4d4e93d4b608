/** Who takes over what a process or worker has left that ended, and that nobody takes a living one's. */
import assert from "node:assert/strict";
import { type LedgerBench, posting, segmentsIn, until, withLedgers } from "./fixture.ts";

/** Longer than the folder is looked through. */
const LOOK_MS = 20_000;

/** Looks a few times, and gives what is found time to be sent. */
async function looksThrough(bench: LedgerBench): Promise<void> {
  for (let turn = 0; turn < 20; turn++) {
    bench.clock.advance(LOOK_MS);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

Deno.test("two ledgers of one process share a folder, and neither takes what is the other's", async () => {
  await withLedgers(async (bench) => {
    const folder = bench.folder();
    const a = bench.store.view();
    const b = bench.store.view();
    const one = await bench.open(folder, { store: a.store });
    const other = await bench.open(folder, { store: b.store });
    a.kill(); // its store does not answer; the ledger lives
    await one.post(posting("r1"));
    await other.post(posting("r2"));
    await looksThrough(bench);
    assert.deepEqual(await bench.store.records(), ["r2"]);
    assert.equal(segmentsIn(folder).length, 2); // r1's, and the other's of which all is sent
    assert.deepEqual(bench.told("warning"), []);
  });
});

Deno.test("what a closed ledger could not send is taken over by one that runs", async () => {
  await withLedgers(async (bench) => {
    const folder = bench.folder();
    const running = await bench.open(folder);
    const a = bench.store.view();
    const one = await bench.open(folder, { store: a.store });
    a.kill();
    await one.post(posting("r1"));
    const closed = one.close();
    await looksThrough(bench);
    await closed;
    assert.match(bench.told("error").at(-1) ?? "", /stays in the journal/);
    await looksThrough(bench);
    assert.deepEqual(await bench.store.records(), ["r1"]);
    assert.match(bench.told("warning").join(), /Took over what \{instance\} left/);
    await running.close();
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["folder.lock"]);
  });
});

for (const ends of ["is terminated", "crashes"]) {
  Deno.test(`a worker's segments are taken when it ${ends}, and not before`, async () => {
    await withLedgers(async (bench) => {
      const folder = bench.folder();
      const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
      const noted = new Promise((resolve) => worker.onmessage = resolve);
      worker.postMessage({ path: folder, ids: ["r1", "r2"] });
      await noted;
      await bench.open(folder);
      await looksThrough(bench);
      assert.deepEqual(await bench.store.records(), []);
      const gone = new Promise((resolve) => {
        worker.onerror = (event) => {
          event.preventDefault();
          resolve(undefined);
        };
      });
      if (ends === "crashes") {
        worker.postMessage(null); // which the worker cannot read
        await gone;
      } else {
        worker.terminate();
      }
      await until(async () => (await bench.store.records()).length === 2, {
        clock: bench.clock,
        ms: LOOK_MS,
      });
      assert.deepEqual(await bench.store.sums(), { a: 2 });
    });
  });
}

Deno.test("a process's segments are taken when it is killed, and not before", async () => {
  await withLedgers(async (bench) => {
    const folder = bench.folder();
    const text = `
      const worker = new Worker(${
      JSON.stringify(new URL("./worker.ts", import.meta.url).href)
    }, { type: "module" });
      worker.onmessage = () => console.log("noted");
      worker.postMessage({ path: ${JSON.stringify(folder)}, ids: ["r1", "r2", "r3"] });
    `;
    const script = `${bench.folder()}.ts`;
    Deno.writeTextFileSync(script, text);
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", "-A", "--config", config, script],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    for await (const chunk of child.stdout) {
      assert.equal(new TextDecoder().decode(chunk), "noted\n");
      break;
    }
    await bench.open(folder);
    await looksThrough(bench);
    assert.deepEqual(await bench.store.records(), []);
    child.kill("SIGKILL");
    await child.status;
    await until(async () => (await bench.store.records()).length === 3, {
      clock: bench.clock,
      ms: LOOK_MS,
    });
    assert.deepEqual(await bench.store.sums(), { a: 3 });
  });
});

Deno.test("of many who look at the same time, one takes what was left", async () => {
  await withLedgers(async (bench) => {
    const left = bench.folder();
    bench.store.mood = "down";
    const dead = await bench.open(left);
    for (let n = 0; n < 100; n++) await dead.post(posting(`r${n}`));
    const folder = bench.image(left);
    bench.store.mood = "up";
    await Promise.all(Array.from({ length: 8 }, () => bench.open(folder)));
    await until(async () => (await bench.store.records()).length === 100, {
      clock: bench.clock,
      ms: 10,
    });
    assert.deepEqual(await bench.store.sums(), { a: 100 });
    assert.equal(bench.told("warning").filter((line) => line.startsWith("Took over")).length, 1);
  });
});
