/**
 * `--since`: how far back a command looks.
 * @module
 */
import { parseDuration } from "../text/duration.ts";
import { CommandFailure } from "./failure.ts";

/**
 * Unix milliseconds of `--since`.
 *
 * @throws {CommandFailure} If it is no duration and no time, or a time that is to come
 */
export function sinceOf(text: string, now: number): number {
  try {
    const at = /^\d{4}-/.test(text) ? Date.parse(text) : now - parseDuration(text);
    if (Number.isNaN(at)) throw new SyntaxError(`Cannot read '${text}' as a time: write it as ISO`);
    if (at > now) throw new RangeError(`Cannot use a time that must have passed: ${text}`);
    return at;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandFailure(`--since: ${reason}`, 2, { cause: error });
  }
}
