/**
 * Converse's token counts and endings as Anthropic's.
 *
 * Source: Bedrock API reference, TokenUsage and CacheDetail ([T]); recorded answers: `inputTokens` is without
 * cache reads and writes ([R 2026-08]).
 * @module
 */
import type { Usage } from "../../anthropic/types.ts";
import { brokenAnswer } from "../errors.ts";

function count(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

interface CacheDetail {
  readonly ttl?: unknown;
  readonly inputTokens?: unknown;
}

/** Writes by how long they live; `cacheDetails` comes only with writes, and without it five minutes is the rule. */
function cacheCreation(details: unknown, written: number): NonNullable<Usage["cache_creation"]> {
  const list = Array.isArray(details) ? details as readonly CacheDetail[] : [];
  const of = (ttl: string) =>
    list.filter((detail) => detail.ttl === ttl).reduce(
      (sum, detail) => sum + count(detail.inputTokens),
      0,
    );
  const hour = of("1h");
  return {
    ephemeral_5m_input_tokens: list.length === 0 ? written : of("5m"),
    ephemeral_1h_input_tokens: hour,
  };
}

/** Anthropic's name of a Bedrock tier: the two that it has. */
function serviceTier(tier: unknown): string {
  return tier === "priority" || tier === "reserved" ? "priority" : "standard";
}

/** Counts before the answer tells them. */
export function emptyUsage(): Usage {
  return usageOf(undefined, undefined);
}

/** Anthropic's usage of Converse's `usage` and `serviceTier`. Members that are not declared are left out. */
export function usageOf(usage: unknown, tier: unknown): Usage {
  const given = (typeof usage === "object" && usage !== null ? usage : {}) as Readonly<
    Record<string, unknown>
  >;
  const written = count(given.cacheWriteInputTokens);
  return {
    input_tokens: count(given.inputTokens),
    cache_creation_input_tokens: written,
    cache_read_input_tokens: count(given.cacheReadInputTokens),
    cache_creation: cacheCreation(given.cacheDetails, written),
    output_tokens: count(given.outputTokens),
    output_tokens_details: null, // no provider tells how many of them were reasoning ([L 2026-09])
    server_tool_use: null,
    service_tier: serviceTier((tier as { type?: unknown } | undefined)?.type),
    inference_geo: null,
    speed: null,
  };
}

/** Stop reasons that are the same in both. */
const SAME = new Set([
  "end_turn",
  "tool_use",
  "max_tokens",
  "stop_sequence",
  "model_context_window_exceeded",
]);

/** How an answer ended, in Anthropic's words. */
export interface Ending {
  /** `stop_reason`. */
  readonly stop_reason: string;
  /** `stop_sequence`. */
  readonly stop_sequence: string | null;
  /** `stop_details`: of a refusal. */
  readonly stop_details: Readonly<Record<string, unknown>> | null;
}

function refusal(explanation: string): Ending {
  return {
    stop_reason: "refusal",
    stop_sequence: null,
    stop_details: { type: "refusal", category: null, explanation },
  };
}

function stopSequenceOf(fields: unknown): string | null {
  const given = fields as
    | { stop_sequence?: unknown; delta?: { stop_sequence?: unknown } }
    | null
    | undefined;
  const sequence = given?.stop_sequence ?? given?.delta?.stop_sequence;
  return typeof sequence === "string" ? sequence : null;
}

/**
 * Anthropic's ending of Converse's `stopReason` and `additionalModelResponseFields`.
 *
 * @throws {BedrockError} If the model put out what nobody can use
 */
export function endingOf(stopReason: unknown, fields: unknown): Ending {
  if (stopReason === "guardrail_intervened") {
    return refusal("A guardrail of the Bedrock account intervened");
  }
  if (stopReason === "content_filtered") return refusal("The model's content filter intervened");
  if (stopReason === "malformed_model_output" || stopReason === "malformed_tool_use") {
    throw brokenAnswer(`The model's output cannot be used (${stopReason}): try again`);
  }
  const known = typeof stopReason === "string" && SAME.has(stopReason) ? stopReason : "end_turn";
  return { stop_reason: known, stop_sequence: stopSequenceOf(fields), stop_details: null };
}
