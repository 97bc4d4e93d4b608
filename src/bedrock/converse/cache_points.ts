/**
 * Cache points of a whole request: how many there may be, and in which order.
 *
 * Source: Bedrock User Guide, Prompt caching: at most four, those of an hour before those of five minutes, in the
 * order tools, system, messages ([D]).
 * @module
 */
import { ApiError } from "../../anthropic/error.ts";
import type { ConverseBlock } from "./media.ts";
import type { ConverseMessage } from "./turns.ts";

const MOST = 4;

/** The turns with `points` behind the last block: what a mark on the whole request means. */
export function markEnd(
  turns: ConverseMessage[],
  points: readonly ConverseBlock[],
): ConverseMessage[] {
  const last = turns.at(-1);
  const marked = last?.content.at(-1)?.cachePoint !== undefined;
  if (points.length === 0 || last === undefined || marked) return turns;
  return turns.with(-1, { role: last.role, content: [...last.content, ...points] });
}

/**
 * Checks the points of lists of blocks, given in the order in which Bedrock reads them.
 *
 * @throws {ApiError} `invalid_request_error`, in Anthropic's words
 */
export function checkCachePoints(lists: readonly (readonly ConverseBlock[])[]): void {
  const points = lists.flat().flatMap(({ cachePoint }) =>
    cachePoint === undefined ? [] : [cachePoint as { readonly ttl?: unknown }]
  );
  if (points.length > MOST) {
    throw new ApiError(
      "invalid_request_error",
      `A maximum of ${MOST} blocks with cache_control may be provided. Found ${points.length}.`,
    );
  }
  const firstShort = points.findIndex(({ ttl }) => ttl !== "1h");
  if (firstShort >= 0 && points.slice(firstShort).some(({ ttl }) => ttl === "1h")) {
    throw new ApiError(
      "invalid_request_error",
      "cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control " +
        "block. Note that blocks are processed in the following order: `tools`, `system`, `messages`.",
    );
  }
}
