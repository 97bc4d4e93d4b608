import assert from "node:assert/strict";
import { Sha256 } from "@aws-crypto/sha256-js";
import { SignatureV4 } from "@smithy/signature-v4";
import fc from "fast-check";
import { encodeModelPath, Signer } from "../../src/bedrock/sign.ts";
import { checkAsyncProperty } from "../seed.ts";

const hex = fc.string({
  unit: fc.constantFrom(..."0123456789ABCDEFabcdef+/="),
  minLength: 16,
  maxLength: 40,
});
const modelId = fc.oneof(
  fc.constantFrom(
    "anthropic.claude-haiku-4-5-20251001-v1:0",
    "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123",
    "qwen.qwen3-32b-v1:0",
  ),
  fc.string({ unit: fc.constantFrom(..."abz019.-_:/ ()'!*~@"), minLength: 1, maxLength: 60 }),
);
const request = fc.record({
  modelId,
  operation: fc.constantFrom("converse", "converse-stream", "invoke"),
  query: fc.array(fc.tuple(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 })), {
    maxLength: 3,
  }),
  headerValue: fc.string({ unit: fc.constantFrom(..."ab \t,;=1"), minLength: 1, maxLength: 20 })
    .map((s) => `a${s}b`),
  body: fc.uint8Array({ maxLength: 300 }),
  region: fc.constantFrom("us-east-1", "eu-central-1", "us-gov-west-1"),
  service: fc.constantFrom("bedrock", "bedrock-mantle"),
  accessKeyId: hex,
  secretAccessKey: hex,
  sessionToken: fc.option(hex, { nil: undefined }),
  now: fc.integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2030, 0, 1) }),
});

Deno.test("sign() gives the headers that the AWS SDK's signer gives for the same instant", async () => {
  const signer = new Signer();
  await checkAsyncProperty(
    fc.asyncProperty(request, async (given) => {
      const url = new URL(
        `http://bedrock.test:8080/model/${encodeModelPath(given.modelId)}/${given.operation}`,
      );
      for (const [name, value] of given.query) if (name !== "") url.searchParams.set(name, value);
      const headers = {
        "content-type": "application/json",
        "X-Amzn-Bedrock-Trace": given.headerValue,
        "user-agent": "outcrop",
      };
      const credentials = {
        accessKeyId: given.accessKeyId,
        secretAccessKey: given.secretAccessKey,
        ...(given.sessionToken === undefined ? {} : { sessionToken: given.sessionToken }),
      };
      const referee = new SignatureV4({
        credentials,
        region: given.region,
        service: given.service,
        sha256: Sha256,
        uriEscapePath: true,
      });
      const wanted = await referee.sign({
        method: "POST",
        protocol: "http:",
        hostname: "bedrock.test",
        port: 8080,
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: { ...headers, host: url.host },
        body: given.body,
      }, { signingDate: new Date(given.now) });
      const actual = signer.sign({
        method: "POST",
        url,
        headers,
        body: given.body,
        region: given.region,
        service: given.service,
        credentials,
        now: given.now,
      });
      assert.equal(actual.authorization, wanted.headers.authorization);
      assert.equal(actual["x-amz-date"], wanted.headers["x-amz-date"]);
      assert.equal(actual["x-amz-security-token"], wanted.headers["x-amz-security-token"]);
      assert.equal(actual["x-amz-content-sha256"], wanted.headers["x-amz-content-sha256"]);
    }),
    60,
  );
});

Deno.test("sign() derives another key when only the secret has changed", () => {
  const signer = new Signer();
  const sign = (secretAccessKey: string) =>
    signer.sign({
      method: "POST",
      url: new URL("http://bedrock.test/model/a/converse"),
      headers: {},
      body: new Uint8Array(),
      region: "us-east-1",
      service: "bedrock",
      credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey },
      now: Date.UTC(2026, 10, 23),
    }).authorization;
  assert.notEqual(sign("first"), sign("second"));
  assert.equal(sign("first"), sign("first"));
});

Deno.test("encodeModelPath() encodes what an ARN holds", () => {
  assert.equal(
    encodeModelPath("arn:aws:bedrock:us-east-1:1:inference-profile/a.b-c_d~e"),
    "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fa.b-c_d~e",
  );
});
