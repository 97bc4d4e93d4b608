/** Bodies that are too large, too deep, too wide, too slow, compressed, or no text: a 4xx, or passed on faithfully. */
import assert from "node:assert/strict";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, withHarness } from "../harness.ts";
import { connect, parseRaw, readUntil, write } from "./raw.ts";

const CLAUDE = "claude-haiku-4-5";
const MODELS = [CLAUDE, "qwen.qwen3-32b-v1:0"];
const encoder = new TextEncoder();

const COMPRESS: Record<string, (data: Uint8Array) => Uint8Array> = {
  gzip: gzipSync,
  "x-gzip": gzipSync,
  deflate: deflateSync,
  br: brotliCompressSync,
  zstd: zstdCompressSync,
};

function question(content: string, extra: Record<string, unknown> = {}): string {
  return JSON.stringify({
    model: CLAUDE,
    max_tokens: 20,
    messages: [{ role: "user", content }],
    ...extra,
  });
}

async function post(
  { url, key, secrets }: Harness,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string }> {
  const response = await fetch(`${url}/v1/messages`, {
    method: "POST",
    headers: { "x-api-key": key, ...headers },
    body: body as BodyInit,
  });
  const text = await response.text();
  if (response.status >= 400) secrets.show("an error", text);
  return { status: response.status, text };
}

function assertRefused(
  { status, text }: { status: number; text: string },
  wanted: number,
  message: RegExp,
): void {
  assert.equal(status, wanted, text.slice(0, 300));
  const { type, error } = JSON.parse(text);
  assert.equal(type, "error");
  assert.match(error.message, message);
}

for (const [encoding, compress] of Object.entries(COMPRESS)) {
  const headers = { "content-encoding": encoding };

  Deno.test(`a body in ${encoding} is taken, and passed on as it was before`, () =>
    withHarness({}, async (harness) => {
      const body = question("[[sim:echo]] hello".padEnd(50_000, " x"), { temperature: 0.5 });
      const answer = await post(harness, compress(encoder.encode(body)), headers);
      assert.equal(answer.status, 200, answer.text);
      const { messages } = JSON.parse(harness.simulator.requests[0]?.text ?? "{}");
      assert.deepEqual(messages, JSON.parse(body).messages);
    }));

  Deno.test(`a bomb in ${encoding} is a 413: what comes out counts`, () =>
    withHarness({ config: "limits: { body_mb: 1 }\n" }, async (harness) => {
      const body = compress(encoder.encode(question("x".repeat(20_000_000))));
      assert.ok(body.byteLength < 100_000);
      assertRefused(await post(harness, body, headers), 413, /^Request body must be at most 1 MB/);
      assert.equal((await post(harness, question("[[sim:echo]] hi"))).status, 200);
    }));

  Deno.test(`a body that is not ${encoding}, or a cut one, is a 400`, () =>
    withHarness({}, async (harness) => {
      const whole = compress(encoder.encode(question("hello")));
      for (const body of [question("hello"), whole.slice(0, whole.byteLength - 9)]) {
        assertRefused(
          await post(harness, body, headers),
          400,
          // This runtime gives what it has of br that is cut: the half of a JSON text is none either.
          new RegExp(`^content-encoding: the body is not ${encoding}, or is cut|is not valid JSON`),
        );
      }
    }));
}

Deno.test("a body compressed twice is a 415 that names what is taken", () =>
  withHarness({}, async (harness) => {
    const headers = { "content-encoding": "gzip, br" };
    assertRefused(await post(harness, question("hi"), headers), 415, /send one of gzip, br, zstd/);
  }));

/** Objects in objects, `levels` deep with the request around them. */
function nested(model: string, levels: number): string {
  const inside = levels - 4; // the body, tools, a tool, its schema
  return `{"model":"${model}","max_tokens":9,"messages":[{"role":"user","content":"[[sim:echo]] hi"}],` +
    `"tools":[{"name":"t","input_schema":{"type":"object","x":${'{"a":'.repeat(inside)}1${
      "}".repeat(inside)
    }}}]}`;
}

for (const model of MODELS) {
  Deno.test(`500 levels reach ${model} whole, one more is a 400`, () =>
    withHarness({}, async (harness) => {
      const answer = await post(harness, nested(model, 500));
      assert.equal(answer.status, 200, answer.text);
      assert.ok(harness.simulator.requests[0]?.text.includes('{"a":'.repeat(496)));
      const message = /^Request body must be nested at most 500 levels deep/;
      assertRefused(await post(harness, nested(model, 501)), 400, message);
    }));
}

Deno.test("brackets without end are a 400, however many", () =>
  withHarness({}, async (harness) => {
    const lists = (count: number) => "[".repeat(count) + "]".repeat(count);
    assertRefused(await post(harness, lists(400_000)), 400, /levels deep/);
    assertRefused(await post(harness, "[".repeat(400_000)), 400, /not valid JSON/);
    assertRefused(await post(harness, lists(4_000_000)), 400, /at most 1000000 values/);
  }));

Deno.test("a million values are too many; as many signs inside a text are not", () =>
  withHarness({}, async (harness) => {
    const values = `{"model":"${CLAUDE}","max_tokens":9,"messages":[${"[],".repeat(1_000_000)}[]]}`;
    assertRefused(
      await post(harness, values),
      400,
      /^Request body must hold at most 1000000 values/,
    );
    const text = question(`[[sim:echo]] ${'{["\\,'.repeat(500_000)}`);
    assert.equal((await post(harness, text)).status, 200);
  }));

const BYTES: Record<string, readonly number[]> = {
  "a byte that begins nothing": [0x22, 0xff, 0x22],
  "an overlong slash": [0x22, 0xc0, 0xaf, 0x22],
  "half of a surrogate pair": [0x22, 0xed, 0xa0, 0x80, 0x22],
  "UTF-16": [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00],
  "a character that is cut": [0x22, 0xe2, 0x82, 0x22],
};

for (const [what, bytes] of Object.entries(BYTES)) {
  Deno.test(`${what} is a 400: not valid UTF-8`, () =>
    withHarness({}, async (harness) => {
      assertRefused(await post(harness, new Uint8Array(bytes)), 400, /is not valid UTF-8$/);
    }));
}

Deno.test("what is wrong with JSON is told without its text, to client and log", () =>
  withHarness({}, async (harness) => {
    const answer = await post(harness, '{"my": private words}');
    assertRefused(answer, 400, /^Request body is not valid JSON: Unexpected token 'p'$/);
    assert.ok(!harness.log.join("").includes("private words"));
  }));

/** Sends a part of a body and no more, and lets the time pass in which all of it must come. */
async function stalls(framing: string): Promise<void> {
  const clock = new FakeClock();
  await withHarness({ clock }, async (harness) => {
    const connection = await connect(harness.url);
    try {
      const head = `POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: ${harness.key}\r\n`;
      await write(connection, `${head}${framing}`);
      const before = clock.pending;
      for (let turn = 0; clock.pending === before; turn++) {
        if (turn > 100_000) throw new Error("Cannot wait any longer for the body to be awaited");
        await new Promise((resolve) => setImmediate(resolve));
      }
      clock.advance(119_999);
      clock.advance(1);
      const { status, head: answered, body } = parseRaw(
        await readUntil(connection, (text) => text.includes('"request_id"')),
      );
      assert.equal(status, 408, answered);
      assert.match(body, /"timeout_error","message":"Request body must arrive within 120 s/);
    } finally {
      connection.close();
    }
  });
}

Deno.test("a body that does not come is a 408 after two minutes", () =>
  stalls('content-length: 1000\r\n\r\n{"model":'));

Deno.test("a body in chunks that do not come is a 408 after two minutes", () =>
  stalls('transfer-encoding: chunked\r\n\r\n9\r\n{"model":\r\n'));

Deno.test("a client that leaves amid its body is one that left, and nobody's error", () =>
  withHarness({}, async (harness) => {
    const connection = await connect(harness.url);
    await write(
      connection,
      `POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: ${harness.key}\r\ncontent-length: 99\r\n\r\n{`,
    );
    connection.close();
    assert.equal((await post(harness, question("[[sim:echo]] hi"))).status, 200);
    await harness.server.stop();
    assert.ok(
      !harness.log.some((line) => /"level":"(ERROR|WARN)/.test(line)),
      harness.log.join(""),
    );
  }));

Deno.test("who shows no key is refused before a byte of the body has come, and holds no room", () =>
  withHarness({ config: "limits: { buffered_mb: 33, in_flight: 2 }\n" }, async (harness) => {
    const open: Deno.Conn[] = [];
    try {
      for (let n = 0; n < 5; n++) {
        const connection = await connect(harness.url);
        open.push(connection);
        await write(
          connection,
          "POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: sk-oc-nobody\r\ncontent-length: 32000000\r\n\r\n",
        );
        const { status, body } = parseRaw(
          await readUntil(connection, (text) => text.includes('"request_id"')),
        );
        assert.equal(status, 401, body);
      }
      const { admission, background } = harness.gateway.services;
      await background.settled();
      assert.deepEqual([admission.inFlight, admission.bytes], [0, 0]);
      assert.equal((await post(harness, question("[[sim:echo]] hi"))).status, 200);
    } finally {
      for (const connection of open) connection.close();
    }
  }));
