/** `auth`, through HTTP: who comes in, to which models, until when; and what bad keys cost. */
import assert from "node:assert/strict";
import { openMemoryStore } from "../../src/storage/memory.ts";
import type { KeyFields } from "../../src/storage/keys.ts";
import type { Store, StoreKey } from "../../src/storage/store.ts";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, type HarnessOptions, withHarness } from "../harness.ts";
import { settled } from "../wait.ts";

const MASTER = "master-key-of-the-auth-tests";
const CLAUDE = "claude-haiku-4-5";

interface Served extends Harness {
  readonly clock: FakeClock;
  make(fields?: Partial<KeyFields>): Promise<{ id: string; key: string }>;
  statusOf(key: string, model?: string): Promise<number>;
}

function serving(
  settings: string,
  run: (served: Served) => Promise<void>,
  options: HarnessOptions = {},
): Promise<void> {
  const clock = new FakeClock();
  const config = `plugins: [ { use: auth, with: ${settings} } ]\n`;
  return withHarness({ clock, simulatorClock: clock, config, ...options }, (harness) => {
    const ask = (model: string) => ({
      model,
      max_tokens: 20,
      messages: [{ role: "user", content: "hi" }],
    });
    return run({
      ...harness,
      clock,
      make: async (fields = {}) => {
        const { record, key } = await harness.gateway.keys.create({ name: "one", ...fields });
        harness.secrets.add(key);
        return { id: record.id, key };
      },
      statusOf: async (key, model = CLAUDE) => {
        const response = await harness.post(ask(model), { "x-api-key": key });
        await response.body?.cancel();
        return response.status;
      },
    });
  });
}

/** A store whose reads can be counted, failed and held back. */
function openTrickyStore(clock: FakeClock) {
  const inner = openMemoryStore({ clock });
  const state = { mode: "works" as "works" | "fails" | "hangs", reads: 0 };
  const store: Store = new Proxy(inner, {
    get: (target, name) => {
      const member = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      if (name !== "get") return member.bind(target);
      return (key: StoreKey) => {
        state.reads++;
        if (state.mode === "fails") return Promise.reject(new Error("The store is down"));
        return state.mode === "hangs" ? new Promise(() => {}) : inner.get(key);
      };
    },
  });
  return { store, state };
}

Deno.test("a key comes in by x-api-key or as a bearer, or by both where they are the same", () =>
  serving("{}", async ({ url, make, key: other }) => {
    const { key } = await make();
    const get = async (headers: Record<string, string>) => {
      const response = await fetch(`${url}/v1/models?limit=1`, { headers });
      const { error } = await response.json();
      return [response.status, error?.type];
    };
    const refused = [401, "authentication_error"];
    assert.deepEqual(await get({ "x-api-key": key }), [200, undefined]);
    assert.deepEqual(await get({ authorization: `Bearer ${key}` }), [200, undefined]);
    assert.deepEqual(await get({ authorization: `bearer  ${key} ` }), [200, undefined]);
    assert.deepEqual(
      await get({ "x-api-key": key, authorization: `Bearer ${key}` }),
      [200, undefined],
    );
    assert.deepEqual(await get({ "x-api-key": key, authorization: `Bearer ${other}` }), refused);
    assert.deepEqual(await get({ authorization: key }), refused);
    assert.deepEqual(await get({}), refused);
  }));

const ENDPOINTS: readonly (readonly [method: string, path: string])[] = [
  ["POST", "/v1/messages"],
  ["POST", "/v1/messages/count_tokens"],
  ["GET", "/v1/models"],
  ["GET", `/v1/models/${CLAUDE}`],
  ["GET", "/metrics"],
];

/** Asks every endpoint; gives the statuses. */
async function askAll({ url }: Harness, key: string): Promise<number[]> {
  const statuses: number[] = [];
  for (const [method, path] of ENDPOINTS) {
    const response = await fetch(url + path, {
      method,
      headers: { "x-api-key": key },
      ...(method === "GET" ? {} : {
        body: JSON.stringify({
          model: CLAUDE,
          max_tokens: 20,
          messages: [{ role: "user", content: "hi" }],
        }),
      }),
    });
    await response.body?.cancel();
    statuses.push(response.status);
  }
  return statuses;
}

Deno.test("whoever shows no key that is in force is refused at every endpoint, and Bedrock is not asked", () =>
  serving("{}", async (served) => {
    const { clock, make, gateway, simulator } = served;
    const revoked = await make();
    await gateway.keys.revoke(revoked.id);
    const expired = await make({ expires_at: new Date(clock.now() + 60_000).toISOString() });
    const rotated = await make();
    await gateway.keys.rotate(rotated.id, 1_000);
    clock.advance(60_000);
    for (
      const key of ["", "sk-oc-nobody", "sk-ant-api03-x", revoked.key, expired.key, rotated.key]
    ) {
      assert.deepEqual(await askAll(served, key), [401, 401, 401, 401, 401], key.slice(0, 8));
    }
    assert.equal(simulator.requests.length, 0);
  }));

Deno.test("a key is refused from its end on, and within 2 s of its revocation", () =>
  serving("{}", async ({ clock, make, gateway, statusOf }) => {
    const short = await make({ expires_at: new Date(clock.now() + 10_000).toISOString() });
    const long = await make();
    assert.deepEqual([await statusOf(short.key), await statusOf(long.key)], [200, 200]);
    clock.advance(9_999);
    assert.equal(await statusOf(short.key), 200);
    clock.advance(1);
    assert.equal(await statusOf(short.key), 401);
    assert.equal(await statusOf(long.key), 200);
    await gateway.keys.revoke(long.id);
    clock.advance(2_000);
    assert.equal(await statusOf(long.key), 401);
  }));

Deno.test("a key's models are globs over the names that clients ask for, and count as they are changed", () =>
  serving("{}", async ({ clock, make, gateway, statusOf, post }) => {
    const { id, key } = await make({ models: ["claude-haiku-*", "fast"] });
    assert.equal(await statusOf(key, CLAUDE), 200);
    assert.equal(await statusOf(key, "fast"), 200);
    const raw = "us.anthropic.claude-haiku-4-5-20251001-v1:0"; // what claude-haiku-4-5 stands for
    assert.equal(await statusOf(key, raw), 403);
    const refused = await post(
      { model: "qwen.qwen3-32b-v1:0", max_tokens: 5, messages: [{ role: "user", content: "hi" }] },
      { "x-api-key": key },
    );
    const { error } = await refused.json();
    assert.deepEqual([refused.status, error.type], [403, "permission_error"]);
    assert.match(error.message, /qwen\.qwen3-32b-v1:0; it may use claude-haiku-\*, fast$/);
    await gateway.keys.update(id, { models: ["qwen.*"] });
    clock.advance(2_000);
    assert.equal(await statusOf(key, "qwen.qwen3-32b-v1:0"), 200);
    assert.equal(await statusOf(key, CLAUDE), 403);
  }, {
    config:
      "plugins: [ { use: auth } ]\nmodels: { aliases: { fast: { model: claude-haiku-4-5 } } }\n",
  }));

Deno.test("the master key comes in everywhere, and is in no store", () =>
  serving(`{ master_key: ${MASTER} }`, async (served) => {
    served.secrets.add(MASTER);
    assert.deepEqual(await askAll(served, MASTER), [200, 200, 200, 200, 200]);
    assert.equal(await served.statusOf(`${MASTER}x`), 401);
    assert.equal(await served.statusOf(MASTER.slice(0, -1)), 401);
    for await (const { name } of served.gateway.keys.list()) assert.equal(name, "test");
  }));

Deno.test("where no key is required a wrong one is not refused, and nobody is taken for another", () =>
  serving("{ required: false }", async (served) => {
    const { key } = await served.make({ models: ["qwen.*"] });
    assert.equal(await served.statusOf("sk-oc-nobody"), 200);
    const metrics = 403; // the master key's alone
    assert.deepEqual(await askAll(served, "sk-oc-nobody"), [200, 200, 200, 200, metrics]);
    assert.equal(await served.statusOf(key), 403);
  }));

Deno.test("the time of the last use is noted once a minute at most, and told", () =>
  serving("{}", async ({ clock, make, gateway, statusOf }) => {
    const { id, key } = await make();
    assert.equal((await gateway.keys.get(id))?.last_used_at, undefined);
    const first = new Date(clock.now()).toISOString();
    await statusOf(key);
    await gateway.keys.settled();
    assert.equal((await gateway.keys.get(id))?.last_used_at, first);
    clock.advance(59_999);
    await statusOf(key);
    await gateway.keys.settled();
    assert.equal((await gateway.keys.get(id))?.last_used_at, first);
    clock.advance(1);
    await statusOf(key);
    await gateway.keys.settled();
    assert.equal(
      (await gateway.keys.get(id))?.last_used_at,
      new Date(Date.parse(first) + 60_000).toISOString(),
    );
  }));

Deno.test("bad keys cost no reads of the store and grow nothing in it, however many", async () => {
  const clock = new FakeClock();
  const { store, state } = openTrickyStore(clock);
  await serving("{}", async ({ make, gateway, statusOf }) => {
    const { id, key } = await make();
    assert.equal(await statusOf(key), 200);
    await gateway.keys.settled();
    const before = state.reads;
    const letters = "0123456789abcdefghjkmnpqrstvwxyz";
    for (let n = 0; n < 300; n++) {
      const letter = letters[n % 32] ?? "";
      const place = 17 + n % 36; // somewhere in the secret
      const forged = key.slice(0, place) + letter + key.slice(place + 1);
      if (forged !== key) assert.equal(await statusOf(forged), 401);
    }
    assert.equal(state.reads, before);
    // Only one text of this key is ever asked for, and once in two seconds.
    await gateway.keys.rotate(id, 0);
    clock.advance(2_000);
    const then = state.reads;
    for (let n = 0; n < 50; n++) assert.equal(await statusOf(key), 401);
    assert.ok(state.reads - then <= 1, String(state.reads - then));
  }, { clock, simulatorClock: clock, store });
});

for (const mode of ["fails", "hangs"] as const) {
  for (const settings of ["{}", "{ required: false }"]) {
    Deno.test(`while the store ${mode} nobody comes in of whom nothing is known (with: ${settings})`, async () => {
      const clock = new FakeClock();
      const { store, state } = openTrickyStore(clock);
      await serving(settings, async ({ make, statusOf, simulator, log }) => {
        const { key } = await make();
        state.mode = mode;
        const pending = statusOf(key);
        if (mode === "hangs") {
          const reads = state.reads;
          await settled(() => state.reads > reads);
          clock.advance(2_000); // the hook's deadline
        }
        assert.equal(await pending, 500);
        assert.equal(simulator.requests.length, 0);
        assert.ok(log.some((line) => /failed in.*"plugin":"auth"/.test(line)), log.join("\n"));
      }, { clock, simulatorClock: clock, store });
    });
  }
}

Deno.test("auth cannot be opened by config.yaml", async () => {
  await assert.rejects(
    serving("{}", () => Promise.resolve(), {
      config: "plugins: [ { use: auth, on_error: continue } ]\n",
    }),
    /plugins\.0\.on_error: plugin auth says who comes in, and cannot be left out/,
  );
});
