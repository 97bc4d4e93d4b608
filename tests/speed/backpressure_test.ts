/** A client that does not read stops the reading from Bedrock: what it does not take lies in nobody's memory. */
import assert from "node:assert/strict";
import { CLAUDE_END, CLAUDE_START, claudeText, invokeFrame } from "../../bench/answers.ts";
import { withHarness } from "../harness.ts";
import { settled } from "../wait.ts";

const EVENT_BYTES = 64 * 1_024;
/** Far more than the buffers of four sockets on loopback hold. */
const EVENTS = 1_200;
/** So many turns of the event loop without another event: nothing is under way. */
const QUIET_TURNS = 3_000;

/** Bedrock, with an answer of 75 MB, which tells how many of its events were asked for. */
function startBedrock(route: "frames" | "sse") {
  let asked = 0;
  const encoder = new TextEncoder();
  const encode = (event: { readonly type: string }) =>
    route === "frames"
      ? invokeFrame(event)
      : encoder.encode(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  const text = encode(claudeText("x".repeat(EVENT_BYTES)));
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    asked = 0;
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull(controller) {
        if (asked === 0) { for (const event of CLAUDE_START) controller.enqueue(encode(event)); }
        if (asked++ < EVENTS) return controller.enqueue(text);
        for (const event of CLAUDE_END) controller.enqueue(encode(event));
        controller.close();
      },
    });
    const type = route === "frames" ? "application/vnd.amazon.eventstream" : "text/event-stream";
    return new Response(body, { headers: { "content-type": type } });
  });
  return {
    url: `http://127.0.0.1:${(server.addr as Deno.NetAddr).port}`,
    asked: () => asked,
    close: () => server.shutdown(),
  };
}

for (const route of ["invoke", "messages"] as const) {
  Deno.test(`${route}: a client that does not read stops the reading from Bedrock, and loses nothing`, async () => {
    const bedrock = startBedrock(route === "invoke" ? "frames" : "sse");
    const config = `models: { claude_route: ${route} }`;
    try {
      await withHarness({ endpoint: bedrock.url, config }, async ({ post }) => {
        const response = await post({
          model: "claude-haiku-4-5",
          max_tokens: 100,
          stream: true,
          messages: [{ role: "user", content: "Hi" }],
        });
        let last = -1;
        let quiet = 0;
        await settled(() => {
          quiet = bedrock.asked() === last ? quiet + 1 : 0;
          last = bedrock.asked();
          return last > 0 && quiet > QUIET_TURNS;
        });
        assert.ok(last < EVENTS / 2, `Bedrock was asked for ${last} of ${EVENTS} events`);
        const text = await response.text();
        assert.equal(text.split('"text_delta"').length - 1, EVENTS);
        assert.ok(text.endsWith('data: {"type":"message_stop"}\n\n'));
      });
    } finally {
      await bedrock.close();
    }
  });
}
