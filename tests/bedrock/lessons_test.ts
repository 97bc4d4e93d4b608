import assert from "node:assert/strict";
import { Lessons } from "../../src/bedrock/lessons.ts";
import { parseScript } from "../../src/simulator/simulator.ts";
import { openMemoryStore } from "../../src/storage/memory.ts";
import type { Store } from "../../src/storage/store.ts";
import { FakeClock } from "../fake_clock.ts";
import { withHarness } from "../harness.ts";

const DAY_MS = 24 * 3_600_000;

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

Deno.test("what one replica learned another knows, once it has looked into the store", async () => {
  const clock = new FakeClock();
  const store = openMemoryStore({ clock });
  const [first, second] = [new Lessons(store, clock), new Lessons(store, clock)];
  await first.learn("m", "invoke", ["speed", "beta:x"]);
  assert.deepEqual(first.of("m", "invoke"), ["speed", "beta:x"]);
  assert.deepEqual(second.of("m", "invoke"), []); // at once: nobody waits for the store
  await turn();
  assert.deepEqual(second.of("m", "invoke"), ["speed", "beta:x"]);
  assert.deepEqual(second.of("m", "converse"), []);
});

Deno.test("the store is looked at once a minute, however many ask", async () => {
  const clock = new FakeClock();
  const store = openMemoryStore({ clock });
  let reads = 0;
  const counted: Store = Object.create(store, {
    get: { value: (key: readonly [string, string]) => (reads++, store.get(key)) },
  });
  const lessons = new Lessons(counted, clock);
  for (let round = 0; round < 50; round++) {
    lessons.of("m", "invoke");
    await turn();
  }
  assert.equal(reads, 1);
  clock.advance(60_000);
  lessons.of("m", "invoke");
  assert.equal(reads, 2);
});

Deno.test("a lesson is forgotten after a day", async () => {
  const clock = new FakeClock();
  const lessons = new Lessons(openMemoryStore({ clock }), clock);
  await lessons.learn("m", "invoke", ["speed"]);
  clock.advance(DAY_MS - 1);
  assert.deepEqual(lessons.of("m", "invoke"), ["speed"]);
  clock.advance(1);
  await turn();
  assert.deepEqual(lessons.of("m", "invoke"), []);
  const listed = [];
  for await (const one of lessons.list()) listed.push(one);
  assert.deepEqual(listed, []);
});

Deno.test("a store that is down costs nothing but what was learned elsewhere", async () => {
  const clock = new FakeClock();
  const down: Store = Object.create(openMemoryStore({ clock }), {
    get: { value: () => Promise.reject(new Error("The store is down")) },
  });
  const lessons = new Lessons(down, clock);
  assert.deepEqual(lessons.of("m", "invoke"), []);
  await turn();
  assert.deepEqual(lessons.of("m", "invoke"), []);
});

Deno.test("the request after a lesson is sent without the field at once, and told so", async () => {
  await withHarness({}, async (harness) => {
    const message = "context_management: Extra inputs are not permitted";
    harness.simulator.script(
      parseScript({
        status: 400,
        headers: { "x-amzn-errortype": "ValidationException" },
        json: { message },
      }),
    );
    const body = {
      model: "claude-haiku-4-5",
      max_tokens: 5,
      messages: [{ role: "user", content: "hi" }],
      context_management: { edits: [] },
    };
    const headers = { "anthropic-beta": "context-management-2025-06-27" };
    const dropped = "context_management, context-management-2025-06-27";
    for (let round = 0; round < 2; round++) {
      const response = await harness.post(body, headers);
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("x-outcrop-dropped"), dropped);
      await response.body?.cancel();
    }
    const sent = harness.simulator.requests.map(({ text }) => text.includes("context_management"));
    assert.deepEqual(sent, [true, false, false]);
    assert.ok(harness.log.some((line) => line.includes("Learned what")));
    const told = harness.log.filter((line) => line.includes("Dropped what the model cannot take"))
      .map((line) => JSON.parse(line));
    assert.deepEqual(told.map(({ level, properties }) => [level, properties.dropped.join()]), [
      ["DEBUG", dropped.replace(" ", "")],
      ["DEBUG", dropped.replace(" ", "")],
    ]);
  });
});
