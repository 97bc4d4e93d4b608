/** What `GET /v1/models` tells of models: where they stand in their life, and what they can do through the gateway. */
import assert from "node:assert/strict";
import type { ModelInfo } from "../../src/bedrock/model_list.ts";
import { withHarness } from "../harness.ts";

/** Asks for the list; `limit` is the largest. */
async function listed(query: string, config: string = ""): Promise<ModelInfo[]> {
  let models: ModelInfo[] = [];
  await withHarness({ config }, async ({ url, key, gateway }) => {
    gateway.catalog.start();
    await gateway.catalog.idle;
    const response = await fetch(`${url}/v1/models?limit=1000${query}`, {
      headers: { "x-api-key": key },
    });
    const page = await response.json();
    assert.equal(response.status, 200, JSON.stringify(page));
    models = page.data;
  });
  return models;
}

const idsOf = (models: readonly ModelInfo[]) => models.map(({ id }) => id);

Deno.test("the list tells which models are about to end, and gives those of one stage or of several", async () => {
  const all = await listed("");
  const deprecated = all.filter(({ lifecycle }) => lifecycle === "deprecated");
  assert.ok(idsOf(deprecated).includes("claude-opus-4-1-20250805"));
  assert.ok(!idsOf(deprecated).includes("claude-opus-5-5"));
  assert.deepEqual(await listed("&lifecycle=deprecated"), deprecated);
  assert.deepEqual(
    idsOf(await listed("&lifecycle=active")),
    idsOf(all.filter(({ lifecycle }) => lifecycle === "active")),
  );
  assert.deepEqual(idsOf(await listed("&lifecycle=active&lifecycle=deprecated")), idsOf(all));
});

/** Names of what is supported. */
function supported(named: Readonly<Record<string, unknown>> | undefined): string[] {
  return Object.entries(named ?? {})
    .filter(([, value]) => (value as { supported?: boolean }).supported === true)
    .map(([name]) => name);
}

/** Model, its efforts, its kinds of thinking, and its edits of the context (of Anthropic's names, in their order). */
const CLAUDES:
  readonly (readonly [id: string, efforts: string, thinking: string, edits: number])[] = [
    ["claude-opus-5-5", "low medium high xhigh max", "adaptive", 3],
    ["claude-sonnet-5-5", "low medium high xhigh max", "adaptive between_tools", 3],
    ["claude-opus-5", "low medium high xhigh max", "adaptive disabled", 3],
    ["claude-sonnet-4-6", "low medium high max", "enabled adaptive disabled", 3],
    ["claude-opus-4-5-20251101", "low medium high", "enabled disabled", 2],
    ["claude-haiku-4-5-20251001", "", "enabled disabled", 0],
  ];

Deno.test("the list tells what each Claude can do: efforts, thinking, edits of the context", async () => {
  const models = await listed("");
  for (const [id, efforts, thinking, edits] of CLAUDES) {
    const { capabilities } = models.find((model) => model.id === id) ?? {};
    assert.equal(supported(capabilities?.effort).join(" "), efforts, id);
    assert.equal(supported(capabilities?.thinking.types).join(" "), thinking, id);
    assert.equal(supported(capabilities?.context_management).length, edits, id);
    assert.deepEqual(supported(capabilities?.server_tools), [], id);
  }
  const converse = await listed("", "models: { claude_route: converse }\n");
  const [opus] = converse.filter(({ id }) => id === "claude-opus-5-5");
  assert.deepEqual(supported(opus?.capabilities?.context_management), []); // Converse has no place for them
});

Deno.test("the list tells of other families what the account's catalog says", async () => {
  const models = await listed("");
  const of = (id: string) => models.find((model) => model.id === id)?.capabilities;
  const nova = of("amazon.nova-pro-v1:0");
  const oss = of("openai.gpt-oss-120b-1:0");
  assert.deepEqual([nova?.image_input.supported, oss?.image_input.supported], [true, false]);
  assert.deepEqual(supported(oss?.effort), ["low", "medium", "high"]);
  assert.deepEqual(supported(nova?.effort), []);
});
