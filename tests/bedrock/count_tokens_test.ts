/** Who is asked for a count, and who is not asked again. */
import assert from "node:assert/strict";
import { parseScript } from "../../src/simulator/simulator.ts";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, withHarness } from "../harness.ts";
import { settled } from "../wait.ts";

const PERMISSION = {
  status: 403,
  headers: { "x-amzn-errortype": "AccessDeniedException" },
  json: { message: "not authorized to perform bedrock-mantle:CountTokens" },
};
const MALFORMED = {
  status: 400,
  headers: { "x-amzn-errortype": "ValidationException" },
  json: { message: "messages.0.content.0: text content blocks must be non-empty" },
};
const FAILED = {
  status: 500,
  headers: { "x-amzn-errortype": "InternalServerException" },
  json: { message: "try again" },
};

/** Asks for a count of a model that only mantle counts; who counted. */
async function count({ url, key, secrets }: Harness): Promise<string | null> {
  const response = await fetch(`${url}/v1/messages/count_tokens`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": key },
    body: JSON.stringify({
      model: "claude-opus-5-5",
      messages: [{ role: "user", content: "hi" }],
    }),
  });
  assert.equal(response.status, 200);
  const { input_tokens } = await (await secrets.answer(response)).json();
  assert.ok(input_tokens > 0);
  return response.headers.get("x-outcrop-token-source");
}

function test(name: string, run: (harness: Harness, clock: FakeClock) => Promise<void>): void {
  Deno.test(`count_tokens ${name}`, () => {
    const clock = new FakeClock();
    return withHarness({ clock, simulatorClock: clock }, (harness) => run(harness, clock));
  });
}

test("asks again at once after a body that was refused", async (harness) => {
  harness.simulator.script(parseScript(MALFORMED));
  assert.equal(await count(harness), "estimate");
  assert.equal(await count(harness), "mantle");
});

test("does not ask for ten minutes who has no right to tell", async (harness, clock) => {
  harness.simulator.script(parseScript(PERMISSION));
  assert.equal(await count(harness), "estimate");
  clock.advance(9 * 60_000);
  assert.equal(await count(harness), "estimate");
  assert.equal(harness.simulator.requests.length, 1);
  clock.advance(60_000);
  assert.equal(await count(harness), "mantle");
});

test("asks again soon after a failure, and later after another", async (harness, clock) => {
  harness.simulator.script(parseScript(FAILED));
  harness.simulator.script(parseScript(FAILED));
  assert.equal(await count(harness), "estimate");
  clock.advance(30_000);
  assert.equal(await count(harness), "estimate");
  assert.equal(harness.simulator.requests.length, 2);
  clock.advance(30_000);
  assert.equal(await count(harness), "estimate");
  assert.equal(harness.simulator.requests.length, 2);
  clock.advance(90_000);
  assert.equal(await count(harness), "mantle");
});

test("waits three seconds for who does not answer, and estimates then", async (harness, clock) => {
  harness.simulator.script({ status: 200, headers: {}, stream: () => [{ kind: "stall" }] });
  let counted = false;
  const counting = count(harness).finally(() => counted = true);
  const asked = await harness.simulator.waitFor(({ path }) => path.endsWith("/count_tokens"));
  clock.advance(2_999);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(counted, false);
  clock.advance(1);
  await settled(() => asked.aborted);
  assert.equal(await counting, "estimate");
  assert.equal(await count(harness), "estimate");
  assert.equal(harness.simulator.requests.length, 1); // nor asked again at once
});
