import assert from "node:assert/strict";
import fc from "fast-check";
import { table } from "../../src/cli/terminal.ts";
import { checkProperty } from "../seed.ts";

Deno.test("table() aligns texts to the left, numbers to the right, under capital headings", () => {
  assert.deepEqual(
    table([{ name: "a", calls: 5 }, { name: "longer", calls: 1200 }], 80).split("\n"),
    [
      "NAME    CALLS",
      "a           5",
      "longer   1200",
    ],
  );
});

Deno.test("table() cuts the widest column until the table fits, and marks the cut", () => {
  const [, row = ""] = table([{ id: "key_1", model: "x".repeat(60) }], 30).split("\n");
  assert.equal(row, `key_1  ${"x".repeat(22)}…`);
});

Deno.test("table() leaves a cell empty where a row lacks a column, and says (none) of no rows", () => {
  assert.equal(table([{ a: "x", b: "y" }, { a: "z" }], 80), "A  B\nx  y\nz");
  assert.equal(table([], 80), "(none)");
});

Deno.test("table() is never wider than there is room, down to eight columns for each text", () => {
  const cell = fc.string({ unit: fc.constantFrom("a", "b", "-"), maxLength: 80 });
  const rows = fc.array(fc.record({ a: cell, b: cell, c: cell }), { minLength: 1, maxLength: 5 });
  checkProperty(
    fc.property(rows, fc.integer({ min: 28, max: 120 }), (given, width) => {
      for (const line of table(given, width).split("\n")) assert.ok(line.length <= width, line);
    }),
    200,
  );
});
