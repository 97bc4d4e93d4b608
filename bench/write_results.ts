/**
 * What a whole run leaves: its figures, and the README's table of them.
 * @module
 */
import { type Results, withTargets } from "./targets.ts";

const at = (path: string) => new URL(path, import.meta.url);

/** Writes `bench/results.json`, and the table into README.md. */
export async function writeResults(results: Results): Promise<void> {
  await Deno.writeTextFile(at("results.json"), `${JSON.stringify(results, null, 2)}\n`);
  const readme = await Deno.readTextFile(at("../README.md"));
  await Deno.writeTextFile(at("../README.md"), withTargets(readme, results));
}
