/** docs/scale.md tells what the simulation came to. */
import assert from "node:assert/strict";
import { type LeaseRow, withLeaseTable } from "../../bench/lease_table.ts";

const ROOT = new URL("../../", import.meta.url);

function cells(page: string): string {
  return page.replace(/[ -]+/g, " ");
}

Deno.test("the table of leases in docs/scale.md is that of bench/leases.json, and no line exceeds its limit", async () => {
  const page = await Deno.readTextFile(new URL("docs/scale.md", ROOT));
  const rows: LeaseRow[] = JSON.parse(await Deno.readTextFile(new URL("bench/leases.json", ROOT)));
  assert.equal(cells(page), cells(withLeaseTable(page, rows)));
  assert.ok(rows.length >= 10);
  for (const row of rows) assert.ok(parseFloat(row["admitted %"]) <= 102, row.fleet);
});
