/**
 * `outcrop`: argv to command. The only module that acts when it runs, beside `cli/serve_worker.ts` in a worker.
 * @module
 */
import { run } from "./cli/program.ts";

if (import.meta.main) Deno.exit(await run(Deno.args));
