/** docs/scale.md tells what the simulations and the arithmetic come to, and what the benchmark measured. */
import assert from "node:assert/strict";
import { type CostRow, costTable, PARTITION_WRITES, PRICES } from "../../bench/costs.ts";
import { entrySize, writeUnits } from "../../bench/dynamodb_units.ts";
import { type LeaseRow, withTable } from "../../bench/lease_table.ts";
import { leaseTable } from "../../bench/leases.ts";
import { postingOf } from "../../bench/posting.ts";

const ROOT = new URL("../../", import.meta.url);
const read = (name: string) => Deno.readTextFile(new URL(name, ROOT));
const words = (text: string) => text.replace(/[\s-]+/g, " ");
const markdown = await read("docs/scale.md");
const page = words(markdown);
const leases: LeaseRow[] = JSON.parse(await read("bench/leases.json"));
const costs: CostRow[] = JSON.parse(await read("bench/costs.json"));

Deno.test("the tables in docs/scale.md are those of bench/leases.json and bench/costs.json, and no line exceeds its limit", () => {
  assert.equal(page, words(withTable(markdown, "leases", leases)));
  assert.equal(page, words(withTable(markdown, "costs", costs)));
  assert.ok(leases.length >= 10 && costs.length >= 4);
  for (const row of leases) assert.ok(parseFloat(row["admitted %"]) <= 102, row.fleet);
});

Deno.test("the small fleets, simulated anew, come to what the tables say", async () => {
  assert.deepEqual(await leaseTable(2), leases.slice(0, 2));
  assert.deepEqual(await costTable(leases, 2), costs.slice(0, 2));
});

/** The cells of the line of a table that begins with this. */
function line(first: string): number[] {
  const [, rest = ""] = page.split(`| ${first} |`);
  return rest.split("|", 2).map((cell) => Number(cell.replace(",", "")));
}

Deno.test("what a replica carries is what the benchmark measured, a third more or less", async () => {
  const { requests, checks, journal } = JSON.parse(await read("bench/results.json")).parts;
  const told = {
    "small, invoke": line("small, answered as one"),
    "200 events, 10 a chunk, invoke": line("200 events, 10 a chunk"),
    "150 KB, 24 tools, 200 events": line("150 KB, 24 tools, 200 events"),
  };
  for (const [scenario, [us = 0, perSecond = 0]] of Object.entries(told)) {
    const row = requests.find((one: { scenario: string }) => one.scenario === scenario);
    assert.ok(us > row.us * 0.67 && us < row.us * 1.5, `${scenario}: ${us}, measured ${row.us}`);
    assert.ok(Math.abs(perSecond * us / 1e6 - 1) < 0.05, `${scenario}: ${us} us, ${perSecond}/s`);
  }
  const { "no plugins us": bare, "off us": off, "on us": on } = checks[0];
  assert.ok(
    off - bare > 20 && off - bare < 110,
    `key and record cost ${off - bare} us, not some 50`,
  );
  assert.ok(on - off > 45 && on - off < 190, `limits and budget cost ${on - off} us, not some 95`);
  const { "slow streams": slow } = JSON.parse(await read("bench/results.json")).parts;
  for (const { "us/event": us, KB } of slow) {
    assert.ok(us > 22 && us < 75, `an event alone costs ${us} us, not 32 to 50`);
    assert.ok(KB > 80 && KB < 260, `an open stream holds ${KB} KB, not some 120`);
  }
  for (const one of journal) {
    const us = one["us to note"] + one["us to post"];
    assert.ok(us > 10 && us < 70, `the journal costs ${us} us, not 18 to 35`);
  }
});

Deno.test("the arithmetic of docs/scale.md: prices, sizes, and where the bottlenecks are", () => {
  const { millionWrites, millionReads, gbMonth } = PRICES;
  assert.ok(page.includes(`$${millionWrites} a million write units, $${millionReads} a million`));
  assert.ok(page.includes(`$${gbMonth} for a GB`));
  const [ten, thousand, all, two] = costs as [CostRow, CostRow, CostRow, CostRow];

  const record = postingOf(1)[1]!;
  const bytes = entrySize(record.key, record.put);
  assert.ok(page.includes(`it has ${bytes} bytes`), `a record has ${bytes} bytes`);
  const ofRecord = 2 * writeUnits(bytes);
  for (const row of costs) assert.equal(row["of the day's records"], ofRecord * row["req/s"]);

  // 10 a second: none. 1,000: the partition of the day's records, which 400 a second do not fill.
  assert.ok(ten["write units/s"] < 100 && ten["of the day's records"] < PARTITION_WRITES / 10);
  assert.ok(thousand["of the day's records"] > PARTITION_WRITES);
  assert.ok(400 * ofRecord < PARTITION_WRITES && 250 * 400 >= two["req/s"]);

  // A budget's entry: a KB for some 15 replicas; at 200, an item that is full.
  const held = (replicas: number) =>
    entrySize(
      ["plugin.budget/2026-11-01/month", "key key_7f3k2m9x1c"],
      Object.fromEntries(
        Array.from({ length: replicas }, (_, at) => [
          [`held/0f9c2b7e-${1_000 + at}`, 60_000_000],
          [`until/0f9c2b7e-${1_000 + at}`, 1_800_000_000_000],
        ]).flat(),
      ),
    );
  assert.equal(writeUnits(held(15)), 1);
  assert.equal(writeUnits(held(20)), 2);
  const units = writeUnits(all["budget's bytes"]);
  assert.ok(page.includes(`at 200 each write of it costs ${units} units`), String(units));
  const perKey = all["req/s"] / 1_000; // 1,000 keys; there, no two requests of one are in a batch
  assert.ok(perKey * 2 * units > PARTITION_WRITES);

  // 100,000 a second: the table's quota; a tenth of the cost where a key is used at two replicas.
  assert.ok(two["write units/s"] > 40_000);
  const ratio = Number(all["$ a million"]) / Number(two["$ a million"]);
  assert.ok(ratio > 8 && ratio < 12, `the last line costs 1/${ratio}, not a tenth`);
  assert.ok(
    all["ms for a batch"] > 25,
    "DynamoDB must answer a batch in less than there is for it",
  );
});
