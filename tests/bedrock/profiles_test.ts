/** Application inference profiles: which model they stand for is asked once. */
import assert from "node:assert/strict";
import { parseScript } from "../../src/simulator/simulator.ts";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, withHarness } from "../harness.ts";

const ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/";
const asks = ({ simulator }: Harness) =>
  simulator.requests.filter(({ method }) => method === "GET").map(({ path }) => path);
const calls = ({ simulator }: Harness) =>
  simulator.requests.filter(({ method }) => method === "POST").map(({ path }) => path);

function ask({ post }: Harness, model: string): Promise<Response> {
  return post({ model, max_tokens: 10, messages: [{ role: "user", content: "hi" }] });
}

Deno.test("a profile is called by its ARN, on the route of the model it stands for", async () => {
  await withHarness({}, async (harness) => {
    for (const [id, route] of [["sim0claude", "invoke"], ["sim0qwen", "converse"]]) {
      const answer = await ask(harness, ARN + id);
      assert.equal(answer.status, 200, await answer.text());
      assert.equal(calls(harness).at(-1), `/model/${encodeURIComponent(ARN + id)}/${route}`);
    }
  });
});

Deno.test("many requests for one profile ask for its model once, and later ones not at all", async () => {
  const config = `models: { aliases: { ours: "${ARN}sim0qwen" } }\n`;
  await withHarness({ config }, async (harness) => {
    const answers = await Promise.all([1, 2, 3].map(() => ask(harness, "ours")));
    for (const answer of answers) assert.equal(answer.status, 200, await answer.text());
    assert.equal((await (await ask(harness, "ours")).json()).model, "ours");
    assert.deepEqual(asks(harness), [
      `/inference-profiles/${encodeURIComponent(`${ARN}sim0qwen`)}`,
    ]);
    assert.equal(calls(harness).length, 4);
  });
});

Deno.test("base_model in an alias spares the question", async () => {
  const config = `models: { aliases: { ours: { model: "${ARN}sim0claude", ` +
    "base_model: anthropic.claude-opus-5-5 } } }\n";
  await withHarness({ config }, async (harness) => {
    const answer = await ask(harness, "ours");
    assert.equal(answer.status, 200, await answer.text());
    assert.deepEqual(asks(harness), []);
  });
});

Deno.test("a profile that is not there is a 404 with the remedy, and is not asked for again within a minute", async () => {
  const clock = new FakeClock();
  await withHarness({ clock, simulatorClock: clock }, async (harness) => {
    for (const _ of [1, 2]) {
      const answer = await ask(harness, `${ARN}nobody`);
      assert.equal(answer.status, 404);
      const { error } = await answer.json();
      assert.equal(error.type, "not_found_error");
      assert.match(error.message, /base_model, or allow bedrock:GetInferenceProfile/);
    }
    assert.equal(asks(harness).length, 1);
    clock.advance(60_000);
    await (await ask(harness, `${ARN}nobody`)).body?.cancel();
    assert.equal(asks(harness).length, 2);
    assert.equal(calls(harness).length, 0);
  });
});

Deno.test("an ARN is called in its own region", async () => {
  await withHarness({ endpoint: "http://127.0.0.1:9" }, ({ gateway }) => {
    const { models } = gateway.services;
    const arn =
      "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-opus-5-5";
    assert.equal(models.resolve(arn).target.region, "eu-west-1");
    assert.equal(models.resolve("claude-opus-5-5").target.region, "us-east-1");
    return Promise.resolve();
  });
});

for (
  const [partition, region] of [
    ["aws", "eu-west-1"],
    ["aws-us-gov", "us-gov-east-1"],
    ["aws-cn", "cn-north-1"],
  ]
) {
  Deno.test(`a profile of ${partition} is asked for and called in its own region, ${region}`, async () => {
    await withHarness({}, async (harness) => {
      const arn =
        `arn:${partition}:bedrock:${region}:123456789012:application-inference-profile/sim0claude`;
      const answer = await ask(harness, arn);
      assert.equal(answer.status, 200, await answer.text());
      const signedFor = harness.simulator.requests.map(({ method, headers }) => [
        method,
        /\/\d{8}\/([^/]+)\//.exec(headers.get("authorization") ?? "")?.[1],
      ]);
      assert.deepEqual(signedFor, [["GET", region], ["POST", region]]);
    });
  });
}

Deno.test("a fallback that is a profile goes by the model it stands for, which is asked for before", async () => {
  const config = `models: { aliases: { ours: { model: qwen.qwen3-32b-v1:0, fallback: [theirs] }, ` +
    `theirs: "${ARN}sim0claude" } }\n`;
  await withHarness({ config }, async (harness) => {
    harness.simulator.script(parseScript({
      status: 403,
      headers: { "x-amzn-errortype": "AccessDeniedException" },
      json: { message: "You don't have access to the model with the specified model ID." },
    }));
    const answer = await ask(harness, "ours");
    assert.equal(answer.status, 200, await answer.text());
    assert.equal(asks(harness).length, 1);
    assert.deepEqual(calls(harness), [
      "/model/qwen.qwen3-32b-v1%3A0/converse",
      `/model/${encodeURIComponent(`${ARN}sim0claude`)}/invoke`,
    ]);
  });
});
