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
}

/** First match wins; `*` stands for any text. */
const TABLE: readonly (readonly [models: string, features: ClaudeFeatures])[] = [
  ["anthropic.claude-fable-5*", { systemMessages: true, sampling: false, countTokens: false }],
  ["anthropic.claude-mythos-*", { systemMessages: true, sampling: false, countTokens: false }],
  ["anthropic.claude-opus-5*", { systemMessages: true, sampling: false, countTokens: false }],
  ["anthropic.claude-opus-4-8*", { systemMessages: true, sampling: false, countTokens: false }],
  ["anthropic.claude-opus-4-7*", { systemMessages: false, sampling: false, countTokens: false }],
  ["anthropic.claude-sonnet-5*", { systemMessages: false, sampling: false, countTokens: false }],
  ["anthropic.claude-haiku-5*", { systemMessages: false, sampling: false, countTokens: false }],
  ["anthropic.claude-*-4-6*", { systemMessages: false, sampling: true, countTokens: false }],
  ["*", { systemMessages: false, sampling: true, countTokens: true }],
];

const rows = TABLE.map(([models, features]) => ({ glob: compileGlob(models), features }));
const ANY: ClaudeFeatures = { systemMessages: false, sampling: true, countTokens: false };

/** What the model with this foundation id takes. */
export function claudeFeatures(baseId: string): ClaudeFeatures {
  return rows.find(({ glob }) => glob.matches(baseId))?.features ?? ANY;
}
