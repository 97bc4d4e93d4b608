/** What `rate_limit` admits, refuses and tells, through HTTP, with figures worked out by hand. */
import assert from "node:assert/strict";
import type { KeyFields } from "../../src/storage/key_record.ts";
import { parseScript } from "../../src/simulator/simulator.ts";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, withHarness } from "../harness.ts";

const MODEL = "claude-haiku-4-5";
const MASTER = "master-key-of-the-tests";

/** Nine input tokens by estimate: 4 for the request, 4 for the message, 0.94 for the word, rounded up. */
function ask(max_tokens = 50) {
  return { model: MODEL, max_tokens, messages: [{ role: "user", content: "hi" }] };
}

/** What the next request is billed. */
function bill(harness: Harness, input_tokens: number, output_tokens: number): void {
  const usage = { input_tokens, output_tokens };
  const message = { id: "msg_1", type: "message", role: "assistant", model: MODEL, usage };
  const content = [{ type: "text", text: "ok" }];
  harness.simulator.script(
    parseScript({ json: { ...message, content, stop_reason: "end_turn", stop_sequence: null } }),
  );
}

async function withLimits(
  settings: string,
  run: (harness: Harness, clock: FakeClock) => Promise<void>,
): Promise<void> {
  const clock = new FakeClock(); // 2026-11-23T12:00:00Z
  const auth = `{ use: auth, with: { required: false, master_key: ${MASTER} } }`;
  const config = `plugins: [ ${auth}, { use: rate_limit, with: ${settings} } ]\n`;
  await withHarness({ clock, simulatorClock: clock, config }, (harness) => run(harness, clock));
}

async function keyOf(harness: Harness, fields: Partial<KeyFields>): Promise<string> {
  return (await harness.gateway.keys.create({ name: "a key", ...fields })).key;
}

/** Status and, of a refusal, `retry-after` and message. */
async function send(harness: Harness, key?: string, body: unknown = ask()) {
  const response = await harness.post(body, key === undefined ? {} : { "x-api-key": key });
  const { error } = await response.json();
  const { status, headers } = response;
  return { status, headers, retryAfter: headers.get("retry-after"), error };
}

/** `limit remaining reset` of one kind. */
function told({ headers }: { headers: Headers }, kind: string): string {
  return ["limit", "remaining", "reset"]
    .map((what) => headers.get(`anthropic-ratelimit-${kind}-${what}`)).join(" ");
}

Deno.test("requests per minute: a bucket of three refills one request in 20 s", () =>
  withLimits("{ requests_per_minute: 3 }", async (harness, clock) => {
    assert.equal(told(await send(harness), "requests"), "3 2 2026-11-23T12:00:20.000Z");
    assert.equal(told(await send(harness), "requests"), "3 1 2026-11-23T12:00:40.000Z");
    assert.equal(told(await send(harness), "requests"), "3 0 2026-11-23T12:01:00.000Z");
    const refused = await send(harness);
    assert.equal(refused.status, 429);
    assert.equal(refused.retryAfter, "20");
    assert.deepEqual(refused.error, {
      type: "rate_limit_error",
      message:
        "Cannot admit this request as the requests per minute of this key are limited to 3: " +
        "try again in 20 s, or ask the gateway's operator for a higher limit",
    });
    assert.equal(told(refused, "requests"), "3 0 2026-11-23T12:01:00.000Z");
    assert.equal(refused.headers.get("anthropic-ratelimit-input-tokens-limit"), null);
    clock.advance(19_999);
    const early = await send(harness);
    assert.deepEqual([early.status, early.retryAfter], [429, "1"]);
    clock.advance(1);
    assert.equal((await send(harness)).status, 200);
    assert.equal((await send(harness)).status, 429); // the refused ones took nothing, and left nothing
    clock.advance(3_600_000);
    assert.equal(told(await send(harness), "requests"), "3 2 2026-11-23T13:00:40.000Z"); // never above three
    assert.equal(harness.simulator.requests.length, 5);
  }));

Deno.test("input tokens per minute: 600 are reserved by estimate and refill ten a second", () =>
  withLimits(
    "{ requests_per_minute: 100, input_tokens_per_minute: 600 }",
    async (harness, clock) => {
      bill(harness, 595, 1);
      const first = await send(harness);
      assert.equal(told(first, "input-tokens"), "600 591 2026-11-23T12:00:00.900Z"); // 600 - 9, as reserved
      const refused = await send(harness); // 5 are left of the nine it takes: 4 more come in 400 ms
      assert.deepEqual([refused.status, refused.retryAfter], [429, "1"]);
      assert.match(
        refused.error.message,
        /the input tokens per minute of this key are limited to 600: try again in 1 s/,
      );
      assert.equal(told(refused, "input-tokens"), "600 5 2026-11-23T12:00:59.500Z");
      assert.equal(told(refused, "requests"), "100 98 2026-11-23T12:00:01.200Z"); // it counts as a request
      clock.advance(399);
      assert.equal((await send(harness)).status, 429);
      clock.advance(1);
      const admitted = await send(harness);
      assert.equal(admitted.status, 200);
      assert.equal(told(admitted, "input-tokens"), "600 0 2026-11-23T12:01:00.400Z");
    },
  ));

Deno.test("output tokens per minute: max_tokens is reserved, 4,096 and the whole bucket at most", () =>
  withLimits("{ output_tokens_per_minute: 6000 }", async (harness, clock) => {
    const key = await keyOf(harness, { limits: { output_tokens_per_minute: 1_000 } });
    bill(harness, 9, 0);
    const bounded = await send(harness, undefined, ask(64_000)); // 6,000 - 4,096; 100 come a second
    assert.equal(told(bounded, "output-tokens"), "6000 1904 2026-11-23T12:00:40.960Z");
    bill(harness, 9, 30);
    const whole = await send(harness, key, ask(64_000));
    assert.equal(told(whole, "output-tokens"), "1000 0 2026-11-23T12:01:00.000Z");
    const refused = await send(harness, key, ask(64_000)); // 970 are left: 30 more in 1.8 s
    assert.deepEqual([refused.status, refused.retryAfter], [429, "2"]);
    assert.match(
      refused.error.message,
      /the output tokens per minute of this key are limited to 1000/,
    );
    clock.advance(1_799);
    assert.equal((await send(harness, key, ask(64_000))).status, 429);
    clock.advance(1);
    assert.equal((await send(harness, key, ask(64_000))).status, 200);
  }));

Deno.test("retry-after is 60 at most, and the message tells the whole wait", () =>
  withLimits("{ input_tokens_per_minute: 60 }", async (harness, clock) => {
    bill(harness, 360, 1); // 300 are owed: with the nine it takes, 309 s
    assert.equal((await send(harness)).status, 200);
    const refused = await send(harness);
    assert.deepEqual([refused.status, refused.retryAfter], [429, "60"]);
    assert.match(refused.error.message, /try again in 309 s/);
    assert.equal(told(refused, "input-tokens"), "60 0 2026-11-23T12:06:00.000Z");
    clock.advance(308_999);
    assert.equal((await send(harness)).status, 429);
    clock.advance(1);
    assert.equal((await send(harness)).status, 200);
  }));

Deno.test("a key's own figures win one by one over the plugin's", () =>
  withLimits("{ requests_per_minute: 3, output_tokens_per_minute: 6000 }", async (harness) => {
    const key = await keyOf(harness, {
      limits: { requests_per_minute: 5, input_tokens_per_minute: 900 },
    });
    const response = await send(harness, key);
    assert.equal(told(response, "requests"), "5 4 2026-11-23T12:00:12.000Z");
    assert.equal(told(response, "input-tokens"), "900 891 2026-11-23T12:00:00.600Z");
    assert.equal(told(response, "output-tokens"), "6000 5950 2026-11-23T12:00:00.500Z");
    assert.equal(told(await send(harness), "requests"), "3 2 2026-11-23T12:00:20.000Z");
  }));

Deno.test("a key without any limit is told of none", () =>
  withLimits("{}", async (harness) => {
    const { status, headers } = await send(harness);
    assert.equal(status, 200);
    assert.deepEqual([...headers.keys()].filter((name) => name.includes("ratelimit")), []);
  }));

for (const scope of ["user", "team"]) {
  Deno.test(`two keys of a ${scope} share its limits, and a third key of another has its own`, () =>
    withLimits(`{ ${scope}: { requests_per_minute: 2 } }`, async (harness, clock) => {
      const [one, two, other] = await Promise.all([
        keyOf(harness, { [scope]: "ann" }),
        keyOf(harness, { [scope]: "ann" }),
        keyOf(harness, { [scope]: "bob" }),
      ]);
      assert.equal(told(await send(harness, one), "requests"), "2 1 2026-11-23T12:00:30.000Z");
      assert.equal(told(await send(harness, two), "requests"), "2 0 2026-11-23T12:01:00.000Z");
      const refused = await send(harness, one);
      assert.deepEqual([refused.status, refused.retryAfter], [429, "30"]);
      assert.match(
        refused.error.message,
        new RegExp(`the requests per minute of ${scope} 'ann' are limited to 2:`),
      );
      assert.equal((await send(harness, other)).status, 200);
      assert.equal((await send(harness)).status, 200); // a key of nobody
      clock.advance(30_000);
      assert.equal((await send(harness, two)).status, 200);
    }));
}

Deno.test("a request is admitted in all scopes or in none, and headers tell of the scope with the least left", () => {
  const team = "team: { requests_per_minute: 2, output_tokens_per_minute: 100 }";
  const settings = `{ requests_per_minute: 5, input_tokens_per_minute: 600, ${team} }`;
  return withLimits(settings, async (harness, clock) => {
    const key = await keyOf(harness, { team: "core" });
    bill(harness, 9, 80);
    assert.equal(told(await send(harness, key), "requests"), "2 1 2026-11-23T12:00:30.000Z");
    const noTokens = await send(harness, key); // 20 of the 50 output tokens are left: 30 more in 18 s
    assert.deepEqual([noTokens.status, noTokens.retryAfter], [429, "18"]);
    assert.match(
      noTokens.error.message,
      /output tokens per minute of team 'core' are limited to 100:/,
    );
    assert.equal(told(noTokens, "input-tokens"), "600 591 2026-11-23T12:00:00.900Z"); // none of its nine
    const noRequests = await send(harness, key);
    assert.deepEqual([noRequests.status, noRequests.retryAfter], [429, "30"]);
    assert.match(noRequests.error.message, /requests per minute of team 'core' are limited to 2:/);
    await harness.gateway.keys.update(await idOf(harness, "core"), { team: null });
    clock.advance(2_000); // until the key is read anew
    // By itself, the key has used two of its five requests; a sixth of one has come back since.
    assert.equal(told(await send(harness, key), "requests"), "5 2 2026-11-23T12:00:36.000Z");
  });
});

async function idOf(harness: Harness, team: string): Promise<string> {
  for await (const key of harness.gateway.keys.list()) if (key.team === team) return key.id;
  throw new Error(`Cannot find a key of team ${team}`);
}

Deno.test("who has no key is limited by name: the master apart from the anonymous", () =>
  withLimits("{ requests_per_minute: 1 }", async (harness) => {
    const nobody = () =>
      fetch(`${harness.url}/v1/messages`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(ask()),
      });
    assert.equal((await send(harness, MASTER)).status, 200);
    assert.match((await send(harness, MASTER)).error.message, /of master are limited to 1:/);
    const first = await nobody();
    assert.equal(first.status, 200);
    await first.body?.cancel();
    assert.match((await (await nobody()).json()).error.message, /of anonymous are limited to 1:/);
    assert.equal((await send(harness)).status, 200);
  }));

Deno.test("only messages are limited: count_tokens and models pass, and take nothing", () =>
  withLimits("{ requests_per_minute: 1, concurrency: 1 }", async (harness) => {
    const headers = { "x-api-key": harness.key, "content-type": "application/json" };
    const { max_tokens: _, ...body } = ask();
    const others = async () => {
      const counted = await fetch(`${harness.url}/v1/messages/count_tokens`, {
        method: "POST",
        headers,
        body: JSON.stringify(body),
      });
      const models = await fetch(`${harness.url}/v1/models`, { headers });
      for (const response of [counted, models]) {
        assert.equal(response.status, 200);
        assert.equal(response.headers.get("anthropic-ratelimit-requests-limit"), null);
        await response.body?.cancel();
      }
    };
    await others();
    assert.equal((await send(harness)).status, 200);
    assert.equal((await send(harness)).status, 429);
    await others();
  }));
