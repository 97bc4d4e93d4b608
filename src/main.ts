/**
 * `outcrop`: argv to command. The only module that acts when it is imported.
 * @module
 */
import { run } from "./cli/program.ts";

if (import.meta.main) Deno.exit(await run(Deno.args));
