/**
 * How long a client waits before it gives up, where it tells.
 * @module
 */

/**
 * Headers in which Anthropic's SDKs tell their timeout, in seconds: TypeScript's, which ends with an answer's head,
 * and Python's, which begins anew with each chunk ([T] recorded requests; the SDKs' changelogs).
 */
const HEADERS = ["x-stainless-timeout", "x-stainless-read-timeout"];

/** Milliseconds that a client waits in all, from when it sent; Infinity where it does not tell. */
export function patienceOf(headers: Headers): number {
  for (const name of HEADERS) {
    const seconds = Number(headers.get(name) ?? NaN);
    if (seconds > 0) return seconds * 1_000; // 0 is less than a second, cut to whole ones, or none at all
  }
  return Infinity;
}
