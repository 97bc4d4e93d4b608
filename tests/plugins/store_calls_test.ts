/** What a known key's requests call the store for, with every check of the usual pipeline set: by time alone. */
import assert from "node:assert/strict";
import { openMemoryStore } from "../../src/storage/memory.ts";
import type { Store } from "../../src/storage/store.ts";
import { FakeClock } from "../fake_clock.ts";
import { withHarness } from "../harness.ts";

const CONFIG = `plugins:
  - { use: auth }
  - { use: rate_limit, with: { requests_per_minute: 100000, input_tokens_per_minute: 100000000, output_tokens_per_minute: 100000000, concurrency: 1000 } }
  - { use: budget, with: { monthly_usd: 10000 } }
  - { use: tier }
  - { use: prompt_cache }
  - { use: usage }
`;
const BODY = {
  model: "claude-haiku-4-5",
  max_tokens: 50,
  messages: [{ role: "user", content: "hi" }],
};
const SECONDS = 30;

/** Calls of the store by what they are, but for batches: those are the ledger's, see `tests/ledger/steady_test.ts`. */
function counted(clock: FakeClock): { readonly store: Store; readonly calls: string[] } {
  const calls: string[] = [];
  const store = new Proxy(openMemoryStore({ clock }), {
    get(target, name) {
      const member = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return (...given: unknown[]) => {
        if (name !== "apply") calls.push(`${String(name)} ${String(given[0])}`);
        return Reflect.apply(member, target, given);
      };
    },
  });
  return { store, calls };
}

/** Calls in half a minute after one to learn from, with so many requests in each second of both. */
async function callsAt(perSecond: number): Promise<readonly string[]> {
  const clock = new FakeClock();
  const { store, calls } = counted(clock);
  await withHarness({ clock, simulatorClock: clock, config: CONFIG, store }, async (harness) => {
    const send = async () => {
      const response = await harness.post(BODY);
      assert.equal(response.status, 200);
      await response.body?.cancel();
    };
    for (let second = 0; second < 2 * SECONDS; second++) {
      if (second === SECONDS) calls.length = 0;
      for (let n = 0; n < perSecond; n++) {
        await send();
        clock.advance(1_000 / perSecond);
        await new Promise((resolve) => setTimeout(resolve)); // what fell due comes to its end
      }
    }
    await send(); // finds what fell due by now
    await new Promise((resolve) => setTimeout(resolve));
    const before = [...calls];
    for (let n = 0; n < perSecond; n++) await send();
    assert.deepEqual(calls.slice(before.length), [], "no time has passed");
    calls.splice(before.length);
  });
  return calls;
}

Deno.test("five times the requests cost hardly a call more, and none costs one of its own", async () => {
  const [few, many] = [await callsAt(2), await callsAt(10)];
  // A verdict a second, a note a minute, and what limits, slots and the budget exchange.
  assert.ok(many.length <= 2 * SECONDS, `${many.length} calls in ${SECONDS} s: ${many.join(", ")}`);
  assert.ok(many.length <= few.length + 15, `${many.length} calls, of a fifth: ${few.length}`);
});
