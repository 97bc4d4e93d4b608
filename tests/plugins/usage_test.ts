/** What `usage` records of requests, and what it sums. */
import assert from "node:assert/strict";
import { parseScript } from "../../src/simulator/simulator.ts";
import { openMemoryStore } from "../../src/storage/memory.ts";
import { prefixedStore } from "../../src/storage/prefixed.ts";
import type { Entry, Store } from "../../src/storage/store.ts";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, withHarness } from "../harness.ts";

const HAIKU = "claude-haiku-4-5"; // 1 in, 5 out
const DAY = "2026-11-23"; // at which the fake clock begins, at noon
const DAY_MS = 86_400_000;

type Facts = Record<string, unknown>;

function withUsage(
  run: (harness: Harness) => Promise<void>,
  { store, clock, settings = "", config = "" }: {
    store: Store;
    clock: FakeClock;
    settings?: string;
    config?: string;
  },
): Promise<void> {
  return withHarness({
    clock,
    simulatorClock: clock,
    store,
    config: `plugins: [ { use: auth }, { use: usage, with: { ${settings} } } ]\n${config}`,
  }, run);
}

async function listed<T>(store: Store, partition: string): Promise<Entry<T>[]> {
  return await Array.fromAsync(prefixedStore(store, "usage").list<T>(partition));
}

function ask(model: string = HAIKU, more: Facts = {}) {
  return { model, max_tokens: 100, messages: [{ role: "user", content: "hi" }], ...more };
}

function claude(usage: Facts, headers: Record<string, string> = {}) {
  return parseScript({
    headers,
    json: {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "claude",
      content: [{ type: "text", text: "hello" }],
      stop_reason: "end_turn",
      stop_sequence: null,
      usage,
    },
  });
}

async function sent(harness: Harness, body: unknown, headers: Record<string, string> = {}) {
  const response = await harness.post(body, headers);
  await response.text();
  return response;
}

Deno.test("a record tells everything of a request but its contents", async () => {
  const clock = new FakeClock();
  const store = openMemoryStore({ clock });
  let id = "";
  let bedrockId = "";
  let keyId = "";
  await withUsage(async (harness) => {
    const { key, record } = await harness.gateway.keys.create({
      name: "ci",
      user: "ann",
      team: "",
    });
    keyId = record.id;
    const usage = {
      input_tokens: 11,
      output_tokens: 2,
      cache_read_input_tokens: 30,
      cache_creation_input_tokens: 9,
      cache_creation: { ephemeral_5m_input_tokens: 4, ephemeral_1h_input_tokens: 5 },
    };
    harness.simulator.script(claude(usage, { "x-amzn-bedrock-service-tier": "flex" }));
    const response = await sent(harness, ask("mine"), {
      "x-api-key": key,
      "user-agent": `claude-cli/2.1 ${"u".repeat(300)}`,
      "x-claude-code-session-id": "session-1",
      "x-claude-code-agent-id": "agent-1",
    });
    id = response.headers.get("request-id") ?? "";
    bedrockId = response.headers.get("x-amzn-requestid") ?? "";
  }, { store, clock, config: `models: { aliases: { mine: ${HAIKU} } }\n` });
  const [entry, ...others] = await listed(store, `records/${DAY}`);
  assert.deepEqual(others, []);
  assert.equal(entry?.key[1], `2026-11-23T12:00:00.000Z/${id}`);
  assert.match(bedrockId, /^[0-9a-f-]{36}$/);
  assert.deepEqual(entry?.value, {
    id,
    at: "2026-11-23T12:00:00.000Z",
    key_id: keyId,
    key_name: "ci",
    user: "ann",
    team: "",
    model: "mine",
    model_id: "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    base_model: "anthropic.claude-haiku-4-5-20251001-v1:0",
    route: "invoke",
    tier: "flex",
    region: "us-east-1",
    input_tokens: 11,
    output_tokens: 2,
    cache_read_input_tokens: 30,
    cache_write_5m_tokens: 4,
    cache_write_1h_tokens: 5,
    nano_usd: 19_500, // half of 11 × 1,000 + 2 × 5,000 + 30 × 100 + 4 × 1,250 + 5 × 2,000
    listed: true,
    estimated: false,
    total_ms: 0,
    first_byte_ms: 0,
    stop_reason: "end_turn",
    outcome: "ok",
    status: 200,
    error_type: null,
    user_agent: `claude-cli/2.1 ${"u".repeat(185)}`,
    session_id: "session-1",
    agent_id: "agent-1",
    bedrock_request_id: bedrockId,
  });
});

Deno.test("refusals, failures and aborts are recorded, and cost what Bedrock did for them", async () => {
  const clock = new FakeClock();
  const store = openMemoryStore({ clock });
  await withUsage(async (harness) => {
    await sent(harness, ask(), { "x-api-key": "wrong" });
    clock.advance(1);
    await sent(harness, "{");
    clock.advance(1);
    await sent(harness, ask("nothing-of-that-name"));
    clock.advance(1);
    await sent(
      harness,
      ask("qwen.qwen3-32b-v1:0", {
        messages: [{ role: "user", content: "[[sim:error-500]]" }],
      }),
    );
    clock.advance(1);
    const start = {
      type: "message_start",
      message: {
        id: "m",
        type: "message",
        role: "assistant",
        model: "m",
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { input_tokens: 40, output_tokens: 1 },
      },
    };
    harness.simulator.script(parseScript({ anthropic: [start] })); // and then the end, before the answer's own
    await sent(harness, ask(HAIKU, { stream: true }));
    clock.advance(1);
    const gone = new AbortController();
    const pending = fetch(`${harness.url}/v1/messages`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": harness.key },
      body: JSON.stringify(ask(HAIKU, { messages: [{ role: "user", content: "[[sim:stall]]" }] })),
      signal: gone.signal,
    });
    const rejected = assert.rejects(pending, { name: "AbortError" });
    await harness.simulator.waitFor(({ text, finished }) => text.includes("stall") && !finished);
    gone.abort();
    await rejected;
    await harness.simulator.waitFor(({ aborted }) => aborted);
  }, { store, clock, config: "limits: { retries: 0 }\n" });
  const records = (await listed<Facts>(store, `records/${DAY}`)).map(({ value }) => [
    value.outcome,
    value.status,
    value.error_type,
    value.key_name,
    value.model,
    value.base_model,
    value.nano_usd,
    value.estimated,
  ]);
  const haiku = "anthropic.claude-haiku-4-5-20251001-v1:0";
  assert.deepEqual(records, [
    ["rejected", 400, "invalid_request_error", "test", null, null, 0, false],
    ["rejected", 404, "not_found_error", "test", "nothing-of-that-name", null, 0, false],
    ["failed", 500, "api_error", "test", "qwen.qwen3-32b-v1:0", null, 0, false],
    ["failed", 200, "api_error", "test", HAIKU, haiku, 45_000, true], // 40 × 1,000 + 1 × 5,000
    ["aborted", 499, null, "test", HAIKU, null, 0, false],
  ]);
  const sums = await listed<Facts>(store, `rollup/${DAY}`);
  const total = (name: string) => sums.reduce((sum, { value }) => sum + Number(value[name]), 0);
  assert.deepEqual(
    ["requests", "failed", "estimated", "nano_usd", "input_tokens", "output_tokens"].map(total),
    [5, 2, 1, 45_000, 40, 1],
  );
});

Deno.test("sums are by hour, key, user, team and model, and no name is taken for another", async () => {
  const clock = new FakeClock(Date.UTC(2026, 10, 23, 22, 59, 59, 999));
  const store = openMemoryStore({ clock });
  const ids: string[] = [];
  await withUsage(async (harness) => {
    const holders = [
      { name: "a", user: 'u","t', team: "" },
      { name: "b", user: "u", team: 't","' },
      { name: "c", user: "u\u0000/\n", team: "\ud800🌍" },
      { name: "d" },
    ];
    for (const fields of holders) {
      const { key, record } = await harness.gateway.keys.create(fields);
      ids.push(record.id);
      for (let turn = 0; turn < 2; turn++) {
        harness.simulator.script(claude({ input_tokens: 5, output_tokens: 1 }));
        await sent(harness, ask(), { "x-api-key": key });
      }
    }
    clock.advance(1); // the next hour, and the same day
    await sent(harness, ask("nothing"));
    clock.advance(3_600_000); // the next day
    await sent(harness, ask("nothing"));
  }, { store, clock });
  const sums = await listed<Facts>(store, `rollup/${DAY}`);
  const places = sums.map(({ key, value }) => [...JSON.parse(key[1]), value.requests]);
  const [a, b, c, d] = ids;
  const byKey = places.filter(([hour]) => hour === "2026-11-23T22");
  assert.deepEqual(
    byKey,
    [
      ["2026-11-23T22", a, 'u","t', "", HAIKU, 2],
      ["2026-11-23T22", b, "u", 't","', HAIKU, 2],
      ["2026-11-23T22", c, "u\u0000/\n", "\ud800🌍", HAIKU, 2],
      ["2026-11-23T22", d, null, null, HAIKU, 2],
    ].sort(([, one], [, other]) => String(one) < String(other) ? -1 : 1),
  );
  assert.deepEqual(places.slice(4).map(([hour, , , , model, n]) => [hour, model, n]), [
    ["2026-11-23T23", "nothing", 1],
  ]);
  assert.deepEqual(sums[0]?.value, {
    requests: 2,
    input_tokens: 10,
    output_tokens: 2,
    cache_read_input_tokens: 0,
    cache_write_5m_tokens: 0,
    cache_write_1h_tokens: 0,
    nano_usd: 20_000, // twice 5 × 1,000 + 1 × 5,000
    failed: 0,
    estimated: 0,
  });
  assert.equal((await listed(store, "rollup/2026-11-24")).length, 1);
});

Deno.test("names of any length are told apart by their beginning and digest", async () => {
  const clock = new FakeClock();
  const store = openMemoryStore({ clock });
  await withUsage(async (harness) => {
    for (const end of ["a", "b", "b"]) await sent(harness, ask("\u0001".repeat(2_000) + end));
  }, { store, clock });
  const sums = await listed<Facts>(store, `rollup/${DAY}`);
  assert.deepEqual(sums.map(({ value }) => value.requests).sort(), [1, 2]);
  for (const { key } of sums) assert.ok(key[1].length < 990);
  const models = (await listed<Facts>(store, `records/${DAY}`)).map(({ value }) => value.model);
  assert.equal(new Set(models).size, 2);
  for (const model of models) {
    assert.equal(String(model).slice(0, 25), `${"\u0001".repeat(24)}…`);
    assert.match(String(model).slice(25), /^[0-9a-f]{16}$/);
  }
});

const LIVES: readonly (readonly [settings: string, record: number, sum: number])[] = [
  ["records_days: 2, rollup_days: 5", 2, 6], // the sum's day lives as a whole, and five more
  ["", 30, 401],
];

for (const [settings, recordDays, sumDays] of LIVES) {
  Deno.test(`records and sums live as long as they shall (${settings || "by default"})`, async () => {
    const clock = new FakeClock();
    const store = openMemoryStore({ clock });
    await withUsage((harness) => sent(harness, "{").then(() => {}), { store, clock, settings });
    const [record] = await listed(store, `records/${DAY}`);
    const [sum] = await listed(store, `rollup/${DAY}`);
    assert.equal(record?.expiresAt, Date.UTC(2026, 10, 23, 12) + recordDays * DAY_MS);
    assert.equal(sum?.expiresAt, Date.UTC(2026, 10, 23) + sumDays * DAY_MS);
  });
}
