/** A text's part that is read by sight is what a parser reads. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { readTextDelta } from "../../../src/bedrock/converse/text_delta.ts";
import { checkProperty } from "../../seed.ts";

const encoder = new TextEncoder();

const WHOLE: Record<string, { source: number; text: string }> = {
  '{"contentBlockIndex":0,"delta":{"text":"Hello"},"p":"abcdefg"}': { source: 0, text: "Hello" },
  '{"contentBlockIndex":9,"delta":{"text":""}}': { source: 9, text: "" },
  '{"contentBlockIndex":1,"delta":{"text":" {}: "},"p":""}': { source: 1, text: " {}: " },
};
for (const [payload, wanted] of Object.entries(WHOLE)) {
  Deno.test(`readTextDelta() reads ${payload}`, () => {
    assert.deepEqual(readTextDelta(encoder.encode(payload)), wanted);
  });
}

const OTHERS = [
  "",
  "{}",
  '{"contentBlockIndex":0}',
  '{"contentBlockIndex":10,"delta":{"text":"x"}}',
  '{"contentBlockIndex":-,"delta":{"text":"x"}}',
  '{"contentBlockIndex":0,"delta":{"text":"x\\n"}}',
  '{"contentBlockIndex":0,"delta":{"text":"é"}}',
  '{"contentBlockIndex":0,"delta":{"text":"x\n"}}',
  '{"contentBlockIndex":0,"delta":{"text":"x"}',
  '{"contentBlockIndex":0,"delta":{"text":"x"}}}',
  '{"contentBlockIndex":0,"delta":{"text":"x"}},"p":"a"}',
  '{"contentBlockIndex":0,"delta":{"text":"x"},"p":"a"',
  '{"contentBlockIndex":0,"delta":{"text":"x"},"p":"a","contentBlockIndex":1}',
  '{"contentBlockIndex":0,"delta":{"text":"x","toolUse":{}}}',
  '{"contentBlockIndex":0,"delta":{"toolUse":{"input":"x"}}}',
  '{"delta":{"text":"x"},"contentBlockIndex":0}',
  `{"contentBlockIndex":0,"delta":{"text":"${"x".repeat(100)}"}}`,
];
for (const payload of OTHERS) {
  Deno.test(`readTextDelta() leaves to the parser: ${payload.slice(0, 70)}`, () => {
    assert.equal(readTextDelta(encoder.encode(payload)), undefined);
  });
}

Deno.test("readTextDelta() reads what a parser reads, or nothing", () => {
  const texts = fc.oneof(fc.string({ maxLength: 80 }), fc.string({ unit: "binary", maxLength: 8 }));
  checkProperty(
    fc.property(
      fc.nat(12),
      texts,
      fc.option(fc.stringMatching(/^[a-zA-Z0-9]{0,40}$/)),
      (n, text, p) => {
        const value = { contentBlockIndex: n, delta: { text }, ...(p === null ? {} : { p }) };
        const found = readTextDelta(encoder.encode(JSON.stringify(value)));
        const plain = n < 10 && text.length < 64 && /^[\x20-\x7e]*$/.test(text) &&
          !/["\\]/.test(text);
        assert.deepEqual(found, plain ? { source: n, text } : undefined);
      },
    ),
    500,
  );
});
