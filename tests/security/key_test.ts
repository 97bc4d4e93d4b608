/** Attacks on keys: guessing by time or by words, showing them where they are none, carrying them on. */
import assert from "node:assert/strict";
import { z } from "zod";
import auth from "../../plugins/auth.ts";
import type { Host, Plugin, RequestContext } from "../../src/pipeline/plugin.ts";
import { type Harness, withHarness } from "../harness.ts";

const QWEN = "qwen.qwen3-32b-v1:0";
const ASK = {
  model: QWEN,
  max_tokens: 9,
  messages: [{ role: "user", content: "[[sim:echo]] hi" }],
};

/** A request that shows `key`, to `auth` with this master key; who it was taken for, or `refused`. */
async function openAuth(master_key: string): Promise<(key: string) => string> {
  const define = (plugin: Plugin): Plugin => plugin;
  const plugin = auth({ define, z } as unknown as Parameters<typeof auth>[0]) as Plugin;
  const settings = plugin.schema?.parse({ master_key });
  const keys = { verify: () => ({ ok: false, reason: "unknown" }), used: () => {} };
  const hooks = await plugin.setup(settings as never, { keys } as unknown as Host);
  return (key) => {
    let told = "";
    const ctx = {
      headers: { get: (name: string) => name === "x-api-key" ? key : null, has: () => true },
      reject: () => told = "refused",
      set principal({ id }: { id: string }) {
        told = id;
      },
    };
    hooks.onRequest?.(ctx as unknown as RequestContext);
    return told;
  };
}

Deno.test("how long a master key's check takes does not tell how much of it was right", async () => {
  const size = 2_000_000; // a check that ends at the first difference would be some thousand times faster
  const right = "k".repeat(size);
  const check = await openAuth(right);
  const guesses = { early: `x${right.slice(1)}`, late: `${right.slice(0, -1)}x` };
  const fastest = { early: Infinity, late: Infinity };
  for (let times = 0; times < 12; times++) {
    for (const name of ["early", "late"] as const) {
      const start = performance.now();
      assert.equal(check(guesses[name]), "refused");
      fastest[name] = Math.min(fastest[name], performance.now() - start);
    }
  }
  assert.equal(check(right), "master");
  const ratio = fastest.late / fastest.early;
  assert.ok(ratio > 0.3 && ratio < 3, `a late difference took ${ratio} times an early one's time`);
});

/** A key with another letter at this place. */
function changed(key: string, place: number): string {
  return key.slice(0, place) + (key[place] === "0" ? "1" : "0") + key.slice(place + 1);
}

Deno.test("each letter of a key counts, and the words of a refusal do not tell which was wrong", () =>
  withHarness({}, async ({ post, key, secrets }) => {
    const words = new Set<string>();
    for (let place = "sk-oc-".length; place < key.length; place++) {
      if (key[place] === "-") continue;
      const guess = changed(key, place);
      const response = await post(ASK, { "x-api-key": guess });
      const { error } = await response.json();
      assert.equal(response.status, 401, `place ${place}`);
      words.add(error.message);
    }
    assert.equal(words.size, 1, [...words].join("\n"));
    secrets.add(key.slice(-20));
  }));

Deno.test("a key that was revoked is told so to who shows its text; a guess at it learns nothing", () =>
  withHarness({}, async ({ post, gateway }) => {
    const { record, key } = await gateway.keys.create({ name: "gone" });
    await gateway.keys.revoke(record.id);
    const said = async (text: string) =>
      (await (await post(ASK, { "x-api-key": text })).json()).error.message;
    assert.match(await said(key), /was revoked/);
    assert.doesNotMatch(await said(changed(key, key.length - 10)), /revoked/);
  }));

const NOT_THERE: Record<string, (harness: Harness) => Promise<Response>> = {
  "in the query": ({ url, key }) =>
    fetch(`${url}/v1/models?key=${key}&api_key=${key}&x-api-key=${key}`),
  "in a cookie": ({ url, key }) =>
    fetch(`${url}/v1/models`, { headers: { cookie: `x-api-key=${key}; authorization=${key}` } }),
  "in the body": ({ url, key }) =>
    fetch(`${url}/v1/messages`, {
      method: "POST",
      body: JSON.stringify({ ...ASK, api_key: key, "x-api-key": key }),
    }),
  "as another scheme": ({ url, key }) =>
    fetch(`${url}/v1/models`, { headers: { authorization: `Basic ${btoa(`me:${key}`)}` } }),
  "with more behind it": ({ url, key }) =>
    fetch(`${url}/v1/models`, { headers: { "x-api-key": `${key} ${key}` } }),
  "twice": ({ url, key }) =>
    fetch(`${url}/v1/models`, { headers: [["x-api-key", key], ["x-api-key", "sk-oc-other"]] }),
};

for (const [where, send] of Object.entries(NOT_THERE)) {
  Deno.test(`a key ${where} is none`, () =>
    withHarness({}, async (harness) => {
      const response = await send(harness);
      harness.secrets.show("an error", await response.text());
      assert.equal(response.status, 401);
      assert.equal(harness.simulator.requests.length, 0);
    }));
}

for (const name of ["x-api-key", "authorization"]) {
  Deno.test(`a client's key in ${name} is not carried on to Bedrock`, () =>
    withHarness({}, async ({ url, key, simulator }) => {
      const response = await fetch(`${url}/v1/messages`, {
        method: "POST",
        headers: { [name]: name === "authorization" ? `Bearer ${key}` : key },
        body: JSON.stringify(ASK),
      });
      assert.equal(response.status, 200, await response.text());
      const [request] = simulator.requests;
      const seen = [...request?.headers ?? [], request?.text ?? "", request?.path ?? ""].join();
      assert.ok(seen.includes("AWS4-HMAC-SHA256"));
      assert.ok(!seen.includes(key.slice("sk-oc-".length)));
    }));
}
