/** Converse's whole answers: the same message as the stream of the same answer gives. */
import assert from "node:assert/strict";
import { ApiError } from "../../../src/anthropic/error.ts";
import { converseMessage } from "../../../src/bedrock/converse/response.ts";
import { FIXTURES, messageOf, optionsOf } from "./fixtures.ts";

for (const fixture of FIXTURES) {
  Deno.test(`converseMessage() reads ${fixture.name}`, () => {
    const message = converseMessage(fixture.answer, optionsOf(fixture.stopSequences));
    assert.deepEqual(message, messageOf(fixture));
  });
}

const NO_ANSWERS: Record<string, unknown> = {
  "nothing": undefined,
  "null": null,
  "text": "<html>",
  "an answer without output": { usage: {}, stopReason: "end_turn" },
  "output without a message": { output: {} },
  "a message without content": { output: { message: { role: "assistant" } } },
  "an answer in OpenAI's shape": { choices: [{ message: { content: "hi" } }] },
  "output that the model malformed": {
    output: { message: { content: [] } },
    stopReason: "malformed_tool_use",
  },
};

for (const [what, answer] of Object.entries(NO_ANSWERS)) {
  Deno.test(`converseMessage() fails with a 500 api_error for ${what}`, () => {
    assert.throws(
      () => converseMessage(answer, optionsOf()),
      (error) => error instanceof ApiError && error.type === "api_error" && error.status === 500,
    );
  });
}
