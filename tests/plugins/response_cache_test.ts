/** An answer that was given once is given again: to whom, for how long, in which shape. */
import assert from "node:assert/strict";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, parseSse, withHarness } from "../harness.ts";
import { withPlugins } from "../pipeline/plugins.ts";

const config = (settings = "{}", more = "") =>
  `plugins: [ { use: auth }, { use: response_cache, with: ${settings} }, { use: usage } ]\n${more}`;
const question = (more: object = {}) => ({
  model: "sim.echo",
  max_tokens: 50,
  temperature: 0,
  messages: [{ role: "user", content: "say it" }],
  ...more,
});

interface Given {
  readonly cache: string | null;
  readonly text: string;
}

/** What a request is given, and whether Bedrock was asked for it. */
async function given(
  { post, simulator }: Harness,
  body: object,
  headers: Record<string, string> = {},
): Promise<Given & { asked: number }> {
  const before = simulator.requests.length;
  const response = await post(body, headers);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const cache = response.headers.get("x-outcrop-cache");
  return { cache, text, asked: simulator.requests.length - before };
}

function contentOf(text: string): unknown {
  return JSON.parse(text).content;
}

function streamedText(text: string): string {
  return parseSse(text).map(({ data }) => data.delta?.text ?? "").join("");
}

Deno.test("the second of two equal requests is answered without Bedrock, streamed or not alike", async () => {
  await withHarness({ config: config() }, async (harness) => {
    const first = await given(harness, question());
    assert.deepEqual([first.cache, first.asked], ["miss", 1]);
    const second = await given(harness, question());
    assert.deepEqual([second.cache, second.asked], ["hit", 0]);
    assert.deepEqual(JSON.parse(second.text), JSON.parse(first.text));
    const streamed = await given(harness, question({ stream: true }));
    assert.deepEqual([streamed.cache, streamed.asked], ["hit", 0]);
    assert.equal(parseSse(streamed.text).at(-1)?.event, "message_stop");
    assert.deepEqual(
      [{ type: "text", text: streamedText(streamed.text) }],
      contentOf(first.text),
    );
  });
});

Deno.test("an answer that was streamed is given again whole", async () => {
  await withHarness({ config: config() }, async (harness) => {
    const streamed = await given(harness, question({ stream: true }));
    assert.equal(streamed.cache, "miss");
    const again = await given(harness, question());
    assert.deepEqual([again.cache, again.asked], ["hit", 0]);
    assert.deepEqual(contentOf(again.text), [{ type: "text", text: streamedText(streamed.text) }]);
  });
});

Deno.test("what is not the same request is not answered by another's answer", async () => {
  await withHarness({ config: config() }, async (harness) => {
    await given(harness, question());
    const others: [object, Record<string, string>?][] = [
      [{ max_tokens: 51 }],
      [{ system: "s" }],
      [{ messages: [{ role: "user", content: "say it " }] }],
      [{ model: "sim.tool" }],
      [{}, { "anthropic-beta": "interleaved-thinking-2025-05-14" }],
    ];
    for (const [more, headers] of others) {
      const { cache, asked } = await given(harness, question(more), headers);
      assert.deepEqual([cache, asked], ["miss", 1], JSON.stringify(more));
    }
    const same = { metadata: { user_id: "u" }, messages: question().messages };
    assert.equal((await given(harness, question(same))).cache, "hit");
  });
});

Deno.test("requests that are not deterministic are cached by mark or rule only", async () => {
  await withHarness({ config: config("{ models: [sim.tool*] }") }, async (harness) => {
    const warm = question({ temperature: 0.5 });
    assert.equal((await given(harness, warm)).cache, null);
    assert.equal((await given(harness, warm, { "x-outcrop-cache": "allow" })).cache, "miss");
    assert.equal((await given(harness, warm, { "x-outcrop-cache": "allow" })).cache, "hit");
    assert.deepEqual(await given(harness, warm).then(({ cache, asked }) => [cache, asked]), [
      null,
      1,
    ]);
    const bypassed = await given(harness, question(), { "x-outcrop-cache": "bypass" });
    assert.deepEqual([bypassed.cache, bypassed.asked], [null, 1]);
  });
  await withHarness(
    { config: config("{ deterministic: false, models: [sim.e*] }") },
    async (harness) => {
      assert.equal((await given(harness, question({ temperature: 1 }))).cache, "miss");
      assert.equal((await given(harness, question({ temperature: 1 }))).cache, "hit");
    },
  );
});

Deno.test("a key is never given another's answer, unless its user's, its team's or all keys share them", async () => {
  const shares: Record<string, readonly string[]> = {
    key: ["miss", "miss", "miss", "miss"],
    user: ["miss", "hit", "miss", "miss"],
    team: ["miss", "hit", "hit", "miss"],
    all: ["miss", "hit", "hit", "hit"],
  };
  for (const [shared, wanted] of Object.entries(shares)) {
    await withHarness({ config: config(`{ shared_by: ${shared} }`) }, async (harness) => {
      const { keys } = harness.gateway;
      const holders = [
        { name: "a", user: "ann", team: "red" },
        { name: "b", user: "ann", team: "red" },
        { name: "c", user: "cem", team: "red" },
        { name: "d" },
      ];
      const got: (string | null)[] = [];
      for (const holder of holders) {
        const { key } = await keys.create(holder);
        harness.secrets.add(key);
        got.push((await given(harness, question(), { "x-api-key": key })).cache);
      }
      assert.deepEqual(got, wanted, shared);
    });
  }
});

Deno.test("who shows no key has no answers of their own", async () => {
  const open = "plugins: [ { use: auth, with: { required: false } }, { use: response_cache } ]\n";
  await withHarness({ config: open }, async ({ url }) => {
    for (let n = 0; n < 2; n++) {
      const response = await fetch(`${url}/v1/messages`, {
        method: "POST",
        body: JSON.stringify(question()),
      });
      await response.text();
      assert.equal(response.headers.get("x-outcrop-cache"), null);
    }
  });
});

Deno.test("an answer is kept for its time, over a reload too", async () => {
  const clock = new FakeClock();
  const options = { config: config("{ ttl_s: 60 }"), clock, simulatorClock: clock };
  await withHarness(options, async (harness) => {
    await given(harness, question());
    await harness.reload(config("{ ttl_s: 60 }", "tiers: { default: default }\n"));
    clock.advance(59_999);
    assert.equal((await given(harness, question())).cache, "hit");
    clock.advance(1);
    assert.equal((await given(harness, question())).cache, "miss");
  });
});

Deno.test("answers beyond max_mb push out the least lately used", async () => {
  await withHarness({ config: config("{ max_mb: 0.01 }") }, async (harness) => {
    const ask = (n: number) =>
      given(
        harness,
        question({
          messages: [{ role: "user", content: `[[sim:echo]] ${n} ${"x".repeat(4_000)}` }],
        }),
      );
    await ask(1);
    await ask(2);
    assert.equal((await ask(1)).cache, "hit");
    await ask(3); // no room for three: 2 was used least lately
    assert.equal((await ask(1)).cache, "hit");
    assert.equal((await ask(2)).cache, "miss");
  });
});

Deno.test("a hit costs nothing, and plugins before the cache see it as they see a miss", async () => {
  const outer = `setup: () => ({
    onEvent(event) {
      if (event.type !== "content_block_delta" || event.delta.type !== "text_delta") return;
      return { ...event, delta: { ...event.delta, text: event.delta.text + "!" } };
    },
    onComplete(ctx) { globalThis.bills = [...globalThis.bills ?? [], ctx.billed]; },
  })`;
  await withPlugins([{ name: "outer", definition: outer }], async (harness) => {
    await harness.reload(
      "plugins: [ { use: auth }, { use: ./outer.ts }, { use: response_cache } ]\n",
    );
    const miss = await given(harness, question());
    const hit = await given(harness, question());
    assert.deepEqual([miss.cache, hit.cache], ["miss", "hit"]);
    assert.deepEqual(contentOf(hit.text), contentOf(miss.text));
    const [paid, free] = (globalThis as unknown as { bills: unknown[] }).bills;
    assert.ok(paid !== null && free === null);
  });
});

Deno.test("an answer that failed or was refused is not kept", async () => {
  await withHarness({ config: config("{}", "limits: { retries: 0 }\n") }, async (harness) => {
    const failing = question({
      messages: [{ role: "user", content: "[[sim:throttle]]" }],
    });
    const first = await harness.post(failing);
    await first.body?.cancel();
    const second = await harness.post(failing);
    await second.body?.cancel();
    assert.ok(first.status >= 400 && second.headers.get("x-outcrop-cache") === "miss");
  });
});
