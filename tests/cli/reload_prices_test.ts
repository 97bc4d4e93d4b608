/** Prices are data: a file of one's own stands in the place of the shipped one, and is taken while the server runs. */
import assert from "node:assert/strict";
import { Prices } from "../../src/pricing/prices.ts";
import { parseScript } from "../../src/simulator/simulator.ts";
import { openMemoryStore } from "../../src/storage/memory.ts";
import { prefixedStore } from "../../src/storage/prefixed.ts";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, withHarness } from "../harness.ts";
import { inFolder } from "./outcrop.ts";

const QWEN = "qwen.qwen3-32b-v1:0"; // shipped: 0.15 $ a million tokens of input, 0.6 of output
const PLUGINS = "plugins: [ { use: auth }, { use: usage } ]\n";
const OWN = `${PLUGINS}pricing: ./prices.yaml\n`;

async function ask({ post, simulator }: Harness): Promise<void> {
  simulator.script(parseScript({
    json: {
      output: { message: { role: "assistant", content: [{ text: "hello" }] } },
      stopReason: "end_turn",
      usage: { inputTokens: 1_000, outputTokens: 100, totalTokens: 1_100 },
    },
  }));
  const body = { model: QWEN, max_tokens: 20, messages: [{ role: "user", content: "hi" }] };
  assert.equal((await (await post(body)).json()).type, "message");
}

Deno.test("prices of one's own, and changed ones at a reload, hold for the requests that come after; a bad file is refused whole", () =>
  inFolder(async (folder) => {
    const clock = new FakeClock();
    const store = openMemoryStore({ clock });
    const prices = (text: string) => Deno.writeTextFile(`${folder}/prices.yaml`, text);
    const options = { clock, simulatorClock: clock, store, config: PLUGINS, base: folder };
    await withHarness(options, async (harness) => {
      await ask(harness);
      await prices(
        'default: { input: 5, output: 25 }\nmodels: { "qwen.*": { input: 1, output: 2 } }\n',
      );
      assert.deepEqual(await harness.reload(OWN), []);
      await ask(harness);
      await prices("default: { input: 3, output: 4 }\n");
      await harness.reload(OWN);
      await ask(harness);
      await prices(
        "default: { input: 3, output: 4 }\nmodels:\n  qwen.*: { input: 1, output: -2 }\n",
      );
      await assert.rejects(
        harness.reload(`${OWN}models: { aliases: { late: sim.echo } }\n`),
        /prices\.yaml:3:31 as it must hold prices: models\.qwen\.\*\.output: /,
      );
      await ask(harness);
      const late = await harness.post({
        model: "late",
        max_tokens: 5,
        messages: [{ role: "user", content: "hi" }],
      });
      assert.equal(late.status, 404); // the rest of what was refused is not taken either
      await late.body?.cancel();
      await harness.reload(PLUGINS);
      await ask(harness);
    });
    const billed: (readonly [nano: number, listed: boolean])[] = [];
    const records = prefixedStore(store, "usage").list<{
      readonly nano_usd: number;
      readonly listed: boolean | null;
    }>("records/2026-11-23");
    for await (const { value: { nano_usd, listed } } of records) {
      if (listed !== null) billed.push([nano_usd, listed]);
    }
    assert.deepEqual(billed.toSorted(([a], [b]) => a - b), [
      [210_000, true], // 1,000 × 150 + 100 × 600, the shipped ones
      [210_000, true],
      [1_200_000, true], // 1,000 × 1,000 + 100 × 2,000
      [3_400_000, false], // 1,000 × 3,000 + 100 × 4,000, the default
      [3_400_000, false],
    ]);
  }));

const WRONG: readonly (readonly [what: string, yaml: string, wanted: RegExp])[] = [
  ["no YAML", "default: { input: 1\nmodels: [", /p\.yaml:\d:\d+ as it must be YAML: /],
  ["no default", "models: {}\n", /p\.yaml:1:1 .*default: /],
  [
    "a default of nothing",
    "default: { input: 0, output: 1 }\n",
    /p\.yaml:1:10 .*above 0.*not free/,
  ],
  ["a negative price", "default: { input: -1, output: 1 }\n", /p\.yaml:1:19 .*default\.input: /],
  ["a price in words", "default: { input: cheap, output: 1 }\n", /p\.yaml:1:19 .*default\.input: /],
  [
    "an unknown kind of token",
    "default: { input: 1, output: 1 }\nmodels:\n  a: { input: 1, output: 1, cached: 1 }\n",
    /p\.yaml:3:37 .*models\.a\.cached: /,
  ],
  [
    "a tier for nothing",
    "default: { input: 1, output: 1 }\ntiers: { flex: 0 }\n",
    /p\.yaml:2:16 .*tiers\.flex: /,
  ],
];

for (const [what, yaml, wanted] of WRONG) {
  Deno.test(`a file of prices with ${what} is refused with its line`, () => {
    assert.throws(() => Prices.parse(yaml, "p.yaml"), wanted);
  });
}
