/** A client that leaves, in whatever phase, leaves nothing behind. */
import assert from "node:assert/strict";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, withHarness } from "../harness.ts";
import { SEED } from "../seed.ts";
import { settled } from "../wait.ts";

const CONFIG = `
models:
  aliases:
    converse: qwen.qwen3-32b-v1:0
    invoke: { model: claude-haiku-4-5, route: invoke, fallback: [converse] }
    messages: { model: claude-haiku-4-5, route: messages }
    mantle: { model: claude-haiku-4-5, route: mantle }
`;
const ROUTES = ["converse", "invoke", "messages", "mantle"];

/** Numbers in [0, 1), the same for a seed. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

interface Leaving {
  readonly route: string;
  readonly stream: boolean;
  /** What the model does meanwhile. */
  readonly mark: string;
  /** Leaves when it has read so many chunks; undefined: before the answer's head. */
  readonly afterChunks: number | undefined;
  /** Turns of the event loop before it leaves. */
  readonly turns: number;
}

/** The phases: waiting for the first byte, between two tries, in mid-stream, before the body is sent. */
function leavings(random: () => number): Leaving[] {
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  return Array.from({ length: 1_000 }, () => {
    const phase = pick(["first byte", "backoff", "mid-stream", "any"]);
    const route = pick(ROUTES);
    const turns = Math.floor(random() * 40);
    switch (phase) {
      case "first byte":
        return { route, stream: random() < 0.5, mark: "stall", afterChunks: undefined, turns };
      case "backoff":
        return {
          route,
          stream: random() < 0.5,
          mark: "throttle-99",
          afterChunks: undefined,
          turns,
        };
      case "mid-stream":
        return { route, stream: true, mark: "stall-mid", afterChunks: 1, turns };
      default:
        return { route, stream: random() < 0.5, mark: "slow 1", afterChunks: undefined, turns };
    }
  });
}

async function turn(count: number): Promise<void> {
  for (let at = 0; at < count; at++) await new Promise((resolve) => setImmediate(resolve));
}

async function comeAndLeave(harness: Harness, one: Leaving): Promise<void> {
  const gone = new AbortController();
  const pending = fetch(`${harness.url}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": harness.key },
    body: JSON.stringify({
      model: one.route,
      max_tokens: 50,
      stream: one.stream,
      messages: [{ role: "user", content: `[[sim:${one.mark}]] ${crypto.randomUUID()}` }],
    }),
    signal: gone.signal,
  });
  const ended = pending.then((response) => response.body?.cancel(), () => undefined);
  if (one.afterChunks !== undefined) {
    const response = await pending;
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    for (let at = 0; at < one.afterChunks; at++) await reader.read();
    await turn(one.turns);
    gone.abort();
    return;
  }
  await turn(one.turns);
  gone.abort();
  await ended;
}

/** A client that leaves before it has sent its body. */
async function leaveInBody(harness: Harness): Promise<void> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: harness.server.port });
  await connection.write(
    new TextEncoder().encode(
      `POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: ${harness.key}\r\n` +
        `content-type: application/json\r\ncontent-length: 500\r\n\r\n{"model":"converse",`,
    ),
  );
  await turn(5);
  connection.close();
}

const BATCH = 50;

Deno.test("after 1,000 clients have left, no request to Bedrock is open and no timer is left", async () => {
  const clock = new FakeClock(Date.now());
  await withHarness({ clock, config: CONFIG }, async (harness) => {
    const before = clock.pending;
    const all = leavings(randomOf(SEED));
    const reached = { aborted: 0 };
    for (let at = 0; at < all.length; at += BATCH) {
      await Promise.all([
        ...all.slice(at, at + BATCH).map((one) => comeAndLeave(harness, one)),
        leaveInBody(harness),
      ]);
      await settled(() => harness.simulator.open === 0);
      reached.aborted += harness.simulator.requests.filter(({ aborted }) => aborted).length;
      harness.simulator.reset();
    }
    await settled(() => clock.pending === before);
    assert.equal(harness.simulator.open, 0);
    assert.equal(harness.gateway.services.background.size, 0);
    assert.ok(reached.aborted > 200, `requests that Bedrock saw the end of: ${reached.aborted}`);
    await harness.gateway.services.uses.free;
    const response = await harness.post({
      model: "converse",
      max_tokens: 50,
      messages: [{ role: "user", content: "[[sim:echo well]]" }],
    });
    assert.equal(response.status, 200);
    await response.text();
  });
});
