/** HMAC and hash of our own, against the runtime's. */
import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import fc from "fast-check";
import { Hmac, sha256Hex } from "../src/sha256.ts";
import { checkProperty } from "./seed.ts";

Deno.test("Hmac equals node:crypto, whatever key and text, at every length around a block", () => {
  for (let size = 0; size < 200; size++) {
    const text = "k".repeat(size);
    for (const key of ["", text, text + text]) {
      assert.equal(
        new Hmac(key).hex(text),
        createHmac("sha256", key).update(text).digest("hex"),
        `${size} bytes`,
      );
    }
  }
  checkProperty(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: "binary" }), (key, text) => {
      const mine = new Hmac(key);
      const wanted = createHmac("sha256", key).update(text).digest("hex");
      assert.equal(mine.hex(text), wanted);
      assert.equal(mine.hex(text), wanted); // its state is not used up
    }),
    200,
  );
});

Deno.test("sha256Hex() equals node:crypto", () => {
  checkProperty(
    fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
      assert.equal(sha256Hex(bytes), createHash("sha256").update(bytes).digest("hex"));
    }),
    200,
  );
});
