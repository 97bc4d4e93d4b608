/** A client that tells how long it waits: it is not tried for longer, and hears of its stream before. */
import assert from "node:assert/strict";
import { patienceOf } from "../../src/anthropic/patience.ts";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, withHarness } from "../harness.ts";
import { settled } from "../wait.ts";
import { atOnce } from "./at_once.ts";

const QWEN = "qwen.qwen3-32b-v1:0";
const OTHER = "qwen.qwen3-coder-30b-a3b-v1:0";

function ask(mark: string, stream: boolean) {
  return {
    model: QWEN,
    max_tokens: 50,
    stream,
    messages: [{ role: "user", content: `[[sim:${mark}]]` }],
  };
}

function throttle(harness: Harness, retryAfter: string): void {
  harness.simulator.script({
    status: 429,
    headers: { "x-amzn-errortype": "ThrottlingException:", "retry-after": retryAfter },
    body: '{"message":"slow down"}',
  });
}

for (const header of ["x-stainless-timeout", "x-stainless-read-timeout"]) {
  Deno.test(`no further try begins after a client has given up (${header})`, async () => {
    const clock = new FakeClock(Date.now());
    await withHarness({ clock }, async (harness) => {
      throttle(harness, "4");
      const asked = harness.post(ask("echo", false), { [header]: "3" });
      const response = await atOnce(harness, { clock, asked });
      assert.equal(response.status, 429);
      assert.equal(response.headers.get("retry-after"), "4");
      await response.text();
      assert.equal(harness.simulator.requests.length, 1);
    });
  });
}

Deno.test("a client with more patience than retry_for_s is tried for no longer than that", async () => {
  const clock = new FakeClock(Date.now());
  await withHarness({ clock }, async (harness) => {
    throttle(harness, "9");
    const asked = harness.post(ask("echo", false), { "x-stainless-timeout": "600" });
    const response = await atOnce(harness, { clock, asked });
    assert.equal(response.status, 429);
    await response.text();
    assert.equal(harness.simulator.requests.length, 1);
  });
});

Deno.test("retry_for_s is for the model and its fallbacks together", async () => {
  const clock = new FakeClock(Date.now());
  const config = `models: { aliases: { main: { model: "${QWEN}", fallback: ["${OTHER}"] } } }\n`;
  await withHarness({ clock, config }, async (harness) => {
    for (let at = 0; at < 3; at++) throttle(harness, "5");
    const pending = harness.post({ ...ask("echo", false), model: "main" });
    await settled(() => harness.log.some((line) => line.includes("Trying again in")));
    clock.advance(5_200);
    const response = await atOnce(harness, { clock, asked: pending });
    assert.equal(response.status, 429);
    await response.text();
    const asked = harness.simulator.requests.map(({ modelId }) => modelId);
    assert.deepEqual(asked, [QWEN, QWEN, OTHER], "the fallback is asked, and once");
  });
});

Deno.test("a client that waits a while is tried again within it", async () => {
  const clock = new FakeClock(Date.now());
  await withHarness({ clock }, async (harness) => {
    throttle(harness, "4");
    const pending = harness.post(ask("echo", false), { "x-stainless-timeout": "6" });
    await settled(() => harness.log.some((line) => line.includes("Trying again in")));
    clock.advance(4_200); // what retry-after asks for, and the jitter on top
    const response = await pending;
    assert.equal(response.status, 200);
    await response.text();
  });
});

Deno.test("a stream's head, and its pings, come within half of its client's patience", async () => {
  const clock = new FakeClock(Date.now());
  await withHarness({ clock }, async (harness) => {
    const pending = harness.post(ask("stall", true), { "x-stainless-read-timeout": "8" });
    await harness.simulator.waitFor(() => true);
    await settled(() => clock.pending >= 2);
    clock.advance(4_000);
    const response = await pending;
    assert.equal(response.status, 200);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    for (let at = 0; at < 3; at++) {
      const { value } = await reader.read();
      assert.match(new TextDecoder().decode(value), /^event: ping/);
      clock.advance(4_000);
    }
    await reader.cancel();
    await harness.simulator.waitFor(({ aborted }) => aborted);
  });
});

Deno.test("patienceOf() takes seconds, and nothing else", () => {
  const told = (value: string) => patienceOf(new Headers({ "x-stainless-timeout": value }));
  assert.equal(told("600"), 600_000);
  assert.equal(told("0.5"), 500);
  for (const nothing of ["", "0", "-1", "NaN", "soon", "None", "1 s"]) {
    assert.equal(told(nothing), Infinity, nothing);
  }
  assert.equal(patienceOf(new Headers()), Infinity);
});
