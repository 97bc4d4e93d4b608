/** How `usage` is noted: before the end of the answer, record and sum together, whatever the figures. */
import assert from "node:assert/strict";
import { z } from "zod";
import { builtins } from "../../plugins/mod.ts";
import type {
  CompleteContext,
  Hooks,
  Host,
  Plugin,
  StoreWrite,
} from "../../src/pipeline/plugin.ts";
import { openLog } from "../../src/log.ts";
import { Sharing } from "../../src/sharing/shared.ts";
import { openMemoryStore } from "../../src/storage/memory.ts";
import { prefixedStore } from "../../src/storage/prefixed.ts";
import type { Store } from "../../src/storage/store.ts";
import { matchesGlob } from "../../src/text/glob.ts";
import { FakeClock } from "../fake_clock.ts";
import { withHarness } from "../harness.ts";

const DAY = "2026-11-23"; // at which the fake clock begins, at noon
const CONFIG = "plugins: [ { use: auth }, { use: usage } ]\n";

async function requestsIn(store: Store): Promise<{ records: string[]; requests: number }> {
  const usage = prefixedStore(store, "usage");
  const records = await Array.fromAsync(usage.list(`records/${DAY}`));
  const sums = await Array.fromAsync(usage.list<{ requests: number }>(`rollup/${DAY}`));
  return {
    records: records.map(({ key }) => key[1].split("/")[1] ?? "").sort(),
    requests: sums.reduce((sum, { value }) => sum + value.requests, 0),
  };
}

/** A store whose batches wait. */
function gated(inner: Store, gate: () => Promise<void>): Store {
  return new Proxy(inner, {
    get(target, name) {
      const member = Reflect.get(target, name);
      if (name === "apply") {
        return async (...given: Parameters<Store["apply"]>) => {
          await gate();
          return await target.apply(...given);
        };
      }
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

const ASK = {
  model: "claude-haiku-4-5",
  max_tokens: 10,
  messages: [{ role: "user", content: "hi" }],
};
const ANSWERS: readonly [what: string, body: unknown, told: RegExp][] = [
  ["a stream", { ...ASK, stream: true }, /message_stop/],
  ["an answer", ASK, /end_turn/],
  ["a refusal", "{", /invalid_request_error/],
];

for (const [what, body, told] of ANSWERS) {
  Deno.test(`the end of ${what} waits until its usage is noted`, async () => {
    const clock = new FakeClock();
    const inner = openMemoryStore({ clock });
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    const { promise: open, resolve: release } = Promise.withResolvers<void>();
    const store = gated(inner, () => (ask(), open));
    await withHarness(
      { clock, simulatorClock: clock, store, config: CONFIG },
      async ({ post, url }) => {
        let ended = false;
        const answer = post(body)
          .then(async (response) => ({
            id: response.headers.get("request-id"),
            text: await response.text(),
          }))
          .finally(() => ended = true);
        await asked;
        try {
          // An end that did not wait would be here before the answers to what is asked after it.
          for (let n = 0; n < 20; n++) await (await fetch(`${url}/health`)).text();
          assert.equal(ended, false);
          assert.equal((await requestsIn(inner)).requests, 0);
        } finally {
          release();
        }
        const { id, text } = await answer;
        assert.match(text, told);
        assert.deepEqual(await requestsIn(inner), { records: [id], requests: 1 });
      },
    );
  });
}

Deno.test("a reload goes on with the same ledger, by the new settings", async () => {
  const clock = new FakeClock();
  const store = openMemoryStore({ clock });
  await withHarness({ clock, store, config: CONFIG }, async ({ post, reload }) => {
    await (await post("{")).text();
    await reload(CONFIG.replace("use: usage", "use: usage, with: { records_days: 0 }"));
    await (await post("{")).text();
    const { records, requests } = await requestsIn(store);
    assert.deepEqual([records.length, requests], [1, 2]);
  });
});

async function setUp(
  settings: unknown = {},
): Promise<{ hooks: Required<Hooks>; posted: StoreWrite[][] }> {
  const clock = new FakeClock();
  const posted: StoreWrite[][] = [];
  const store = openMemoryStore({ clock });
  const host: Host = {
    name: "usage",
    store: prefixedStore(store, "usage"),
    shared: new Sharing(store, clock).of("usage"),
    matchesGlob,
    ledger: {
      // deno-lint-ignore require-await
      post: async (writes) => void posted.push([...writes]),
      settled: () => Promise.resolve(),
    },
    keys: { verify: () => ({ ok: false, reason: "unknown" }), used: () => undefined },
    log: openLog({ level: "info", format: "json", write: () => {} }),
    clock,
    memory: new Map(),
  };
  const plugin = builtins.usage?.({ define: (one) => one as Plugin, z }) as Plugin;
  const hooks = await plugin.setup(plugin.schema.parse(settings), host) as Required<Hooks>;
  return { hooks, posted };
}

/** A request refused before its body was read. */
function refused(more: Partial<CompleteContext> = {}): CompleteContext {
  return {
    id: "req_1",
    endpoint: "messages",
    headers: new Headers(),
    startedAt: Date.UTC(2026, 10, 23, 12),
    state: {},
    principal: { id: "key_1", name: "test" },
    body: undefined,
    model: undefined,
    outcome: "rejected",
    status: 401,
    error: { type: "authentication_error", message: "no" },
    usage: null,
    billed: null,
    stopReason: null,
    served: undefined,
    timings: { firstByteMs: null, totalMs: 1 },
    message: undefined,
    signal: new AbortController().signal,
    ...more,
  };
}

Deno.test("record and sum are one posting; with records_days: 0 the sum alone", async () => {
  for (
    const [settings, partitions] of [
      [{}, [`rollup/${DAY}`, `records/${DAY}`]],
      [{ records_days: 0 }, [`rollup/${DAY}`]],
    ] as const
  ) {
    const { hooks, posted } = await setUp(settings);
    await hooks.onComplete(refused());
    assert.deepEqual(posted.map((writes) => writes.map(({ key }) => key[0])), [partitions]);
  }
});

Deno.test("who has no key, and who counts tokens, leaves nothing", async () => {
  const { hooks, posted } = await setUp();
  await hooks.onComplete(refused({ principal: undefined }));
  await hooks.onComplete(refused({ endpoint: "count_tokens" }));
  await hooks.onComplete(refused({ endpoint: "models" }));
  assert.deepEqual(posted, []);
});

Deno.test("figures out of their mind make no sum that the store refuses", async () => {
  const { hooks, posted } = await setUp();
  const usage = { input_tokens: 1e300, output_tokens: 1.5 };
  const price = { estimated: false, cost_usd: Infinity, nano_usd: Infinity, listed: true };
  await hooks.onComplete(refused({ billed: { usage, ...price } }));
  const sum = posted[0]?.find(({ add }) => add !== undefined)?.add ?? {};
  for (const [name, count] of Object.entries(sum)) {
    assert.ok(Number.isSafeInteger(count * 100), `${name}: ${count}`); // and so do a hundred of them
  }
  assert.equal(sum.output_tokens, 1);
});
