/** How long Bedrock may take: each deadline ends the call, and tells the client which one it was. */
import assert from "node:assert/strict";
import { Watch } from "../../src/bedrock/deadlines.ts";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, parseSse, withHarness } from "../harness.ts";
import { settled } from "../wait.ts";
import { atOnce } from "./at_once.ts";

const QWEN = "qwen.qwen3-32b-v1:0";
const CLAUDE = "claude-haiku-4-5";

const NO_RETRY = "limits: { retries: 0 }\n";

function ask(mark: string, over: { model?: string; stream?: boolean } = {}) {
  const { model = QWEN, stream = true } = over;
  return {
    model,
    max_tokens: 50,
    stream,
    messages: [{ role: "user", content: `[[sim:${mark}]]` }],
  };
}

function clockOfNow(): FakeClock {
  return new FakeClock(Date.now()); // the signature's date must be now
}

interface Told {
  readonly type: string;
  readonly error: { readonly type: string; readonly message: string };
}

async function lastEvent(response: Response): Promise<Told> {
  const events = parseSse(await response.text());
  assert.ok(events.every(({ event }) => event !== "message_stop"));
  return events.at(-1)?.data as unknown as Told;
}

/** The requests of Bedrock's side that are under way, once there are so many. */
async function reached(harness: Harness, count: number): Promise<void> {
  await settled(() => harness.simulator.requests.length === count);
}

for (const model of [QWEN, CLAUDE]) {
  Deno.test(`a stream that falls silent ends as a timeout_error after idle_s (${model})`, async () => {
    const clock = clockOfNow();
    await withHarness({ clock, config: NO_RETRY }, async (harness) => {
      const response = await harness.post(ask("stall-mid", { model }));
      const ended = lastEvent(response);
      await settled(() => harness.gateway.services.background.size === 0 && clock.pending >= 2);
      for (let at = 0; at < 30; at++) {
        clock.advance(10_000);
        await new Promise((resolve) => setImmediate(resolve));
      }
      const { error } = await ended;
      assert.equal(error.type, "timeout_error");
      assert.equal(error.message, "Amazon Bedrock fell silent for 300 s: try again");
      await harness.simulator.waitFor(({ aborted }) => aborted);
      await settled(() => clock.pending === 0);
    });
  });
}

Deno.test("a stream whose first event does not come ends as a timeout_error after first_byte_s", async () => {
  const clock = clockOfNow();
  const config = "limits: { retries: 0, deadlines: { first_byte_s: 15 } }\n";
  await withHarness({ clock, config }, async (harness) => {
    const pending = harness.post(ask("stall"));
    await reached(harness, 1);
    clock.advance(15_000);
    const response = await pending;
    assert.equal(response.status, 504);
    assert.deepEqual((await response.json()).error, {
      type: "timeout_error",
      message: "Amazon Bedrock did not answer within 15 s: try again",
    });
    await harness.simulator.waitFor(({ aborted }) => aborted);
    await settled(() => clock.pending === 0);
  });
});

Deno.test("an answer that does not stream has whole_s, not first_byte_s", async () => {
  const clock = clockOfNow();
  const config = "limits: { retries: 0, deadlines: { first_byte_s: 15, whole_s: 40 } }\n";
  await withHarness({ clock, config }, async (harness) => {
    const pending = harness.post(ask("stall", { stream: false }));
    await reached(harness, 1);
    clock.advance(39_000);
    assert.equal(harness.simulator.open, 1);
    clock.advance(1_000);
    const response = await pending;
    assert.equal(response.status, 504);
    assert.match((await response.json()).error.message, /within 40 s/);
  });
});

Deno.test("an answer that is never done ends after total_s, however lively it is, and is not tried again", async () => {
  const clock = clockOfNow();
  const config = "limits: { deadlines: { total_s: 60 } }\n";
  await withHarness({ clock, simulatorClock: clock, config }, async (harness) => {
    const response = await harness.post(ask("slow 7000"));
    const ended = lastEvent(response);
    for (let at = 0; at < 60; at++) {
      await settled(() => clock.pending >= 3);
      clock.advance(1_000);
    }
    const { error } = await ended;
    assert.equal(error.message, "Amazon Bedrock did not end its answer within 60 s");
    assert.equal(harness.simulator.requests.length, 1);
  });
});

for (const stream of [true, false]) {
  Deno.test(`what has not begun within total_s is not tried again, nor elsewhere (stream: ${stream})`, async () => {
    const clock = clockOfNow();
    const config = `
limits: { deadlines: { total_s: 3 } }
models: { aliases: { main: { model: amazon.nova-2-lite-v1:0, fallback: ["${QWEN}"] } } }
`;
    await withHarness({ clock, config }, async (harness) => {
      const asked = harness.post(ask("stall", { model: "main", stream }));
      await reached(harness, 1);
      clock.advance(3_000);
      const response = await atOnce(harness, { clock, asked });
      assert.equal(response.status, 504);
      const { error } = await response.json();
      assert.equal(error.message, "Amazon Bedrock did not end its answer within 3 s");
      assert.equal(harness.simulator.requests.length, 1);
      assert.ok(!harness.log.some((line) => line.includes("Trying again in")));
    });
  });
}

Deno.test("total_s is for the model and its fallbacks together", async () => {
  const clock = clockOfNow();
  const config = `
limits: { retries: 0, deadlines: { total_s: 3 } }
models: { aliases: { main: { model: ${CLAUDE}, fallback: ["${QWEN}", "deepseek.v3.2"] } } }
`;
  await withHarness({ clock, config }, async (harness) => {
    harness.simulator.script({
      status: 503,
      headers: { "x-amzn-errortype": "ServiceUnavailableException:" },
      body: '{"message":"down"}',
    });
    const asked = harness.post(ask("stall", { model: "main" }));
    await reached(harness, 2);
    clock.advance(3_000);
    const response = await atOnce(harness, { clock, asked });
    assert.equal(response.status, 504, await response.text());
    assert.equal(harness.simulator.requests.length, 2);
  });
});

Deno.test("a connection that is not made ends after connect_s", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const connection of listener) accepted.push(connection); // and never a word of TLS
  })();
  const clock = clockOfNow();
  const endpoint = `https://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`;
  await withHarness({ clock, endpoint, config: NO_RETRY }, async (harness) => {
    const pending = harness.post(ask("agent"));
    await settled(() => accepted.length === 1);
    await settled(() => clock.pending >= 2);
    clock.advance(4_000);
    const response = await pending;
    assert.equal(response.status, 504);
    assert.equal(
      (await response.json()).error.message,
      "Amazon Bedrock could not be reached within 4 s: try again",
    );
    await settled(() => clock.pending === 0);
  });
  listener.close();
  for (const connection of accepted) connection.close();
  await accepting;
});

Deno.test("an alias has its own deadlines, and a fallback is asked when one of them has passed", async () => {
  const clock = clockOfNow();
  const config = `
limits: { retries: 0 }
models:
  aliases:
    quick:
      model: amazon.nova-2-lite-v1:0
      fallback: [${QWEN}]
      deadlines: { first_byte_s: 5 }
`;
  await withHarness({ clock, config }, async (harness) => {
    harness.simulator.script({ status: 200, headers: {}, stream: () => [{ kind: "stall" }] });
    const pending = harness.post(ask("echo hello", { model: "quick" }));
    await reached(harness, 1);
    clock.advance(5_000);
    await reached(harness, 2);
    const response = await pending;
    assert.equal(response.status, 200);
    assert.match(await response.text(), /message_stop/);
    assert.deepEqual(harness.simulator.requests.map(({ modelId }) => modelId), [
      "us.amazon.nova-2-lite-v1:0",
      QWEN,
    ]);
  });
});

Deno.test("a client that reads slowly is no silence of Bedrock's", () => {
  const clock = new FakeClock();
  const deadlines = {
    connectMs: 4_000,
    firstByteMs: 60_000,
    idleMs: 30_000,
    wholeMs: 60_000,
    totalMs: 3_600_000,
  };
  const { signal } = new AbortController();
  const watch = new Watch({ clock, deadlines, endsAt: 3_600_000, streamed: true, signal });
  watch.arrived(); // and nobody asks for the next event for a while
  clock.advance(500_000);
  const told = () => watch.failure?.message ?? "nothing";
  assert.equal(told(), "nothing");
  watch.waiting();
  clock.advance(29_999);
  assert.equal(told(), "nothing");
  clock.advance(1);
  assert.equal(told(), "Amazon Bedrock fell silent for 30 s: try again");
  watch.end();
  assert.equal(clock.pending, 0);
});
