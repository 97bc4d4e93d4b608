/** More than can be served at a time: told at once, while what is served goes on. */
import assert from "node:assert/strict";
import type { UrlFetcher } from "../../src/bedrock/url_sources.ts";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, withHarness } from "../harness.ts";
import { settled } from "../wait.ts";

const QWEN = "qwen.qwen3-32b-v1:0";

function ask(mark: string, over: Record<string, unknown> = {}) {
  return {
    model: QWEN,
    max_tokens: 50,
    messages: [{ role: "user", content: `[[sim:${mark}]]` }],
    ...over,
  };
}

async function assertOverloaded(response: Response): Promise<void> {
  assert.equal(response.status, 529);
  assert.match(response.headers.get("retry-after") ?? "", /^[123]$/);
  assert.match(response.headers.get("request-id") ?? "", /^req_[0-9a-f]{32}$/);
  const { error } = await response.json();
  assert.equal(error.type, "overloaded_error");
}

/** Requests that stay open until they are let go. */
async function fill(harness: Harness, count: number): Promise<() => Promise<void>> {
  const gone = new AbortController();
  const open = Array.from({ length: count }, () =>
    fetch(`${harness.url}/v1/messages`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": harness.key },
      body: JSON.stringify(ask("stall", { stream: true })),
      signal: gone.signal,
    }).catch(() => undefined));
  await settled(() => harness.simulator.open === count);
  return async () => {
    gone.abort();
    await Promise.all(open);
  };
}

Deno.test("one request more than in_flight is told at once to come again; health answers; then there is room", async () => {
  const clock = new FakeClock(Date.now());
  await withHarness({ clock, config: "limits: { in_flight: 5 }\n" }, async (harness) => {
    const { admission } = harness.gateway.services;
    const letGo = await fill(harness, 5);
    const comeAgain = new Set<string | null>();
    for (let at = 0; at < 20; at++) {
      const response = await harness.post(ask("echo", { stream: at % 2 === 0 }));
      comeAgain.add(response.headers.get("retry-after"));
      await assertOverloaded(response);
    }
    assert.ok(comeAgain.size > 1, "those who come again do not come all at once");
    const refused = await harness.post(ask("echo"));
    await assertOverloaded(refused);
    const counted = await fetch(`${harness.url}/v1/messages/count_tokens`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": harness.key },
      body: JSON.stringify({ model: QWEN, messages: [{ role: "user", content: "hi" }] }),
    });
    await assertOverloaded(counted);
    const health = await fetch(`${harness.url}/health`);
    assert.deepEqual([health.status, await health.json()], [200, { status: "ok" }]);
    assert.equal(harness.simulator.requests.length, 5);
    const lines = harness.log.filter((line) => line.includes("Overloaded"));
    assert.equal(lines.length, 1, "the warning stands for all");
    const told = harness.log.find((line) => line.includes(refused.headers.get("request-id") ?? ""));
    const { level, properties } = JSON.parse(told ?? "{}");
    assert.deepEqual([level, properties.fault, properties.status], ["INFO", "us", 529]);
    await letGo();
    await settled(() => admission.inFlight === 0);
    assert.equal((await harness.post(ask("echo"))).status, 200);
    assert.equal(admission.bytes, 0);
  });
});

Deno.test("bytes of bodies are bounded, and given back", async () => {
  const config = "limits: { buffered_mb: 1 }\n";
  await withHarness({ config }, async (harness) => {
    const { admission } = harness.gateway.services;
    const letGo = await fill(harness, 1);
    const large = ask("echo", { system: "x".repeat(1_100_000) });
    await assertOverloaded(await harness.post(large));
    const chunks = new Blob([JSON.stringify(large)]).stream(); // no content-length
    await assertOverloaded(
      await fetch(`${harness.url}/v1/messages`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-api-key": harness.key },
        body: chunks,
      }),
    );
    await letGo();
    await settled(() => admission.inFlight === 0);
    assert.equal(admission.bytes, 0);
    const response = await harness.post(large);
    assert.equal(response.status, 200, "a body that is alone is let in");
    await response.text();
    await settled(() => admission.bytes === 0);
  });
});

Deno.test("a body that turns out larger than its length told is held by its own size", async () => {
  const config = "limits: { buffered_mb: 1 }\n";
  await withHarness({ config }, async (harness) => {
    const letGo = await fill(harness, 1);
    const text = JSON.stringify(ask("echo", { system: "x".repeat(1_100_000) }));
    const zipped = await new Response(
      new Blob([text]).stream().pipeThrough(new CompressionStream("gzip")),
    ).arrayBuffer();
    assert.ok(zipped.byteLength < 10_000);
    await assertOverloaded(
      await fetch(`${harness.url}/v1/messages`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "content-encoding": "gzip",
          "x-api-key": harness.key,
        },
        body: zipped,
      }),
    );
    await letGo();
    await settled(() => harness.gateway.services.admission.bytes === 0);
  });
});

Deno.test("what a client names by URL is held too", async () => {
  const config = "limits: { buffered_mb: 2 }\n";
  const fetchUrl: UrlFetcher = (_, { onBytes }) => {
    onBytes(1_500_000);
    return Promise.resolve({ bytes: new Uint8Array(1_500_000), type: "image/png" });
  };
  await withHarness({ config, fetchUrl }, async (harness) => {
    const { admission } = harness.gateway.services;
    const letGo = await fill(harness, 1);
    const held = admission.bytes;
    const picture = { type: "image", source: { type: "url", url: "https://pictures.test/1.png" } };
    const naming = (count: number, mark: string) => ({
      ...ask(mark),
      model: "claude-haiku-4-5",
      messages: [{
        role: "user",
        content: [...Array(count).fill(picture), { type: "text", text: `[[sim:${mark}]]` }],
      }],
    });
    await assertOverloaded(await harness.post(naming(2, "echo")));
    await settled(() => admission.inFlight === 1);
    assert.equal(admission.bytes, held);
    const gone = new AbortController();
    const one = fetch(`${harness.url}/v1/messages`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": harness.key },
      body: JSON.stringify(naming(1, "stall")),
      signal: gone.signal,
    });
    await settled(() => harness.simulator.open === 2);
    assert.ok(admission.bytes > held + 1_500_000, `held: ${admission.bytes}`);
    gone.abort(new Error("The client has left"));
    await assert.rejects(one, /left/);
    await letGo();
    await settled(() => admission.bytes === 0);
  });
});

Deno.test("limits that change hold for the next request, and count those that are in", async () => {
  await withHarness({ config: "limits: { in_flight: 2 }\n" }, async (harness) => {
    const letGo = await fill(harness, 2);
    await assertOverloaded(await harness.post(ask("echo")));
    await harness.reload("limits: { in_flight: 3 }\n");
    assert.equal((await harness.post(ask("echo"))).status, 200);
    await letGo();
  });
});

Deno.test("however a request ends, it makes room", async () => {
  await withHarness({ config: "limits: { retries: 0 }\n" }, async (harness) => {
    const { admission } = harness.gateway.services;
    const bodies = [
      ask("echo"),
      ask("echo", { stream: true }),
      ask("cut-mid", { stream: true }),
      ask("error-500-InternalServerException"),
      ask("echo", { max_tokens: "many" }),
      ask("echo", { model: "nobody" }),
      "no json",
    ];
    for (const body of bodies) await (await harness.post(body)).text();
    await (await harness.post(ask("echo"), { "x-api-key": "sk-oc-nobody" })).text();
    await settled(() => admission.inFlight === 0);
    assert.equal(admission.bytes, 0);
  });
});
