/** Request lines and headers that no client should send: a 4xx, and the next request is served. */
import assert from "node:assert/strict";
import { withHarness } from "../harness.ts";
import { raw, type RawAnswer } from "./raw.ts";

const END = "host: x\r\nconnection: close\r\n\r\n";

/** What is sent, and the status that must come back; `body` for an answer of ours rather than of the transport. */
interface Case {
  readonly head: string;
  readonly status: number;
  readonly body?: RegExp;
}

const METHODS = ["toString", "constructor", "__proto__", "hasOwnProperty", "valueOf"];
const NOT_ALLOWED = /"invalid_request_error","message":"Method \w+ is not allowed here/;

const CASES: Record<string, Case> = {
  ...Object.fromEntries(
    METHODS.flatMap((method) =>
      ["/", "/health", "/v1/messages", "/v1/models/x"].map((path) => [
        `the method ${method} of ${path}`,
        { head: `${method} ${path} HTTP/1.1\r\n${END}`, status: 405, body: NOT_ALLOWED },
      ])
    ),
  ),
  "a path of 60,000 characters": {
    head: `GET /${"a".repeat(60_000)} HTTP/1.1\r\n${END}`,
    status: 404,
    body: /"GET \/a{199} is not served here/,
  },
  "a path beyond 64 KB": { head: `GET /${"a".repeat(70_000)} HTTP/1.1\r\n${END}`, status: 400 },
  "a header beyond the transport's buffer": {
    head: `GET / HTTP/1.1\r\nx-long: ${"a".repeat(500_000)}\r\n${END}`,
    status: 400,
  },
  "a thousand headers": {
    head: `GET / HTTP/1.1\r\n${
      Array.from({ length: 1_000 }, (_, index) => `x-${index}: y\r\n`).join("")
    }${END}`,
    status: 400,
  },
  "a null byte in a header": { head: `GET / HTTP/1.1\r\nx-a: a\0b\r\n${END}`, status: 400 },
  "a line end alone in a header": { head: `GET / HTTP/1.1\r\nx-a: a\rb\r\n${END}`, status: 400 },
  "a header without a name": { head: `GET / HTTP/1.1\r\n: a\r\n${END}`, status: 400 },
  "a method of signs": { head: `G@T / HTTP/1.1\r\n${END}`, status: 400 },
  "a version of its own": { head: `GET / HTTP/9.9\r\n${END}`, status: 400 },
  "two lengths": {
    head: `POST /v1/messages HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 4\r\n${END}abcd`,
    status: 400,
  },
  "a length and chunks, as smugglers send": {
    head:
      `POST /v1/messages HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n${END}0\r\n\r\n`,
    status: 400,
  },
  "a length below nothing": {
    head: `POST /v1/messages HTTP/1.1\r\ncontent-length: -3\r\n${END}`,
    status: 400,
  },
  "a length beyond all numbers": {
    head: `POST /v1/messages HTTP/1.1\r\ncontent-length: ${"9".repeat(40)}\r\n${END}`,
    status: 400,
  },
  "a path that is no text": { head: `GET /v1/models/%ff%zz HTTP/1.1\r\n${END}`, status: 401 },
  "a path of another host": {
    head: `GET http://169.254.169.254/latest HTTP/1.1\r\n${END}`,
    status: 404,
    body: /"GET \/latest is not served here/,
  },
  "a key of 60,000 characters": {
    head: `GET /v1/models HTTP/1.1\r\nx-api-key: sk-oc-${"a".repeat(60_000)}\r\n${END}`,
    status: 401,
    body: /"authentication_error"/,
  },
};

for (const [what, { head, status, body }] of Object.entries(CASES)) {
  Deno.test(`${what} is a ${status}`, () =>
    withHarness({}, async ({ url, log }) => {
      const answer: RawAnswer = await raw(url, head);
      assert.equal(answer.status, status, answer.head + answer.body.slice(0, 300));
      if (body !== undefined) assert.match(answer.body, body);
      assert.equal((await fetch(`${url}/health`)).status, 200);
      assert.ok(!log.some((line) => line.includes('"level":"ERROR"')), log.join(""));
    }));
}

Deno.test("a lone surrogate, a null byte or a line end in a model's name is a 404", () =>
  withHarness({}, async ({ post, simulator }) => {
    for (const end of ["\ud800", "\0", "\r\nhost: evil", "%00", "/../x?y"]) {
      const model = `anthropic.claude${end}`;
      const body = { model, max_tokens: 5, messages: [{ role: "user", content: "hi" }] };
      const response = await post(body);
      assert.equal(response.status, 404, await response.text());
    }
    const long = { model: "x".repeat(2_049), max_tokens: 5, messages: [] };
    const response = await post(long);
    assert.match((await response.json()).error.message, /^model: String should have at most 2048/);
    assert.equal(simulator.requests.length, 0);
  }));
