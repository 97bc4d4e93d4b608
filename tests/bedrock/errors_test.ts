/** Every way in which Bedrock refuses or fails, and what the client is told of it: type, status and Bedrock's own words. */
import assert from "node:assert/strict";
import { parseScript } from "../../src/simulator/simulator.ts";
import { withHarness } from "../harness.ts";

/** Bedrock's status and exception (none: a box in between), and the client's type and status. */
const TABLE: readonly (readonly [
  status: number,
  exception: string | undefined,
  type: string,
  told: number,
])[] = [
  [400, "ValidationException", "invalid_request_error", 400],
  [400, "ConflictException", "invalid_request_error", 400],
  [400, "SerializationException", "invalid_request_error", 400],
  [400, "ServiceQuotaExceededException", "rate_limit_error", 429],
  [403, "AccessDeniedException", "permission_error", 403],
  [404, "ResourceNotFoundException", "not_found_error", 404],
  [404, "UnknownOperationException", "not_found_error", 404],
  [408, "ModelTimeoutException", "timeout_error", 504],
  [424, "ModelErrorException", "api_error", 500],
  [424, "ModelStreamErrorException", "api_error", 500],
  [429, "ModelNotReadyException", "overloaded_error", 529],
  [429, "ThrottlingException", "rate_limit_error", 429],
  [429, "TooManyRequestsException", "rate_limit_error", 429],
  [500, "InternalServerException", "api_error", 500],
  [500, "InternalFailure", "api_error", 500],
  [503, "ServiceUnavailableException", "overloaded_error", 529],
  [503, "ServiceUnavailable", "overloaded_error", 529],
  [418, "ExceptionOfNextYear", "api_error", 500],
  [400, undefined, "invalid_request_error", 400],
  [403, undefined, "permission_error", 403],
  [404, undefined, "not_found_error", 404],
  [408, undefined, "timeout_error", 504],
  [413, undefined, "request_too_large", 413],
  [424, undefined, "api_error", 500],
  [429, undefined, "rate_limit_error", 429],
  [500, undefined, "api_error", 500],
  [502, undefined, "api_error", 500],
  [503, undefined, "overloaded_error", 529],
  [504, undefined, "api_error", 500],
  [529, undefined, "overloaded_error", 529],
];

/** Types that a client tries again, when the time that it is told has passed. */
const WAITS = new Set(["rate_limit_error", "overloaded_error"]);

for (const [status, exception, type, told] of TABLE) {
  for (const [model, stream] of [["qwen.qwen3-32b-v1:0", false], ["claude-haiku-4-5", true]]) {
    const answer = `${status} ${exception ?? "without an exception"}`;
    Deno.test(`${answer} is ${told} ${type} (${model}${stream ? ", streamed" : ""})`, () =>
      withHarness({ config: "limits: { retries: 0 }\n" }, async ({ post, simulator, log }) => {
        const message = `Bedrock's own words of ${answer}`;
        simulator.script(parseScript({
          status,
          headers: exception === undefined ? {} : { "x-amzn-errortype": `${exception}:http://x/` },
          json: { message },
        }));
        const response = await post({
          model,
          stream,
          max_tokens: 10,
          messages: [{ role: "user", content: "hi" }],
        });
        const { error, request_id } = await response.json();
        assert.deepEqual([response.status, error], [told, { type, message }]);
        assert.equal(response.headers.get("request-id"), request_id);
        const ofBedrock = response.headers.get("x-amzn-requestid") ?? "none";
        assert.match(ofBedrock, /^[0-9a-f-]{36}$/);
        assert.ok(log.some((line) => line.includes(ofBedrock) && line.includes(request_id)));
        const wait = response.headers.get("retry-after");
        assert.equal(wait !== null, WAITS.has(type), `retry-after ${wait}`);
      }));
  }
}

for (
  const exception of [
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "ExpiredTokenException",
    "ExpiredToken",
    "InvalidClientTokenId",
    "IncompleteSignatureException",
    "MissingAuthenticationTokenException",
  ]
) {
  Deno.test(`${exception} is the gateway's own affair, and no 401`, () =>
    withHarness({}, async ({ post, simulator }) => {
      simulator.script(parseScript({
        status: 403,
        headers: { "x-amzn-errortype": exception },
        json: { message: "The security token included in the request is invalid." },
      }));
      const response = await post({
        model: "claude-haiku-4-5",
        max_tokens: 10,
        messages: [{ role: "user", content: "hi" }],
      });
      const { error } = await response.json();
      assert.deepEqual([response.status, error.type], [403, "permission_error"]);
      assert.match(error.message, new RegExp(`gateway's own AWS credential.*\\(${exception}\\)`));
      assert.equal(simulator.requests.length, 1);
    }));
}

/** Answers without an exception, and whether another try is made of them. */
const AGAIN: readonly (readonly [status: number, again: boolean])[] = [
  [400, false],
  [403, false],
  [404, false],
  [408, true],
  [413, false],
  [424, true],
  [429, true],
  [500, true],
  [502, true],
  [503, true],
  [529, true],
];

for (const [status, again] of AGAIN) {
  Deno.test(`${status} without an exception is ${again ? "asked for again" : "final"}`, () =>
    withHarness({ config: "limits: { retries: 1 }\n" }, async ({ post, simulator }) => {
      simulator.script(parseScript({ status, text: "<html>a box in between</html>" }));
      const response = await post({
        model: "qwen.qwen3-32b-v1:0",
        max_tokens: 10,
        messages: [{ role: "user", content: "hi" }],
      });
      assert.equal(response.status === 200, again, await response.text());
      assert.equal(simulator.requests.length, again ? 2 : 1);
    }));
}
