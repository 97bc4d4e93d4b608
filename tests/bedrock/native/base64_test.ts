/** Base64 read straight out of a frame equals the runtime's own; whatever else it gives up. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeLine } from "../../../src/bedrock/native/base64.ts";
import { checkProperty } from "../../seed.ts";

const encoder = new TextEncoder();

function decoded(text: string): Uint8Array | undefined {
  const bytes = encoder.encode(`"${text}"`);
  const out = new Uint8Array(text.length + 2);
  const size = decodeLine({ bytes, start: 1, end: bytes.byteLength - 1 }, out, 1);
  return size < 0 ? undefined : out.slice(1, 1 + size);
}

Deno.test("decodeLine() gives the bytes that were encoded, where none is a control character", () => {
  checkProperty(
    fc.property(fc.array(fc.integer({ min: 32, max: 255 }), { minLength: 1 }), (bytes) => {
      assert.deepEqual(decoded(Uint8Array.from(bytes).toBase64()), Uint8Array.from(bytes));
    }),
    200,
  );
});

Deno.test("decodeLine() gives up what holds a control character, wherever it stands", () => {
  checkProperty(
    fc.property(
      fc.array(fc.integer({ min: 32, max: 255 }), { minLength: 1, maxLength: 40 }),
      fc.nat(),
      fc.nat(31),
      (bytes, at, control) => {
        bytes[at % bytes.length] = control;
        assert.equal(decoded(Uint8Array.from(bytes).toBase64()), undefined);
      },
    ),
    200,
  );
});

const NONE = [
  "",
  "a",
  "ab",
  "abc",
  "ab=c",
  "=abc",
  "====",
  "a===",
  "ab=",
  "YWJ\\",
  "YW!i",
  "YWJé",
  "YR==",
];
for (const text of NONE) {
  Deno.test(`decodeLine() gives up ${JSON.stringify(text)}`, () => {
    assert.equal(decoded(text), undefined);
  });
}
