/** An error that Bedrock answered can be shown to AWS: its id and exception are with the answer and in the log. */
import assert from "node:assert/strict";
import { withHarness } from "../harness.ts";

for (const status of [400, 503]) {
  Deno.test(`Bedrock's own id of an error is in the answer, and in the log under ours (${status})`, () =>
    withHarness({ config: "limits: { retries: 0 }\n" }, async (harness) => {
      harness.simulator.script({
        status,
        headers: { "x-amzn-requestid": "id-of-bedrock", "x-amzn-errortype": "SomeException:" },
        body: '{"message":"no"}',
      });
      const response = await harness.post({
        model: "claude-haiku-4-5",
        max_tokens: 20,
        messages: [{ role: "user", content: "hi" }],
      });
      await response.body?.cancel();
      assert.equal(response.headers.get("x-amzn-requestid"), "id-of-bedrock");
      const id = response.headers.get("request-id") ?? "";
      const line = harness.log.find((one) => one.includes(id) && one.includes('"fault"')) ?? "{}";
      const { exception, bedrock_request } = JSON.parse(line).properties;
      assert.deepEqual([exception, bedrock_request], ["SomeException", "id-of-bedrock"]);
    }));
}
