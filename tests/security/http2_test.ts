/** The port speaks HTTP/2 too, to whoever begins with it: what holds for the one holds for the other. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type ClientHttp2Session, connect, constants, type OutgoingHttpHeaders } from "node:http2";
import { type Harness, withHarness } from "../harness.ts";
import { settled } from "../wait.ts";

const ASK = JSON.stringify({
  model: "qwen.qwen3-32b-v1:0",
  max_tokens: 9,
  messages: [{ role: "user", content: "[[sim:stall]] hi" }],
});

async function withSession(
  harness: Harness,
  run: (session: ClientHttp2Session) => Promise<void>,
): Promise<void> {
  const session = connect(harness.url);
  session.on("error", () => session.destroy());
  try {
    await run(session);
  } finally {
    await new Promise<void>((resolve) => session.close(resolve));
  }
}

/** One request, to the end of its answer. */
function send(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body = "",
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers);
    const chunks: Buffer[] = [];
    let status = 0;
    stream.on("response", (head) => status = Number(head[":status"]));
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => resolve({ status, text: Buffer.concat(chunks).toString() }));
    stream.on("error", reject);
    if (body !== "") stream.end(body);
  });
}

Deno.test("over HTTP/2 who shows no key is refused, and nothing is found to administer", () =>
  withHarness({}, (harness) =>
    withSession(harness, async (session) => {
      const post = { ":method": "POST", ":path": "/v1/messages" };
      const refused = await send(session, post, ASK);
      assert.equal(refused.status, 401, refused.text);
      const admin = await send(session, { ":path": "/admin/keys", "x-api-key": harness.key });
      assert.equal(admin.status, 404, admin.text);
      const metrics = await send(session, { ":path": "/metrics", "x-api-key": harness.key });
      assert.equal(metrics.status, 403, metrics.text);
      assert.equal(harness.simulator.requests.length, 0);
    })));

for (const when of ["as soon as they are begun", "when Bedrock has them"]) {
  Deno.test(`a hundred streams that are reset ${when} leave nothing behind`, () =>
    withHarness({}, async (harness) => {
      const { admission, background } = harness.gateway.services;
      const headers = { ":method": "POST", ":path": "/v1/messages", "x-api-key": harness.key };
      await withSession(harness, async (session) => {
        const streams = Array.from({ length: 100 }, () => {
          const stream = session.request(headers);
          stream.on("error", () => {}); // what was reset ends with one
          stream.end(ASK);
          return stream;
        });
        const ended = streams.map((stream) =>
          new Promise((resolve) => stream.on("close", resolve))
        );
        if (when === "when Bedrock has them") {
          await settled(() => harness.simulator.open === streams.length);
        }
        for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);
        await Promise.all(ended);
      });
      await settled(() => admission.inFlight === 0 && harness.simulator.open === 0);
      await background.settled();
      const response = await fetch(`${harness.url}/health`);
      assert.equal(response.status, 200, await response.text());
    }));
}
