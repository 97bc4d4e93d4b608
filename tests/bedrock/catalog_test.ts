/** The account's catalog: read leniently, merged into names and quirks, and never on a client's time. */
import assert from "node:assert/strict";
import { Catalog } from "../../src/bedrock/catalog.ts";
import { readCatalog } from "../../src/bedrock/catalog_read.ts";
import { quirksOf } from "../../src/bedrock/converse/quirks.ts";
import { Models } from "../../src/bedrock/models.ts";
import { parseConfig } from "../../src/config/load.ts";
import type { HttpAnswer } from "../../src/net/http_client.ts";
import { openLog } from "../../src/log.ts";
import { FakeClock } from "../fake_clock.ts";
import { withHarness } from "../harness.ts";

function models(yaml: string): Models {
  return new Models(parseConfig(yaml, { file: "config.yaml", env: () => undefined }).config);
}

function summary(modelId: string, more: Record<string, unknown> = {}) {
  return {
    modelId,
    modelName: `Name of ${modelId}`,
    outputModalities: ["TEXT"],
    inferenceTypesSupported: ["ON_DEMAND"],
    modelLifecycle: { status: "ACTIVE" },
    ...more,
  };
}

function profile(inferenceProfileId: string, status: string = "ACTIVE") {
  return { inferenceProfileId, status, type: "SYSTEM_DEFINED" };
}

const PROFILE_ONLY = { inferenceTypesSupported: ["INFERENCE_PROFILE"] };

Deno.test("a profile that the account has is preferred to the table's, its geography before global", () => {
  const known = models("aws: { region: eu-central-1 }");
  const asked = () => known.resolve("claude-opus-5-5").target.modelId;
  assert.equal(asked(), "eu.anthropic.claude-opus-5-5");
  const opus = summary("anthropic.claude-opus-5-5", PROFILE_ONLY);
  known.learnCatalog(readCatalog("eu-central-1", [opus], [
    profile("global.anthropic.claude-opus-5-5"),
    profile("eu.anthropic.claude-opus-5-5", "DELETING"),
  ]));
  assert.equal(asked(), "global.anthropic.claude-opus-5-5");
  known.learnCatalog(readCatalog("eu-central-1", [opus], [
    profile("global.anthropic.claude-opus-5-5"),
    profile("eu.anthropic.claude-opus-5-5"),
  ]));
  assert.equal(asked(), "eu.anthropic.claude-opus-5-5");
});

/** Region, prefixes that the account has, and the one that is chosen. */
const GEOGRAPHIES: [region: string, listed: string, chosen: string][] = [
  ["us-west-2", "global us", "us"],
  ["us-gov-east-1", "global us us-gov", "us-gov"],
  ["ca-central-1", "global us ca", "ca"],
  ["ca-central-1", "global us", "us"],
  ["eu-south-1", "global us eu", "eu"],
  ["ap-northeast-3", "global apac jp", "jp"],
  ["ap-northeast-2", "global apac jp", "apac"],
  ["ap-southeast-4", "global apac au", "au"],
  ["ap-south-1", "global apac in", "in"],
  ["ap-south-1", "global apac", "apac"],
  ["sa-east-1", "global sa", "sa"],
  ["me-central-1", "global me", "me"],
  ["af-south-1", "global af", "af"],
  ["il-central-1", "global il", "il"],
  ["mx-central-1", "us global", "global"],
  ["mx-central-1", "us", "us"],
];

for (const [region, listed, chosen] of GEOGRAPHIES) {
  Deno.test(`in ${region} the profile of '${chosen}' is chosen of '${listed}'`, () => {
    const known = models(`aws: { region: ${region} }`);
    const prefixes = listed.split(" ");
    known.learnCatalog(readCatalog(region, [
      summary("anthropic.claude-opus-5-5", PROFILE_ONLY),
    ], prefixes.map((prefix) => profile(`${prefix}.anthropic.claude-opus-5-5`))));
    const { modelId } = known.resolve("claude-opus-5-5").target;
    assert.equal(modelId, `${chosen}.anthropic.claude-opus-5-5`);
  });
}

Deno.test("the catalog of one region says nothing of another's models", () => {
  const known = models(
    "models: { aliases: { there: { model: claude-opus-5-5, region: eu-west-1 }, " +
      "open: { model: qwen.qwen3-32b-v1:0, region: eu-west-1 } } }",
  );
  known.learnCatalog(readCatalog("us-east-1", [
    summary("anthropic.claude-opus-5-5", PROFILE_ONLY),
    summary("qwen.qwen3-32b-v1:0", { converse: { maxTokensMaximum: 100 } }),
  ], [profile("global.anthropic.claude-opus-5-5")]));
  const target = (name: string) => known.resolve(name).target;
  assert.equal(target("claude-opus-5-5").modelId, "global.anthropic.claude-opus-5-5");
  assert.equal(target("there").modelId, "eu.anthropic.claude-opus-5-5");
  assert.equal(target("qwen.qwen3-32b-v1:0").facts?.mostTokens, 100);
  assert.equal(target("open").facts, undefined);
});

Deno.test("a bare id that only a profile serves gets the profile's prefix, another stays as it is", () => {
  const known = models("");
  known.learnCatalog(readCatalog("us-east-1", [
    summary("newvendor.large", PROFILE_ONLY),
    summary("qwen.next"),
  ], [profile("us.newvendor.large"), profile("us.qwen.next")]));
  const modelId = (name: string) => known.resolve(name).target.modelId;
  assert.equal(modelId("qwen.next"), "qwen.next");
  assert.equal(modelId("newvendor.large"), "us.newvendor.large");
  const alias = models("models: { aliases: { big: newvendor.large } }");
  alias.learnCatalog(
    readCatalog("us-east-1", [summary("newvendor.large", PROFILE_ONLY)], [
      profile("us.newvendor.large"),
    ]),
  );
  assert.equal(alias.resolve("big").target.modelId, "us.newvendor.large");
});

Deno.test("a Claude model newer than the table is served and listed by Anthropic's name", () => {
  const known = models("");
  known.learnCatalog(readCatalog("us-east-1", [
    summary("anthropic.claude-opus-9-20290101-v1:0", PROFILE_ONLY),
  ], [profile("us.anthropic.claude-opus-9-20290101-v1:0")]));
  const { target } = known.resolve("claude-opus-9-20290101");
  assert.equal(target.modelId, "us.anthropic.claude-opus-9-20290101-v1:0");
  assert.equal(target.route, "invoke");
  assert.ok(known.find("claude-opus-9-20290101"));
});

Deno.test("the list has aliases first, then the table, then what else the account has", () => {
  const known = models("models: { aliases: { mine: qwen.qwen3-32b-v1:0 } }");
  const before = known.list().map(({ id }) => id);
  known.learnCatalog(readCatalog("us-east-1", [
    summary("qwen.qwen3-32b-v1:0"),
    summary("newvendor.small", { description: { maxContextWindow: "256K" } }),
    summary("newvendor.painter", { outputModalities: ["IMAGE"] }),
    summary("newvendor.gone", { modelLifecycle: { status: "LEGACY" } }),
  ], []));
  const after = known.list();
  assert.deepEqual(after.map(({ id }) => id), [...before, "newvendor.small"]);
  assert.equal(after[0]?.id, "mine");
  const small = after.at(-1);
  assert.equal(small?.display_name, "Name of newvendor.small");
  assert.equal(small?.max_input_tokens, 256_000);
});

Deno.test("what the catalog says of a model goes before the built-in table", () => {
  const [model] = readCatalog("us-east-1", [summary("qwen.new", {
    converse: { systemRoleSupported: false, maxTokensMaximum: 8_192, hideSamplingParameter: true },
    explicitPromptCaching: { isSupported: true },
    consoleIDEMetadata: JSON.stringify({
      converse: { invokeChatFeatures: { functionToolStreamSupported: false } },
    }),
  })], []).models.values();
  const quirks = quirksOf("qwen.new", model?.facts);
  const { system, mostTokens, sampling, cache, tools } = quirks;
  assert.deepEqual({ system, mostTokens, sampling, cache, tools }, {
    system: "fold",
    mostTokens: 8_192,
    sampling: "none",
    cache: ["system", "messages"],
    tools: "whole",
  });
  assert.deepEqual(
    {
      ...quirks,
      system: "native",
      mostTokens: Infinity,
      sampling: "both",
      cache: [],
      tools: "stream",
    },
    quirksOf("qwen.new"),
  );
});

Deno.test("what the catalog says that a model has not goes before the built-in table too", () => {
  const [model] = readCatalog("us-east-1", [summary("amazon.nova-pro-v1:0", {
    explicitPromptCaching: { isSupported: false },
    consoleIDEMetadata: JSON.stringify({
      converse: { invokeChatFeatures: { functionToolSupported: false } },
    }),
  })], []).models.values();
  const { tools, toolChoice, cache } = quirksOf("amazon.nova-pro-v1:0", model?.facts);
  assert.deepEqual({ tools, toolChoice, cache }, { tools: "none", toolChoice: [], cache: [] });
});

Deno.test("more tokens than the catalog allows are not asked for, and that is told", async () => {
  await withHarness({}, async ({ gateway, simulator, post }) => {
    const few = summary("qwen.few", { converse: { maxTokensMaximum: 500 } });
    gateway.services.models.learnCatalog(readCatalog("us-east-1", [few], []));
    for (
      const [max_tokens, asked, told] of [[500, 500, null], [501, 500, "max_tokens above 500"]]
    ) {
      const response = await post({
        model: "qwen.few",
        max_tokens,
        messages: [{ role: "user", content: "hi" }],
      });
      assert.equal(response.status, 200, await response.text());
      const sent = JSON.parse(simulator.requests.at(-1)?.text ?? "{}");
      assert.equal(sent.inferenceConfig.maxTokens, asked);
      assert.equal(response.headers.get("x-outcrop-dropped"), told);
    }
  });
});

Deno.test("a catalog of odd shapes says nothing, and breaks nothing", () => {
  const odd = [
    null,
    1,
    {},
    { modelId: 7 },
    summary("a.b", { converse: [], consoleIDEMetadata: "{" }),
  ];
  assert.deepEqual([
    ...readCatalog("us-east-1", odd, [null, { inferenceProfileId: {} }]).models.keys(),
  ], [
    "a.b",
  ]);
  assert.deepEqual([...readCatalog("us-east-1", undefined, undefined).models.keys()], []);
});

const EMPTY_OBJECT: HttpAnswer = {
  status: 200,
  header: () => null,
  get body() {
    const chunks = [new TextEncoder().encode("{}")];
    return { read: () => Promise.resolve(chunks.shift()), cancel: () => undefined };
  },
};

Deno.test("the catalog is asked for at the start, every hour, and five minutes after a failure", async () => {
  const clock = new FakeClock();
  const told: string[] = [];
  let failing = true;
  let asked = 0;
  let snapshots = 0;
  const catalog = new Catalog({
    region: "us-east-1",
    clock,
    log: openLog({ level: "debug", format: "json", write: (line) => told.push(line) }),
    onChange: () => snapshots++,
    sender: {
      send({ path }) {
        if (path === "/foundation-models") asked++;
        return failing
          ? Promise.reject(new Error("Not authorized"))
          : Promise.resolve(EMPTY_OBJECT);
      },
    },
  });
  catalog.start();
  await catalog.idle;
  assert.deepEqual([asked, snapshots], [1, 0]);
  assert.match(told.join(), /bedrock:ListFoundationModels/);
  failing = false;
  clock.advance(5 * 60_000 - 1);
  assert.equal(asked, 1);
  clock.advance(1);
  await catalog.idle;
  assert.deepEqual([asked, snapshots], [2, 1]);
  clock.advance(60 * 60_000 - 1);
  assert.equal(asked, 2);
  clock.advance(1);
  await catalog.idle;
  assert.deepEqual([asked, snapshots], [3, 2]);
  await catalog.close();
  assert.equal(clock.pending, 0);
});

Deno.test("a gateway lists what its account has, and asks nobody on a client's time", async () => {
  await withHarness({}, async ({ gateway, simulator, url, key }) => {
    const asked = () => simulator.requests.filter(({ method }) => method === "GET").length;
    gateway.catalog.start();
    await gateway.catalog.idle;
    const before = asked();
    assert.ok(before >= 2);
    const answer = await fetch(`${url}/v1/models/openai.gpt-oss-120b-1:0`, {
      headers: { "x-api-key": key },
    });
    assert.equal((await answer.json()).max_input_tokens, 128_000);
    assert.equal(asked(), before);
  });
});
