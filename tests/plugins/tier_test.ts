/** `tier`, and what comes after it: which tier is asked for, what is done where a model refuses it, what is billed. */
import assert from "node:assert/strict";
import { parseScript } from "../../src/simulator/simulator.ts";
import { openMemoryStore } from "../../src/storage/memory.ts";
import { prefixedStore } from "../../src/storage/prefixed.ts";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, withHarness } from "../harness.ts";

const QWEN = "qwen.qwen3-32b-v1:0"; // 0.15 $ a million tokens of input, 0.6 of output; flex is half of it
const OTHER = "qwen.qwen3-coder-30b-a3b-v1:0";
const HAIKU = "claude-haiku-4-5";
const PLUGINS = "plugins: [ { use: auth }, { use: tier }, { use: usage } ]\n";

type Tier = "default" | "priority" | "flex" | "reserved";

function ask(model: string) {
  return { model, max_tokens: 100, messages: [{ role: "user", content: "hi" }] };
}

interface Tiers {
  readonly key?: Tier;
  readonly alias?: Tier;
  readonly rule?: Tier;
  readonly default?: Tier;
}

function configOf(tiers: Tiers, model: string): string {
  const alias = tiers.alias === undefined ? "" : `, tier: ${tiers.alias}`;
  const rule = tiers.rule === undefined ? "" : `rules: [ { models: "*", tier: ${tiers.rule} } ]`;
  const all = [tiers.default === undefined ? "" : `default: ${tiers.default}`, rule];
  return `${PLUGINS}models: { aliases: { mine: { model: "${model}"${alias} } } }\n` +
    `tiers: { ${all.filter((one) => one !== "").join(", ")} }\n`;
}

/** The tier that Bedrock was asked for: a field of Converse, a header of InvokeModel. */
async function askedFor(tiers: Tiers, model: string): Promise<string | undefined> {
  let asked: string | undefined;
  await withHarness({ config: configOf(tiers, model) }, async (harness) => {
    const { key } = await harness.gateway.keys.create({
      name: "k",
      ...(tiers.key === undefined ? {} : { tier: tiers.key }),
    });
    const response = await harness.post(ask("mine"), { "x-api-key": key });
    assert.equal(response.status, 200, await response.text());
    const [request] = harness.simulator.requests;
    const field = JSON.parse(request?.text ?? "{}").serviceTier?.type;
    asked = field ?? request?.headers.get("x-amzn-bedrock-service-tier") ?? undefined;
  });
  return asked;
}

const ORDER: readonly (readonly [tiers: Tiers, wanted: Tier | undefined])[] = [
  [{ key: "flex", alias: "priority", rule: "reserved", default: "priority" }, "flex"],
  [{ alias: "priority", rule: "flex", default: "flex" }, "priority"],
  [{ rule: "priority", default: "flex" }, "priority"],
  [{ default: "flex" }, "flex"],
  [{}, undefined],
  [{ key: "default", alias: "priority", rule: "priority", default: "priority" }, undefined],
];

for (const [tiers, wanted] of ORDER) {
  for (const [model, how] of [[QWEN, "a field of Converse"], [HAIKU, "a header of InvokeModel"]]) {
    Deno.test(`of ${JSON.stringify(tiers)} ${wanted ?? "none"} is asked for, as ${how}`, async () => {
      assert.equal(await askedFor(tiers, model ?? ""), wanted);
    });
  }
}

function served(inputTokens: number, outputTokens: number, tier?: string) {
  return parseScript({
    json: {
      output: { message: { role: "assistant", content: [{ text: "hello" }] } },
      stopReason: "end_turn",
      usage: { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens },
      ...(tier === undefined ? {} : { serviceTier: { type: tier } }),
    },
  });
}

const REFUSED = parseScript({
  status: 400,
  headers: { "x-amzn-errortype": "ValidationException:" },
  json: { message: "The provided service tier is not supported for this model." },
});

interface Recorded {
  readonly base_model: string;
  readonly tier: string;
  readonly nano_usd: number;
}

Deno.test("a model that refuses its tier is asked once more, on the default; that is remembered of it alone, reported and priced", async () => {
  const clock = new FakeClock();
  const store = openMemoryStore({ clock });
  const config = `${PLUGINS}limits: { retries: 0 }\n`;
  await withHarness({ clock, simulatorClock: clock, store, config }, async (harness) => {
    const { key } = await harness.gateway.keys.create({ name: "k", tier: "flex" });
    const post = async (model: string) => {
      const before = harness.simulator.requests.length;
      const response = await harness.post(ask(model), { "x-api-key": key });
      const { usage } = await response.json();
      return {
        told: usage?.service_tier,
        dropped: response.headers.get("x-outcrop-dropped"),
        asked: tiersOf(harness, before),
      };
    };
    harness.simulator.script(REFUSED);
    harness.simulator.script(served(1_000, 100));
    const standard = { told: "standard", dropped: "service_tier" };
    assert.deepEqual(await post(QWEN), { ...standard, asked: ["flex", undefined] });
    harness.simulator.script(served(1_000, 100));
    assert.deepEqual(await post(QWEN), { ...standard, asked: [undefined] });
    harness.simulator.script(served(1_000, 100, "flex"));
    assert.deepEqual((await post(OTHER)).asked, ["flex"]);
    clock.advance(25 * 3_600_000); // it is forgotten after a day
    harness.simulator.script(served(1_000, 100, "flex"));
    assert.deepEqual((await post(QWEN)).asked, ["flex"]);
    await harness.gateway.services.background.settled();
  });
  const records: Recorded[] = [];
  for (const day of ["2026-11-23", "2026-11-24"]) {
    for await (const { value } of prefixedStore(store, "usage").list<Recorded>(`records/${day}`)) {
      if (value.base_model === QWEN) records.push(value);
    }
  }
  // 1,000 × 150 + 100 × 600 = 210,000; on flex half of it
  assert.deepEqual(records.map(({ tier, nano_usd }) => [tier, nano_usd]), [
    ["default", 210_000],
    ["default", 210_000],
    ["flex", 105_000],
  ]);
});

/** The tiers asked for since the request with this number. */
function tiersOf({ simulator }: Harness, since: number): (string | undefined)[] {
  return simulator.requests.slice(since).map(({ text }) => JSON.parse(text).serviceTier?.type);
}

Deno.test("what Bedrock says it served with is reported and priced, whatever was asked for", async () => {
  await withHarness({ config: `${PLUGINS}tiers: { default: priority }\n` }, async (harness) => {
    harness.simulator.script(served(1_000, 100, "flex"));
    const response = await harness.post(ask(QWEN));
    assert.equal((await response.json()).usage.service_tier, "standard");
    assert.equal(tiersOf(harness, 0)[0], "priority");
  });
});

Deno.test("a key's tier is for the model that is asked for; a fallback has that of its own rule", async () => {
  const config = `${PLUGINS}limits: { retries: 0 }
models: { aliases: { mine: { model: "${QWEN}", fallback: ["${OTHER}", "${HAIKU}"] } } }
tiers: { rules: [ { models: "${OTHER}", tier: priority } ] }
`;
  await withHarness({ config }, async (harness) => {
    const { key } = await harness.gateway.keys.create({ name: "k", tier: "flex" });
    for (let at = 0; at < 2; at++) {
      harness.simulator.script(parseScript({
        status: 503,
        headers: { "x-amzn-errortype": "ServiceUnavailableException:" },
        json: { message: "down" },
      }));
    }
    const response = await harness.post(ask("mine"), { "x-api-key": key });
    assert.equal(response.status, 200, await response.text());
    const asked = harness.simulator.requests.map(({ text, headers }) =>
      JSON.parse(text).serviceTier?.type ?? headers.get("x-amzn-bedrock-service-tier")
    );
    assert.deepEqual(asked, ["flex", "priority", null]);
  });
});
