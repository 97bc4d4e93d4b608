/** Where the gateway's signature goes is the operator's choice: nothing a client says leads it to another host. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ApiError } from "../../src/anthropic/error.ts";
import { bedrockHosts } from "../../src/bedrock/endpoint.ts";
import { regionOfArn } from "../../src/bedrock/model_id.ts";
import { Models } from "../../src/bedrock/models.ts";
import { encodeModelPath } from "../../src/bedrock/sign.ts";
import { parseConfig } from "../../src/config/load.ts";
import { withHarness } from "../harness.ts";
import { checkProperty } from "../seed.ts";

const models = new Models(parseConfig("", { file: "config.yaml", env: () => undefined }).config);
const AWS = /^bedrock(?:-runtime|-mantle)?\.[a-z0-9-]+\.(?:amazonaws\.com(?:\.cn)?|api\.aws)$/;

/** Every URL that a name could be called at; none for a name that is not served. */
function urlsOf(name: string): URL[] {
  const regions = [...models.unknownProfiles(name).map((arn) => regionOfArn(arn) ?? "us-east-1")];
  try {
    regions.push(models.resolve(name).target.region);
  } catch (error) {
    assert.ok(error instanceof ApiError && error.status === 404, String(error));
  }
  return regions.flatMap((region) => Object.values(bedrockHosts(region, null)))
    .map((host) => new URL(`${host}/model/${encodeModelPath(name)}/invoke`));
}

function assertAws(name: string): void {
  for (const url of urlsOf(name)) {
    assert.match(url.hostname, AWS, name);
    assert.equal(`${url.protocol}${url.username}${url.password}${url.port}`, "https:", name);
    assert.equal(url.pathname.split("/").length, 4, name);
  }
}

const KINDS = ["inference-profile", "application-inference-profile", "provisioned-model"];

/** What stands where a region should, so that the host ends before it. */
const REGIONS = [
  "x@evil.example#",
  "x@evil.example/",
  "evil.example/",
  "evil.example?",
  "x@127.0.0.1#",
  "x@169.254.169.254#",
  "us-east-1.evil.example",
  "x@[::1]/",
  "\\\\evil.example\\",
  "us-east-1%2f",
  "us-east-1\n",
  "..",
];

for (const region of REGIONS) {
  Deno.test(`an ARN whose region is ${JSON.stringify(region)} is not served`, () =>
    withHarness({}, async ({ post, simulator }) => {
      for (const kind of KINDS) {
        const name = `arn:aws:bedrock:${region}:123456789012:${kind}/x`;
        assert.deepEqual(urlsOf(name), []);
        const body = { model: name, max_tokens: 5, messages: [{ role: "user", content: "hi" }] };
        assert.equal((await post(body)).status, 404);
      }
      assert.equal(simulator.requests.length, 0);
    }));
}

Deno.test("no name that a client makes up leads to a host that is not AWS's", () => {
  const sign = fc.constantFrom(..."@#?/\\:.%[]!$&' \n\t\0é".split(""), "..", "//", "evil.example");
  const word = fc.constantFrom("us-east-1", "anthropic.claude", "us", "arn", "aws", "bedrock");
  const text = fc.array(fc.oneof(sign, word, fc.string()), { maxLength: 8 })
    .map((parts) => parts.join(""));
  const arn = fc.tuple(text, text, fc.constantFrom(...KINDS, "foundation-model"), text)
    .map(([region, account, kind, id]) => `arn:aws:bedrock:${region}:${account}:${kind}/${id}`);
  const valid = fc.tuple(fc.constantFrom(...KINDS), text)
    .map(([kind, id]) => `arn:aws:bedrock:eu-west-1:123456789012:${kind}/${id}`);
  const plain = text.map((id) => `anthropic.${id}`);
  checkProperty(fc.property(fc.oneof(text, arn, valid, plain), assertAws), 1_500);
});

Deno.test("a region that would end the host's name is no region", () => {
  for (const region of ["", ...REGIONS]) {
    assert.throws(() => bedrockHosts(region, null), /Cannot make a host of region/);
  }
});

Deno.test("headers and fields that name an upstream change nothing", () =>
  withHarness({}, async ({ post, simulator }) => {
    const headers = {
      "x-forwarded-host": "evil.example",
      "x-amz-target": "evil",
      "anthropic-base-url": "https://evil.example",
      "x-base-url": "https://evil.example",
    };
    const body = {
      model: "qwen.qwen3-32b-v1:0",
      max_tokens: 5,
      messages: [{ role: "user", content: "[[sim:echo]] hi" }],
      api_base: "https://evil.example",
      endpoint: "https://evil.example",
    };
    assert.equal((await post(body, headers)).status, 200);
    const [received] = simulator.requests;
    assert.equal(received?.path, "/model/qwen.qwen3-32b-v1%3A0/converse");
    const names = [...received?.headers.keys() ?? []];
    assert.deepEqual(names.filter((name) => Object.hasOwn(headers, name)), []);
  }));
