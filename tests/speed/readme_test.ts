/** The README's table of speed is that of the last run of `deno task bench`. */
import assert from "node:assert/strict";
import { type Results, withTargets } from "../../bench/targets.ts";

const read = (path: string) => Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url));

Deno.test("README's performance table is made of bench/results.json", () => {
  const readme = read("README.md");
  const results = JSON.parse(read("bench/results.json")) as Results;
  assert.equal(readme, withTargets(readme, results), "run `deno task bench`, which writes both");
  assert.match(readme, /\| small, invoke .*\| yes|\| small, invoke .*\| no/);
});
