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
}

/** Of the 4.5 generation. */
const V45: ClaudeFeatures = {
  systemMessages: false,
  sampling: true,
  countTokens: true,
  prefill: true,
  formats: true,
  forcedTools: true,
};
const OLD: ClaudeFeatures = { ...V45, formats: false };
const V46: ClaudeFeatures = { ...V45, countTokens: false, prefill: false };
const V47: ClaudeFeatures = { ...V46, sampling: false, formats: false };
const V48: ClaudeFeatures = { ...V47, systemMessages: true };

/** First match wins; `*` stands for any text. */
const TABLE: readonly (readonly [models: string, features: ClaudeFeatures])[] = [
  ["anthropic.claude-fable-5-1*", { ...V48, forcedTools: false }],
  ["anthropic.claude-fable-5*", V48],
  ["anthropic.claude-mythos-*", { ...V48, forcedTools: false }],
  ["anthropic.claude-opus-5-5*", { ...V48, forcedTools: false }],
  ["anthropic.claude-opus-5*", V48],
  ["anthropic.claude-opus-4-8*", V48],
  ["anthropic.claude-opus-4-7*", V47],
  ["anthropic.claude-sonnet-5-5*", { ...V47, forcedTools: false }],
  ["anthropic.claude-sonnet-5*", V47],
  ["anthropic.claude-haiku-5*", V47],
  ["anthropic.claude-*-4-6*", V46],
  ["anthropic.claude-*-4-5*", V45],
  ["*", OLD],
];

const rows = TABLE.map(([models, features]) => ({ glob: compileGlob(models), features }));

/** The table is searched once for each id; ids are made up by clients, so not all are kept. */
const found = new Map<string, ClaudeFeatures>();
const MOST_FOUND = 1_000;

/** What the model with this foundation id takes. */
export function claudeFeatures(baseId: string): ClaudeFeatures {
  const known = found.get(baseId);
  if (known !== undefined) return known;
  const features = rows.find(({ glob }) => glob.matches(baseId))?.features ?? OLD;
  if (found.size >= MOST_FOUND) found.clear();
  found.set(baseId, features);
  return features;
}
