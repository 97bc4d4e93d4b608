/**
 * What a Claude model on Bedrock does not take of Anthropic's body: data, by model.
 *
 * Source: Bedrock User Guide, Anthropic Claude Messages API; Anthropic, Claude on Amazon Bedrock; live probes
 * ([D], [L 2026-09-05]).
 * @module
 */
import { compileGlob } from "../../text/glob.ts";

/** What a model takes. */
export interface ClaudeFeatures {
  /** Messages of role `system` inside the conversation. */
  readonly systemMessages: boolean;
  /** temperature, top_p and top_k. */
  readonly sampling: boolean;
  /** Bedrock's CountTokens. */
  readonly countTokens: boolean;
  /** A last message of the assistant's, which begins the answer. */
  readonly prefill: boolean;
  /** `output_config.format`, and `strict` of tools. */
  readonly formats: boolean;
  /** A tool that must be called. */
  readonly forcedTools: boolean;
  /** Which `thinking.type` it takes. */
  readonly thinking: readonly string[];
  /** Whether adaptive thinking takes `display`. */
  readonly thinkingDisplay: boolean;
  /** Which `output_config.effort` it takes, least first. */
  readonly efforts: readonly string[];
  /** Whether a cache mark may live for an hour. */
  readonly cacheHour: boolean;
  /** Whether the context of a million tokens must be asked for by a beta. */
  readonly longContextBeta: boolean;
}

/** Of the 4.5 generation. */
const V45: ClaudeFeatures = {
  systemMessages: false,
  sampling: true,
  countTokens: true,
  prefill: true,
  formats: true,
  forcedTools: true,
  thinking: ["enabled", "disabled"],
  thinkingDisplay: false,
  efforts: [],
  cacheHour: true,
  longContextBeta: false,
};
const OLD: ClaudeFeatures = { ...V45, formats: false, cacheHour: false };
const V46: ClaudeFeatures = {
  ...V45,
  countTokens: false,
  prefill: false,
  thinking: ["enabled", "adaptive", "disabled"],
  efforts: ["low", "medium", "high", "max"],
};
const V47: ClaudeFeatures = {
  ...V46,
  sampling: false,
  formats: false,
  thinking: ["adaptive", "disabled"],
  thinkingDisplay: true,
  efforts: ["low", "medium", "high", "xhigh", "max"],
};
const V48: ClaudeFeatures = { ...V47, systemMessages: true };
/** It always thinks, and who thinks is never forced to call a tool. */
const ALWAYS_THINKS: Partial<ClaudeFeatures> = { thinking: ["adaptive"], forcedTools: false };

/** First match wins; `*` stands for any text. */
const TABLE: readonly (readonly [models: string, features: ClaudeFeatures])[] = [
  ["anthropic.claude-fable-*", { ...V48, ...ALWAYS_THINKS }],
  ["anthropic.claude-mythos-*", { ...V48, ...ALWAYS_THINKS }],
  ["anthropic.claude-opus-5-5*", { ...V48, ...ALWAYS_THINKS }],
  ["anthropic.claude-opus-5*", V48],
  ["anthropic.claude-opus-4-8*", V48],
  ["anthropic.claude-opus-4-7*", V47],
  [
    "anthropic.claude-sonnet-5-5*",
    { ...V47, ...ALWAYS_THINKS, thinking: ["adaptive", "between_tools"] },
  ],
  ["anthropic.claude-sonnet-5*", V47],
  ["anthropic.claude-haiku-5*", V47],
  ["anthropic.claude-*-4-6*", V46],
  ["anthropic.claude-opus-4-5*", { ...V45, efforts: ["low", "medium", "high"] }],
  ["anthropic.claude-sonnet-4-5*", { ...V45, longContextBeta: true }],
  ["anthropic.claude-*-4-5*", V45],
  ["anthropic.claude-sonnet-4-2025*", { ...OLD, longContextBeta: true }],
  ["anthropic.claude-*-4-1-*", OLD],
  ["anthropic.claude-*-4-2025*", OLD],
  ["anthropic.claude-3*", OLD],
  ["anthropic.claude-v*", OLD],
  ["anthropic.claude-instant*", OLD],
  ["*", V47], // newer than this table
];

const rows = TABLE.map(([models, features]) => ({ glob: compileGlob(models), features }));

/** The table is searched once for each id; ids are made up by clients, so not all are kept. */
const found = new Map<string, ClaudeFeatures>();
const MOST_FOUND = 1_000;

/** What the model with this foundation id takes. */
export function claudeFeatures(baseId: string): ClaudeFeatures {
  const known = found.get(baseId);
  if (known !== undefined) return known;
  const features = rows.find(({ glob }) => glob.matches(baseId))?.features ?? V47;
  if (found.size >= MOST_FOUND) found.clear();
  found.set(baseId, features);
  return features;
}
