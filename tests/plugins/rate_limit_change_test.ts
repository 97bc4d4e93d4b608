/** Limits of `rate_limit` that change: of a key while it is used, of the settings by a reload. */
import assert from "node:assert/strict";
import { builtins } from "../../plugins/mod.ts";
import { parseConfig } from "../../src/config/load.ts";
import { loadPlugins } from "../../src/pipeline/load.ts";
import { type Server, startServer } from "../../src/server/server.ts";
import { Sharing } from "../../src/sharing/shared.ts";
import { DirectLedger } from "../../src/ledger/direct.ts";
import { openMemoryStore } from "../../src/storage/memory.ts";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, withHarness } from "../harness.ts";

const MODEL = "claude-haiku-4-5";

function ask(text: string = "hi", stream: boolean = false) {
  return { model: MODEL, max_tokens: 50, stream, messages: [{ role: "user", content: text }] };
}

/** Status, and `limit remaining reset` of requests per minute. */
async function send(url: string, key: string): Promise<string> {
  const response = await fetch(`${url}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": key },
    body: JSON.stringify(ask()),
  });
  await response.body?.cancel();
  const told = ["limit", "remaining", "reset"]
    .map((what) => response.headers.get(`anthropic-ratelimit-requests-${what}`));
  return [response.status, ...told, response.headers.get("retry-after")].join(" ").trim();
}

type Limits = Readonly<Record<string, number>> | null;

async function withKey(
  limits: Limits,
  run: (of: {
    harness: Harness;
    clock: FakeClock;
    use: () => Promise<string>;
    change: (limits: Limits) => Promise<unknown>;
  }) => Promise<void>,
): Promise<void> {
  const clock = new FakeClock();
  const config = "plugins: [ { use: auth }, { use: rate_limit } ]\n";
  await withHarness({ clock, simulatorClock: clock, config }, async (harness) => {
    const { keys } = harness.gateway;
    const fields = limits === null ? {} : { limits };
    const { key, record } = await keys.create({ name: "a key", ...fields });
    await run({
      harness,
      clock,
      use: () => send(harness.url, key),
      change: (changed) => keys.update(record.id, { limits: changed }),
    });
  });
}

Deno.test("a key's limit that is raised holds within 2 s, and what was used stays used", () =>
  withKey({ requests_per_minute: 2 }, async ({ clock, use, change }) => {
    assert.equal(await use(), "200 2 1 2026-11-23T12:00:30.000Z");
    assert.equal(await use(), "200 2 0 2026-11-23T12:01:00.000Z");
    await change({ requests_per_minute: 5 });
    clock.advance(1_999);
    assert.equal(await use(), "429 2 0 2026-11-23T12:01:00.000Z 29"); // 30 - 1.999 = 28.001 s
    clock.advance(1);
    // Used: 2 less 1/15, which 2 s at two a minute brought, and one more. 2.93 to fill at five a minute: 35.2 s.
    assert.equal(await use(), "200 5 2 2026-11-23T12:00:37.200Z");
  }));

Deno.test("a key's limit that is lowered holds within 2 s, and what was used stays used", () =>
  withKey({ requests_per_minute: 10 }, async ({ clock, use, change }) => {
    for (let round = 0; round < 7; round++) assert.match(await use(), /^200/);
    await change({ requests_per_minute: 5 });
    clock.advance(2_000);
    // Used: 7 less 1/3. Of five that leaves -5/3: 8/3 more at five a minute take 32 s, 20/3 take 80 s.
    assert.equal(await use(), "429 5 0 2026-11-23T12:01:22.000Z 32");
    clock.advance(31_999);
    assert.match(await use(), /^429/);
    clock.advance(1);
    assert.match(await use(), /^200/);
  }));

Deno.test("a limit that is taken away and given back has forgotten nothing, nor has time stood still", () =>
  withKey({ requests_per_minute: 2 }, async ({ clock, use, change }) => {
    for (let round = 0; round < 2; round++) assert.match(await use(), /^200/);
    await change(null);
    clock.advance(2_000);
    assert.equal(await use(), "200");
    await change({ requests_per_minute: 2 });
    clock.advance(2_000);
    assert.equal(await use(), "429 2 0 2026-11-23T12:01:00.000Z 26");
  }));

/** Two servers, one after the other, as before and after a reload: their plugins share one memory. */
async function withReloads(
  run: (of: {
    harness: Harness;
    clock: FakeClock;
    load: (settings: string) => Promise<Server>;
  }) => Promise<void>,
): Promise<void> {
  const clock = new FakeClock();
  const memory = new Map();
  const servers: Server[] = [];
  const store = openMemoryStore({ clock });
  const ledger = new DirectLedger(store, clock);
  const sharing = new Sharing(store, clock);
  await withHarness({ clock, simulatorClock: clock }, async (harness) => {
    const { services, keys } = harness.gateway;
    const { log } = services;
    const load = async (settings: string) => {
      const text = `plugins: [ { use: auth }, { use: rate_limit, with: ${settings} } ]\n`;
      const loaded = parseConfig(text, { file: "/config.yaml", env: () => undefined });
      const plugins = await loadPlugins({
        loaded,
        builtins,
        store,
        ledger,
        sharing,
        keys,
        log,
        clock,
        memory,
      });
      const source = { services: { ...services, plugins } };
      const server = startServer(source, { hostname: "127.0.0.1", port: 0 });
      servers.push(server);
      return server;
    };
    try {
      await run({ harness, clock, load });
    } finally {
      for (const server of servers) await server.stop();
    }
  });
}

Deno.test("a reload keeps what was used, and the new settings hold at the next request", () =>
  withReloads(async ({ harness, clock, load }) => {
    const before = await load("{ requests_per_minute: 3 }");
    assert.equal(await send(before.url, harness.key), "200 3 2 2026-11-23T12:00:20.000Z");
    assert.equal(await send(before.url, harness.key), "200 3 1 2026-11-23T12:00:40.000Z");
    const same = await load("{ requests_per_minute: 3 }");
    assert.equal(await send(same.url, harness.key), "200 3 0 2026-11-23T12:01:00.000Z");
    clock.advance(5_000); // a quarter of a request comes back
    const more = await load("{ requests_per_minute: 6 }");
    // Used: 2.75, and one more, of six: 3.75 at six a minute take 37.5 s.
    assert.equal(await send(more.url, harness.key), "200 6 2 2026-11-23T12:00:42.500Z");
  }));

Deno.test("a request that began before a reload keeps its slot, and gives it back after", () =>
  withReloads(async ({ harness, load }) => {
    const before = await load("{ concurrency: 1 }");
    const headers = { "content-type": "application/json", "x-api-key": harness.key };
    const body = JSON.stringify(ask("[[sim:stall-mid]]", true));
    const held = await fetch(`${before.url}/v1/messages`, { method: "POST", headers, body });
    const reader = (held.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    const after = await load("{ concurrency: 1 }");
    assert.match(await send(after.url, harness.key), /^429/);
    await reader.cancel();
    await harness.simulator.waitFor(({ aborted }) => aborted);
    assert.match(await send(after.url, harness.key), /^200/);
  }));

const WRONG: Readonly<Record<string, RegExp>> = {
  "{ request_per_minute: 3 }": /plugins\.1\.with\.request_per_minute/,
  "{ requests_per_minute: 0 }": /plugins\.1\.with\.requests_per_minute/,
  "{ team: { concurrency: 1.5 } }": /plugins\.1\.with\.team\.concurrency/,
};

for (const [settings, place] of Object.entries(WRONG)) {
  Deno.test(`settings that are none stop the start, with their place: ${settings}`, async () => {
    const config = `plugins: [ { use: auth }, { use: rate_limit, with: ${settings} } ]\n`;
    await assert.rejects(withHarness({ config }, () => Promise.resolve()), place);
  });
}

Deno.test("without auth before it, it does not start", async () => {
  const config = "plugins: [ { use: rate_limit } ]\n";
  await assert.rejects(
    withHarness({ config }, () => Promise.resolve()),
    /plugin rate_limit needs 'auth' before it/,
  );
});
