import assert from "node:assert/strict";
import { SIMULATOR_BEARER_TOKEN, startSimulator } from "../../src/simulator/simulator.ts";

Deno.test("the simulator takes its API key, and tells when a client has left", async () => {
  const simulator = startSimulator();
  try {
    const gone = new AbortController();
    const headers = {
      authorization: `Bearer ${SIMULATOR_BEARER_TOKEN}`,
      "content-type": "application/json",
    };
    const body = JSON.stringify({ messages: [{ role: "user", content: [{ text: "hi" }] }] });
    const answer = await fetch(`${simulator.url}/model/sim.stall-mid/converse-stream`, {
      method: "POST",
      headers,
      body,
      signal: gone.signal,
    });
    await answer.body?.getReader().read();
    assert.equal(simulator.open, 1);
    gone.abort();
    const request = await simulator.waitFor(({ aborted }) => aborted);
    assert.equal(request.modelId, "sim.stall-mid");
    assert.equal(simulator.open, 0);
    const refused = await fetch(`${simulator.url}/model/sim.echo/converse`, {
      method: "POST",
      headers: { authorization: "Bearer wrong" },
      body,
    });
    assert.equal(refused.status, 403);
    await refused.body?.cancel();
  } finally {
    await simulator.close();
  }
});

Deno.test("the simulator lists models and profiles, with the members the SDK drops", async () => {
  const simulator = startSimulator();
  const get = async (path: string) => {
    const headers = { authorization: `Bearer ${SIMULATOR_BEARER_TOKEN}` };
    return await (await fetch(simulator.url + path, { headers })).json();
  };
  try {
    const { modelSummaries } = await get("/foundation-models");
    assert.ok(modelSummaries[0].inferenceAPIsSupported.converse.streaming);
    const first = await get("/inference-profiles?maxResults=3");
    assert.equal(first.inferenceProfileSummaries.length, 3);
    const second = await get(`/inference-profiles?maxResults=100&nextToken=${first.nextToken}`);
    assert.equal(second.inferenceProfileSummaries.length, 7);
    assert.equal(second.nextToken, undefined);
    assert.match((await get("/inference-profiles/nothing")).message, /not found/);
  } finally {
    await simulator.close();
  }
});

Deno.test("the simulator serves Messages as server-sent events, and tells its endpoints apart by the signature", async () => {
  const simulator = startSimulator();
  try {
    const answer = await fetch(`${simulator.url}/anthropic/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": SIMULATOR_BEARER_TOKEN, "content-type": "application/json" },
      body: JSON.stringify({
        model: "global.anthropic.claude-opus-5-5",
        max_tokens: 5,
        stream: true,
        messages: [{ role: "user", content: "[[sim:echo]] hi" }],
      }),
    });
    assert.equal(answer.headers.get("content-type"), "text/event-stream");
    const text = await answer.text();
    assert.match(text, /^event: message_start\ndata: \{/);
    assert.match(text, /"text":"hi"/);
    assert.ok(!text.includes("invocationMetrics"));
  } finally {
    await simulator.close();
  }
});
