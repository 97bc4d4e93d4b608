import assert from "node:assert/strict";
import fc from "fast-check";
import { bar, cell, cut, shown, widthOf } from "../../src/cli/cells.ts";
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

Deno.test("table() leaves out spare columns, first to last, before it cuts a text below eight columns, and cuts whole ones never", () => {
  const rows = [{
    id: "key_7f3k2m9x1c",
    name: "n".repeat(20),
    team: "t".repeat(20),
    since: "2026",
  }];
  const options = { whole: ["id"], spare: ["since", "team"] };
  const headings = (width: number) => table(rows, width, options).split("\n")[0];
  assert.equal(headings(41), "ID              NAME      TEAM      SINCE");
  assert.equal(headings(40), `ID${" ".repeat(14)}NAME${" ".repeat(9)}TEAM`);
  assert.equal(headings(33), "ID              NAME");
  assert.match(table(rows, 20, options), /\nkey_7f3k2m9x1c {2}nnnnnnn…$/);
});

Deno.test("cells are as wide as they are seen: wide characters count for two, marks for none", () => {
  assert.deepEqual(
    ["ab", "名前", "e\u0301", "한글x", "🦀", "█▏", ""].map(widthOf),
    [2, 4, 1, 5, 2, 2, 0],
  );
  assert.equal(cut("名前の長い鍵", 6), "名前…");
  assert.equal(cell("名前", 6), "名前  ");
  assert.equal(cell("12", 4, true), "  12");
  assert.equal(shown("a\u001b[2Jb\u200fc\n"), "a?[2Jb?c?");
  const lines = table([{ name: "名前", n: 1 }, { name: "abcd", n: 22 }], 80).split("\n");
  assert.deepEqual(lines, ["NAME   N", "名前   1", "abcd  22"]);
});

Deno.test("a bar has eighths of a column, and shows that there is something", () => {
  assert.deepEqual(
    [0, 0.001, 0.25, 0.5, 0.99, 1, 7].map((share) => bar(share, 4)),
    ["", "▏", "█", "██", "████", "████", "████"],
  );
  assert.equal(bar(0.45, 10), "████▌");
});
