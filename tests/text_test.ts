import assert from "node:assert/strict";
import { parseDuration, parseExpiry } from "../src/text/duration.ts";
import fc from "fast-check";
import { compileGlob } from "../src/text/glob.ts";
import { editDistance, nearest } from "../src/text/nearest.ts";
import { checkProperty } from "./seed.ts";

Deno.test("editDistance() counts a swap of neighbours as one", () => {
  for (
    const [a, b, wanted] of [
      ["", "", 0],
      ["abc", "abc", 0],
      ["modles", "models", 1],
      ["kitten", "sitting", 3],
      ["", "ab", 2],
      ["ca", "abc", 3],
    ] as const
  ) {
    assert.equal(editDistance(a, b), wanted, `${a} ${b}`);
    assert.equal(editDistance(b, a), wanted, `${b} ${a}`);
  }
});

Deno.test("nearest() gives the best first, and nothing where nothing is near", () => {
  assert.deepEqual(nearest("opus", ["claude-opus-5", "haiku", "claude-opus-4"]), [
    "claude-opus-5",
    "claude-opus-4",
  ]);
  assert.deepEqual(nearest("xyzzy-and-more", ["models", "a"]), []);
});

Deno.test("compileGlob() takes only * for more than itself", () => {
  const cases: [glob: string, name: string, wanted: boolean][] = [
    ["*haiku*", "claude-haiku-4-5", true],
    ["qwen.*", "qwen.x", true],
    ["qwen.*", "qwenxx", false],
    ["a+b(c)", "a+b(c)", true],
    ["*", "", true],
    ["a*c", "abbbc\nc", true],
    ["abc", "abcd", false],
  ];
  for (const [glob, name, wanted] of cases) {
    assert.equal(compileGlob(glob).matches(name), wanted, `${glob} ${name}`);
  }
  assert.equal(compileGlob("*ha*ku*").literals, 4);
});

Deno.test("compileGlob() matches what the regular expression would, in one pass", () => {
  const piece = fc.constantFrom("a", "b", "*", "ab", "**", ".");
  const text = fc.array(piece, { maxLength: 8 }).map((parts) => parts.join(""));
  checkProperty(
    fc.property(text, text, (glob, name) => {
      const pattern = glob.replaceAll(".", "\\.").replaceAll("*", ".*");
      assert.equal(compileGlob(glob).matches(name), new RegExp(`^${pattern}$`, "s").test(name));
    }),
    2_000,
  );
  // A regular expression would try some 10^14 ways to part this.
  assert.equal(compileGlob("*a*a*a*a*b").matches("a".repeat(2_048)), false);
});

Deno.test("parseDuration() reads what people write", () => {
  assert.deepEqual(["30s", "15m", "12h", "90d", "4w"].map(parseDuration), [
    30e3,
    900e3,
    43_200e3,
    7_776_000e3,
    2_419_200e3,
  ]);
  for (const wrong of ["", "5", "d", "0d", "-1d", "1.5h", "1y", "1d2h"]) {
    assert.throws(() => parseDuration(wrong), {
      name: "SyntaxError",
      message: /must be like 30s, 15m, 12h, 90d or 4w/,
    }, wrong);
  }
});

Deno.test("parseExpiry() takes a duration or a time that lies ahead", () => {
  const now = Date.UTC(2026, 10, 23);
  assert.equal(parseExpiry("1d", now), now + 86_400_000);
  assert.equal(parseExpiry("2027-01-01T00:00:00Z", now), Date.UTC(2027, 0, 1));
  assert.throws(() => parseExpiry("2020-01-01", now), RangeError);
  assert.throws(() => parseExpiry("2026-99-99", now), SyntaxError);
});
