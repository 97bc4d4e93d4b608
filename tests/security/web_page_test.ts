/** A page of another's website, in the browser of somebody who can reach the gateway, is nobody who may call it. */
import assert from "node:assert/strict";
import { type Harness, withHarness } from "../harness.ts";

const OPEN = "plugins: [ { use: auth, with: { required: false } } ]\n";
const BODY = JSON.stringify({
  model: "qwen.qwen3-32b-v1:0",
  max_tokens: 9,
  messages: [{ role: "user", content: "[[sim:echo]] hi" }],
});

/** Sent as a browser sends it without asking first: as plain text. */
async function visit(
  { url }: Harness,
  headers: Record<string, string>,
): Promise<{ status: number; text: string }> {
  const response = await fetch(`${url}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "text/plain", ...headers },
    body: BODY,
  });
  return { status: response.status, text: await response.text() };
}

/** Origins of pages; the last but one is one whose name was made to resolve to the gateway (DNS rebinding). */
const FOREIGN = [
  ...["https://evil.example", "http://localhost.evil.example", "http://127.0.0.1.evil.example"],
  ...["null", "https://user@localhost", "file://", "http://evil.example:8000", "http://[::2]"],
];

for (const origin of FOREIGN) {
  Deno.test(`a page of ${origin} calls nothing, where no key is required, with a made-up one either`, () =>
    withHarness({ config: OPEN }, async (harness) => {
      const tries: Record<string, string>[] = [{}, { "x-api-key": "sk-oc-made-up" }];
      for (const shown of tries) {
        const { status, text } = await visit(harness, { origin, ...shown });
        assert.equal(status, 403, text);
        assert.match(text, /"permission_error","message":"A web page must show an API key here/);
      }
      assert.equal(harness.simulator.requests.length, 0);
    }));
}

Deno.test("a page of this machine, a program, and a page that shows a key are served", () =>
  withHarness({ config: OPEN }, async (harness) => {
    const good: Record<string, string>[] = [
      {},
      ...["http://localhost:3000", "http://127.0.0.1:5173", "http://[::1]:80"]
        .map((origin) => ({ origin })),
      { origin: "https://app.example", "x-api-key": harness.key },
    ];
    for (const headers of good) {
      const { status, text } = await visit(harness, headers);
      assert.equal(status, 200, text);
    }
  }));
