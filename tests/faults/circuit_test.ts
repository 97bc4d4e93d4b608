/** Which target is asked, how often, and what it means for who waits. */
import assert from "node:assert/strict";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, withHarness } from "../harness.ts";
import { settled } from "../wait.ts";
import { atOnce } from "./at_once.ts";

const QWEN = "qwen.qwen3-32b-v1:0";
const HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0";

const CONFIG = `
limits: { retries: 0 }
models: { aliases: { main: { model: claude-haiku-4-5, fallback: ["${QWEN}"] } } }
`;

function ask(model: string, text = "hi") {
  return { model, max_tokens: 50, messages: [{ role: "user", content: text }] };
}

function down(harness: Harness, headers: Record<string, string> = {}): void {
  harness.simulator.script({
    status: 503,
    headers: { "x-amzn-errortype": "ServiceUnavailableException:", ...headers },
    body: '{"message":"down"}',
  });
}

/** Models that Bedrock was asked for, since the last look. */
function askedModels({ simulator }: Harness): string[] {
  const models = simulator.requests.map(({ modelId }) => modelId);
  simulator.reset();
  return models;
}

async function served(harness: Harness, model = "main"): Promise<number> {
  const response = await harness.post(ask(model));
  await response.text();
  return response.status;
}

/** Asks with the first target down, until its circuit is open. */
async function openCircuit(harness: Harness): Promise<void> {
  for (let at = 0; at < 5; at++) {
    down(harness);
    assert.equal(await served(harness), 200);
    assert.deepEqual(askedModels(harness), [HAIKU, QWEN]);
  }
}

Deno.test("a target that keeps failing is asked behind its fallback, until a probe finds it well", async () => {
  const clock = new FakeClock(Date.now());
  await withHarness({ clock, config: CONFIG }, async (harness) => {
    await openCircuit(harness);
    for (let at = 0; at < 10; at++) assert.equal(await served(harness), 200);
    assert.deepEqual(askedModels(harness), Array(10).fill(QWEN));
    clock.advance(2_000);
    down(harness);
    await served(harness);
    assert.deepEqual(askedModels(harness), [HAIKU, QWEN], "one request finds out");
    clock.advance(2_000);
    await served(harness);
    assert.deepEqual(askedModels(harness), [QWEN], "the wait has doubled");
    clock.advance(2_000);
    await served(harness);
    assert.deepEqual(askedModels(harness), [HAIKU], "it is well");
    await served(harness);
    assert.deepEqual(askedModels(harness), [HAIKU], "and is asked first again");
    const log = harness.log.join("");
    assert.match(log, /Circuit of .* opens/);
    assert.match(log, /Circuit of .* closes/);
  });
});

Deno.test("a target behind an open circuit is still asked when its fallbacks fail too", async () => {
  const clock = new FakeClock(Date.now());
  await withHarness({ clock, config: CONFIG }, async (harness) => {
    await openCircuit(harness);
    down(harness);
    assert.equal(await served(harness), 200);
    assert.deepEqual(askedModels(harness), [QWEN, HAIKU]);
  });
});

Deno.test("a target is probed every 30 s at the latest, however long it has failed", async () => {
  const clock = new FakeClock(Date.now());
  await withHarness({ clock, config: CONFIG }, async (harness) => {
    await openCircuit(harness);
    for (const seconds of [2, 4, 8, 16, 30, 30, 30]) {
      clock.advance(seconds * 1_000 - 1);
      await served(harness);
      assert.deepEqual(askedModels(harness), [QWEN], `before ${seconds} s`);
      clock.advance(1);
      down(harness);
      await served(harness);
      assert.deepEqual(askedModels(harness), [HAIKU, QWEN], `after ${seconds} s`);
    }
  });
});

Deno.test("failures of those who ask it last do not put the next probe off", async () => {
  const clock = new FakeClock(Date.now());
  await withHarness({ clock, config: CONFIG }, async (harness) => {
    await openCircuit(harness);
    for (let at = 0; at < 4; at++) {
      clock.advance(499);
      down(harness);
      down(harness);
      assert.equal(await served(harness), 529);
      assert.deepEqual(askedModels(harness), [QWEN, HAIKU]);
    }
    clock.advance(4);
    await served(harness);
    assert.deepEqual(askedModels(harness), [HAIKU]);
  });
});

Deno.test("one request at a time finds out whether a target is well again", async () => {
  const clock = new FakeClock(Date.now());
  await withHarness({ clock, config: CONFIG }, async (harness) => {
    await openCircuit(harness);
    clock.advance(2_000);
    harness.simulator.script({
      status: 200,
      headers: {},
      stream: () => [{ kind: "stall" }],
    });
    const gone = new AbortController();
    const probe = fetch(`${harness.url}/v1/messages`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": harness.key },
      body: JSON.stringify({ ...ask("main"), stream: true }),
      signal: gone.signal,
    });
    await harness.simulator.waitFor(({ modelId }) => modelId === HAIKU);
    for (let at = 0; at < 5; at++) await served(harness);
    assert.deepEqual(askedModels(harness).slice(1), Array(5).fill(QWEN));
    gone.abort();
    await assert.rejects(probe);
    clock.advance(2_000);
    await served(harness);
    assert.deepEqual(askedModels(harness), [HAIKU], "a probe that was left holds nobody up");
  });
});

Deno.test("a target that stands alone is always asked, once and without waiting, while its circuit is open", async () => {
  const clock = new FakeClock(Date.now());
  const config = "limits: { retries: 2, retry_for_s: 8 }\n";
  await withHarness({ clock, config }, async (harness) => {
    const alone = "claude-haiku-4-5";
    for (let at = 0; at < 3; at++) {
      for (let tried = 0; tried < 3; tried++) down(harness, { "retry-after": "7" });
      const before = harness.log.length;
      const pending = harness.post(ask(alone));
      await settled(() =>
        harness.log.slice(before).some((line) => line.includes("Trying again in"))
      );
      clock.advance(7_200); // what retry-after asks for, and the jitter on top
      const response = await atOnce(harness, { clock, asked: pending });
      assert.equal(response.headers.get("retry-after"), "7");
      assert.equal(askedModels(harness).length, 2); // the third try would begin later than retry_for_s
    }
    for (let at = 0; at < 3; at++) {
      for (let tried = 0; tried < 3; tried++) down(harness, { "retry-after": "1" });
      const response = await atOnce(harness, { clock, asked: harness.post(ask(alone)) });
      assert.equal(response.status, 529);
      assert.equal(response.headers.get("retry-after"), "1");
      await response.text();
      assert.equal(askedModels(harness).length, 1);
    }
    assert.equal(await served(harness, alone), 200);
  });
});

Deno.test("a target that fails less than half of the time keeps its place", async () => {
  const clock = new FakeClock(Date.now());
  await withHarness({ clock, config: CONFIG }, async (harness) => {
    for (let at = 0; at < 30; at++) {
      if (at % 3 === 1) down(harness); // ten failures: enough, were they not so few of all
      assert.equal(await served(harness), 200);
      const asked = askedModels(harness);
      assert.deepEqual(asked, at % 3 === 1 ? [HAIKU, QWEN] : [HAIKU]);
    }
  });
});

Deno.test("failures long past are forgotten", async () => {
  const clock = new FakeClock(Date.now());
  await withHarness({ clock, config: CONFIG }, async (harness) => {
    for (let at = 0; at < 9; at++) {
      down(harness);
      assert.equal(await served(harness), 200);
      assert.deepEqual(askedModels(harness), [HAIKU, QWEN]);
      clock.advance(10_000);
    }
  });
});

Deno.test("refusals of what was asked open no circuit", async () => {
  const clock = new FakeClock(Date.now());
  await withHarness({ clock, config: CONFIG }, async (harness) => {
    for (let at = 0; at < 8; at++) {
      harness.simulator.script({
        status: 400,
        headers: { "x-amzn-errortype": "ValidationException:" },
        body: '{"message":"messages: no"}',
      });
      assert.equal(await served(harness), 400);
      assert.deepEqual(askedModels(harness), [HAIKU]);
    }
  });
});

Deno.test("streams that break after they began count against their target", async () => {
  const clock = new FakeClock(Date.now());
  await withHarness({ clock, config: CONFIG }, async (harness) => {
    for (let at = 0; at < 12; at++) {
      const response = await harness.post({
        ...ask("main", "[[sim:cut-mid]]"),
        stream: true,
      });
      assert.match(await response.text(), /event: error/);
    }
    const asked = askedModels(harness);
    assert.ok(asked.includes(QWEN), `asked: ${asked}`);
  });
});
