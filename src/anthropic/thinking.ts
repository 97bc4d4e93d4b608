/**
 * What a request says of thinking.
 *
 * Source: Anthropic API reference, Adaptive thinking ([T]).
 * @module
 */
import type { MessagesRequest } from "./types.ts";

/** `thinking` of a request. */
export type WantedThinking = MessagesRequest["thinking"];

/** Adaptive thinking without its `display`, for models that refuse it; undefined if it has none. */
export function withoutDisplay(thinking: WantedThinking): WantedThinking {
  if (thinking?.type !== "adaptive" || thinking.display === undefined) return undefined;
  const { display: _, ...rest } = thinking;
  return rest;
}
