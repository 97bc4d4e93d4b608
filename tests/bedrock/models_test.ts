import assert from "node:assert/strict";
import { ApiError } from "../../src/anthropic/error.ts";
import { Models, pageModels } from "../../src/bedrock/models.ts";
import { parseConfig } from "../../src/config/load.ts";

function models(yaml: string = ""): Models {
  return new Models(parseConfig(yaml, { file: "config.yaml", env: () => undefined }).config);
}

const ALIASES = `
models:
  aliases:
    claude-sonnet-4-5: global.anthropic.claude-sonnet-4-5-20250929-v1:0
    "claude-*": { model: qwen.qwen3-32b-v1:0, tier: flex }
    "*haiku*": { model: amazon.nova-pro-v1:0, fallback: [claude-sonnet-4-5, sim.echo] }
    "claude-haiku-*": deepseek.v3.2
    mine: { model: "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc", base_model: anthropic.claude-sonnet-4-6, region: eu-west-1 }
    new: newvendor.model-1
`;

/** Name, configuration, and what it must mean: model id, base id, route. */
const MEANINGS: [name: string, yaml: string, modelId: string, baseId: string, route: string][] = [
  ["claude-opus-5-5", "", "us.anthropic.claude-opus-5-5", "anthropic.claude-opus-5-5", "invoke"],
  [
    "claude-opus-5-5[1m]",
    "",
    "us.anthropic.claude-opus-5-5",
    "anthropic.claude-opus-5-5",
    "invoke",
  ],
  [
    "claude-opus-5-5",
    "aws: { region: eu-central-1 }",
    "eu.anthropic.claude-opus-5-5",
    "anthropic.claude-opus-5-5",
    "invoke",
  ],
  [
    "claude-opus-5-5",
    "aws: { region: ap-northeast-1 }",
    "jp.anthropic.claude-opus-5-5",
    "anthropic.claude-opus-5-5",
    "invoke",
  ],
  [
    "claude-opus-5",
    "aws: { region: ap-northeast-1 }",
    "global.anthropic.claude-opus-5",
    "anthropic.claude-opus-5",
    "invoke",
  ],
  [
    "claude-opus-5",
    "aws: { region: ap-southeast-2 }",
    "au.anthropic.claude-opus-5",
    "anthropic.claude-opus-5",
    "invoke",
  ],
  [
    "claude-opus-5-5",
    "aws: { region: us-gov-west-1 }",
    "us-gov.anthropic.claude-opus-5-5",
    "anthropic.claude-opus-5-5",
    "invoke",
  ],
  [
    "claude-haiku-5-5",
    "aws: { region: us-gov-west-1 }",
    "anthropic.claude-haiku-5-5",
    "anthropic.claude-haiku-5-5",
    "invoke",
  ],
  [
    "claude-opus-5-5",
    "aws: { region: cn-north-1 }",
    "anthropic.claude-opus-5-5",
    "anthropic.claude-opus-5-5",
    "invoke",
  ],
  [
    "claude-opus-5-5",
    "aws: { region: ca-central-1 }",
    "us.anthropic.claude-opus-5-5",
    "anthropic.claude-opus-5-5",
    "invoke",
  ],
  [
    "claude-opus-5-5",
    "aws: { region: sa-east-1 }",
    "global.anthropic.claude-opus-5-5",
    "anthropic.claude-opus-5-5",
    "invoke",
  ],
  [
    "claude-sonnet-4",
    "aws: { region: ap-south-1 }",
    "apac.anthropic.claude-sonnet-4-20250514-v1:0",
    "anthropic.claude-sonnet-4-20250514-v1:0",
    "invoke",
  ],
  [
    "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:inference-profile/us-gov.anthropic.claude-opus-5",
    "aws: { region: us-gov-west-1 }",
    "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:inference-profile/us-gov.anthropic.claude-opus-5",
    "anthropic.claude-opus-5",
    "invoke",
  ],
  [
    "claude-opus-5-5",
    "models: { profile: global }",
    "global.anthropic.claude-opus-5-5",
    "anthropic.claude-opus-5-5",
    "invoke",
  ],
  [
    "claude-opus-5-5",
    "models: { claude_route: converse }",
    "us.anthropic.claude-opus-5-5",
    "anthropic.claude-opus-5-5",
    "converse",
  ],
  [
    "claude-haiku-4-5",
    "models: { claude_route: mantle }",
    "anthropic.claude-haiku-4-5",
    "anthropic.claude-haiku-4-5-20251001-v1:0",
    "mantle",
  ],
  [
    "anthropic.claude-opus-5",
    "",
    "us.anthropic.claude-opus-5",
    "anthropic.claude-opus-5",
    "invoke",
  ],
  [
    "eu.anthropic.claude-opus-5",
    "",
    "eu.anthropic.claude-opus-5",
    "anthropic.claude-opus-5",
    "invoke",
  ],
  ["qwen.qwen9-unheard-of", "", "qwen.qwen9-unheard-of", "qwen.qwen9-unheard-of", "converse"],
  ["us.deepseek.r1-v1:0", "", "us.deepseek.r1-v1:0", "deepseek.r1-v1:0", "converse"],
  [
    "arn:aws:bedrock:us-east-1::foundation-model/qwen.qwen3-32b-v1:0",
    "",
    "arn:aws:bedrock:us-east-1::foundation-model/qwen.qwen3-32b-v1:0",
    "qwen.qwen3-32b-v1:0",
    "converse",
  ],
  [
    "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-5",
    "",
    "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-5",
    "anthropic.claude-opus-5",
    "invoke",
  ],
  [
    "claude-sonnet-4-5",
    ALIASES,
    "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "invoke",
  ],
  ["claude-opus-5", ALIASES, "qwen.qwen3-32b-v1:0", "qwen.qwen3-32b-v1:0", "converse"],
  ["claude-haiku-4-5", ALIASES, "deepseek.v3.2", "deepseek.v3.2", "converse"],
  ["my-haiku", ALIASES, "us.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0", "converse"],
  [
    "mine",
    ALIASES,
    "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc",
    "anthropic.claude-sonnet-4-6",
    "invoke",
  ],
  ["new", ALIASES, "newvendor.model-1", "newvendor.model-1", "converse"],
];

for (const [name, yaml, modelId, baseId, route] of MEANINGS) {
  Deno.test(`resolve() knows ${name} with ${yaml === "" ? "no configuration" : yaml === ALIASES ? "aliases" : yaml}`, () => {
    const { target } = models(yaml.includes("nova") ? yaml : yaml).resolve(name);
    assert.deepEqual([target.modelId, target.baseId, target.route], [modelId, baseId, route]);
  });
}

Deno.test("resolve() gives fallbacks that answer under the name that was asked for", () => {
  const { fallbacks } = models(ALIASES).resolve("my-haiku");
  assert.deepEqual(
    fallbacks.map(({ modelId, publicModel, route }) => [modelId, publicModel, route]),
    [
      ["global.anthropic.claude-sonnet-4-5-20250929-v1:0", "my-haiku", "invoke"],
      ["sim.echo", "my-haiku", "converse"],
    ],
  );
});

Deno.test("resolve() takes the tier of the alias, else of the first rule, else the default", () => {
  const tiers =
    "tiers: { default: priority, rules: [ { models: 'qwen.*', tier: flex }, { models: 'qwen.qwen3*', tier: reserved } ] }\n";
  const tierOf = (name: string, more: string = "") =>
    models(tiers + more).resolve(name).target.tier;
  assert.equal(tierOf("qwen.qwen3-32b-v1:0"), "flex");
  assert.equal(tierOf("claude-opus-5"), "priority");
  assert.equal(
    tierOf("a", "models: { aliases: { a: { model: 'qwen.qwen3-32b-v1:0', tier: default } } }\n"),
    undefined,
  );
});

for (
  const name of [
    "claude-soney-5",
    "gpt-4",
    "",
    "claude-sonnet-4.5",
    "nobody.knows",
    "qwen.a b",
    "../../etc",
    "__proto__",
    "constructor",
  ]
) {
  Deno.test(`resolve() refuses ${JSON.stringify(name)} with a 404`, () => {
    assert.throws(
      () => models().resolve(name),
      (error) => error instanceof ApiError && error.status === 404,
    );
  });
}

Deno.test("resolve() names the nearest", () => {
  assert.throws(() => models().resolve("claude-opus-5.5"), /did you mean 'claude-opus-5-5'/);
  assert.throws(
    () => models("models: { aliases: { production: sim.echo } }").resolve("prodution"),
    /did you mean 'production'/,
  );
});

for (
  const [what, yaml, wanted] of [
    [
      "a model that is none",
      "models: { aliases: { a: claude-soney-5 } }",
      /models\.aliases\.a as 'claude-soney-5' must be .*did you mean 'claude-sonnet-5'/,
    ],
    [
      "Anthropic's body for another family",
      "models: { aliases: { a: { model: 'qwen.x', route: invoke } } }",
      /Cannot call qwen\.x by invoke as only Claude models take/,
    ],
  ] as const
) {
  Deno.test(`Models refuses ${what} in an alias at the start`, () => {
    assert.throws(() => models(yaml), wanted);
  });
}

Deno.test("an alias may fall back to itself without end to no harm", () => {
  const { fallbacks } = models("models: { aliases: { a: { model: sim.echo, fallback: [a] } } }")
    .resolve("a");
  assert.equal(fallbacks.length, 1);
});

Deno.test("pageModels() pages through all models, each once, forwards and backwards", () => {
  const all = models().list();
  const ids: string[] = [];
  let page = pageModels(all, { limit: "7" });
  while (ids.push(...page.data.map(({ id }) => id)) && page.has_more) {
    page = pageModels(all, { limit: "7", after_id: page.last_id ?? "" });
  }
  assert.deepEqual(ids, all.map(({ id }) => id));
  const last = pageModels(all, { limit: "3", before_id: ids.at(-1) });
  assert.deepEqual(last.data.map(({ id }) => id), ids.slice(-4, -1));
  assert.equal(last.has_more, true);
});

Deno.test("pageModels() gives 20 unless told", () => {
  assert.equal(pageModels(models().list(), {}).data.length, 20);
});
