/** The server's behaviour in time: pings, the moment a stream commits, clients that leave, the end. */
import assert from "node:assert/strict";
import { SIMULATOR_BEARER_TOKEN } from "../src/simulator/simulator.ts";
import { FakeClock } from "./fake_clock.ts";
import { type Harness, withHarness } from "./harness.ts";
import { settled } from "./wait.ts";

const QWEN = "qwen.qwen3-32b-v1:0";
const CLAUDE = "claude-haiku-4-5";

function ask(mark: string, model: string = QWEN, stream: boolean = true) {
  return {
    model,
    max_tokens: 50,
    stream,
    messages: [{ role: "user", content: `[[sim:${mark}]]` }],
  };
}

const decoder = new TextDecoder();

/** Reads a body piece by piece. */
class BodyReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(response: Response) {
    this.#reader = (response.body as ReadableStream<Uint8Array>).getReader();
  }

  async next(): Promise<string> {
    const { done, value } = await this.#reader.read();
    return done ? "" : decoder.decode(value);
  }

  async until(wanted: string): Promise<string> {
    let text = "";
    while (!text.includes(wanted)) {
      const part = await this.next();
      if (part === "") throw new Error(`Cannot find ${wanted} in ${text}`);
      text += part;
    }
    return text;
  }

  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}

const PING = 'event: ping\ndata: {"type": "ping"}\n\n';

Deno.test("a stream that is silent in the middle pings after 10 s, again and again", async () => {
  const clock = new FakeClock();
  clock.advance(Date.now() - clock.now()); // the signature's date must be now
  await withHarness({ clock }, async (harness) => {
    const body = new BodyReader(await harness.post(ask("stall-mid")));
    await body.until("text_delta");
    clock.advance(9_999);
    clock.advance(1);
    assert.equal(await body.next(), PING);
    clock.advance(10_000);
    assert.equal(await body.next(), PING);
    await body.cancel();
    await harness.simulator.waitFor(({ aborted }) => aborted);
  });
});

Deno.test("a stream whose first frame does not come commits to 200 after 20 s, with a ping at once and every 10 s", async () => {
  const clock = new FakeClock();
  clock.advance(Date.now() - clock.now());
  await withHarness({ clock }, async (harness) => {
    const pending = harness.post(ask("stall"));
    await harness.simulator.waitFor(() => true);
    await settled(() => clock.pending > 0);
    clock.advance(20_000);
    const response = await pending;
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
    const body = new BodyReader(response);
    assert.equal(await body.next(), PING);
    clock.advance(10_000);
    assert.equal(await body.next(), PING);
    await body.cancel();
    await harness.simulator.waitFor(({ aborted }) => aborted);
  });
});

Deno.test("an error after the commit is an error event", async () => {
  const clock = new FakeClock();
  const config = "limits: { retries: 0 }\n";
  await withHarness({ clock, simulatorClock: clock, config }, async (harness) => {
    harness.simulator.script({
      status: 200,
      headers: {},
      stream: () => [{ kind: "wait", ms: 25_000 }], // and then the end, without a frame
    });
    const pending = harness.post(ask("agent"));
    await settled(() => clock.pending >= 3); // two patiences of the gateway, and the simulator's silence
    clock.advance(20_000);
    const response = await pending;
    assert.equal(response.status, 200);
    clock.advance(5_000);
    const text = await response.text();
    assert.ok(text.startsWith(PING), text);
    assert.match(
      text,
      /event: error\ndata: \{"type":"error","error":\{"type":"api_error".*"request_id":"req_/,
    );
  });
});

Deno.test("each event leaves when it arrives", async () => {
  await withHarness({}, async (harness) => {
    const body = new BodyReader(await harness.post(ask("stall-mid")));
    // The simulator says four events and then nothing, for ever: they must be here all the same.
    assert.match(await body.until("text_delta"), /message_start/);
    await body.cancel();
  });
});

async function upstreamEnds(
  harness: Harness,
  body: unknown,
  { reads }: { reads: boolean },
): Promise<void> {
  const gone = new AbortController();
  const pending = fetch(`${harness.url}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": harness.key },
    body: JSON.stringify(body),
    signal: gone.signal,
  });
  const rejected = reads ? undefined : assert.rejects(pending, { name: "AbortError" });
  await harness.simulator.waitFor(({ aborted, finished }) => !aborted && !finished);
  if (reads) await new BodyReader(await pending).until("text_delta");
  gone.abort();
  await harness.simulator.waitFor(({ aborted }) => aborted);
  assert.equal(harness.simulator.open, 0);
  await rejected;
}

for (const model of [QWEN, CLAUDE]) {
  Deno.test(`a client that leaves before the first byte ends the call to Bedrock (${model})`, () =>
    withHarness({}, (harness) => upstreamEnds(harness, ask("stall", model), { reads: false })));

  Deno.test(`a client that leaves in mid-stream ends the call to Bedrock (${model})`, () =>
    withHarness({}, (harness) => upstreamEnds(harness, ask("stall-mid", model), { reads: true })));

  Deno.test(`a client that leaves an answer that does not stream ends the call to Bedrock (${model})`, () =>
    withHarness(
      {},
      (harness) => upstreamEnds(harness, ask("stall", model, false), { reads: false }),
    ));
}

Deno.test("a client that stays is not taken for one that left", async () => {
  await withHarness({}, async (harness) => {
    for (let round = 0; round < 5; round++) {
      assert.match(await (await harness.post(ask("count 20"))).text(), /message_stop/);
      assert.equal((await (await harness.post(ask("echo", QWEN, false))).json()).type, "message");
    }
    assert.equal(harness.simulator.requests.filter(({ aborted }) => aborted).length, 0);
  });
});

Deno.test("a server that stops lets open answers finish", async () => {
  await withHarness({}, async (harness) => {
    const response = await harness.post(ask("slow 15"));
    const stopped = harness.server.stop();
    assert.match(await response.text(), /message_stop/);
    await stopped;
    await assert.rejects(fetch(`${harness.url}/health`));
  });
});

Deno.test("nothing internal leaks when the gateway itself fails", async () => {
  await withHarness(
    { endpoint: "http://127.0.0.1:9", config: "limits: { retries: 0 }\n" },
    async (harness) => {
      const response = await harness.post(ask("agent"));
      assert.equal(response.status, 500);
      const text = await response.text();
      assert.match(
        text,
        /"type":"api_error","message":"Amazon Bedrock could not be reached: try again"/,
      );
      assert.ok(!/127\.0\.0\.1|ECONNREFUSED|\.ts/.test(text), text);
    },
  );
});

Deno.test("AWS credentials that are refused are the gateway's, not the client's", async () => {
  const credentials = {
    accessKeyId: "AKIDNOBODY",
    secretAccessKey: "canary-secret-of-the-gateway",
  };
  await withHarness({ credentials }, async (harness) => {
    const response = await harness.post(ask("agent"));
    assert.equal(response.status, 403);
    const { error } = await response.json();
    assert.equal(error.type, "permission_error");
    assert.match(
      error.message,
      /gateway's own AWS credential was refused \(UnrecognizedClientException\)/,
    );
  });
});

Deno.test("a gateway without AWS credentials says so, and the log says why", async () => {
  await withHarness({ credentials: new Error("No provider had any") }, async (harness) => {
    const response = await harness.post(ask("agent"));
    assert.equal(response.status, 403);
    const { error } = await response.json();
    assert.match(error.message, /gateway's own AWS credential was refused \(none found\)/);
    assert.ok(!error.message.includes("provider"));
    assert.ok(
      harness.log.some((line) =>
        line.includes("no AWS credentials were found") && line.includes("No provider had any")
      ),
    );
    assert.equal(harness.simulator.requests.length, 0);
  });
});

for (
  const [model, route, header] of [
    [QWEN, "invoke", "authorization"],
    [CLAUDE, "invoke", "authorization"],
    [CLAUDE, "mantle", "authorization"],
    [CLAUDE, "messages", "x-api-key"], // where Anthropic's own key would stand
  ] as const
) {
  Deno.test(`a Bedrock API key signs for the gateway in place of SigV4 (${model} by ${route})`, async () => {
    const config = `models: { claude_route: ${route} }\n`;
    await withHarness({ bearer: SIMULATOR_BEARER_TOKEN, config }, async (harness) => {
      assert.equal((await (await harness.post(ask("echo", model, false))).json()).type, "message");
      const [request] = harness.simulator.requests;
      const sent = (name: string) => request?.headers.get(name) ?? null;
      const inHeader = header === "authorization";
      assert.equal(
        sent("authorization"),
        inHeader ? `Bearer ${SIMULATOR_BEARER_TOKEN}` : null,
      );
      assert.equal(sent("x-api-key"), inHeader ? null : SIMULATOR_BEARER_TOKEN);
      assert.equal(sent("x-amz-date"), null);
    });
  });
}

Deno.test("no key and no secret reaches the log", async () => {
  await withHarness({}, async (harness) => {
    await (await harness.post(ask("echo", QWEN, false))).text();
    await (await harness.post(ask("error-500-InternalServerException", QWEN, false))).text();
    await (await harness.post(ask("echo"), { "x-api-key": "sk-oc-made-up-key-canary" })).text();
    const log = harness.log.join("\n");
    assert.ok(harness.log.length > 0);
    for (const secret of [harness.key, "made-up-key-canary", "simulator/secret+key"]) {
      assert.ok(!log.includes(secret), secret);
    }
  });
});

Deno.test("GET /v1/models answers at once, without asking Bedrock or sending anybody elsewhere", async () => {
  await withHarness({}, async (harness) => {
    const response = await fetch(`${harness.url}/v1/models?limit=1000`, {
      headers: { "x-api-key": harness.key },
    });
    assert.equal((await response.json()).has_more, false);
    assert.equal(response.redirected, false);
    assert.equal(harness.simulator.requests.length, 0);
  });
});
