/**
 * What each family takes over Converse: data, and nothing else.
 *
 * Source: live probes of 2026-03 to 2026-10 and the Bedrock User Guide, Supported models and features ([L], [D]).
 * @module
 */
import { compileGlob } from "../../text/glob.ts";
import type { ModelFacts } from "../catalog_read.ts";
import { claudeFeatures } from "../native/features.ts";

/** What one family takes. */
export interface Quirks {
  /** temperature and topP: both, one of them, or none. */
  readonly sampling: "both" | "one" | "none";
  /** Where top_k goes: `additionalModelRequestFields.top_k`, Nova's own place, or nowhere. */
  readonly topK: "top_k" | "nova" | "drop";
  /** Stop sequences are sent, or watched for here. */
  readonly stopSequences: "native" | "emulate";
  /** Tools at all, and whether they stream. */
  readonly tools: "stream" | "whole" | "none";
  /** Tool choices beside auto. */
  readonly toolChoice: readonly ("any" | "tool")[];
  /** Where cache points may stand. */
  readonly cache: readonly ("system" | "messages" | "tools")[];
  /** Whether a cache point may live for an hour. */
  readonly cacheHour: boolean;
  /** The system prompt has a place of its own, or becomes user text. */
  readonly system: "native" | "fold";
  /** Pictures inside tool results, or beside them. */
  readonly toolResultImages: "inside" | "beside";
  /** `status` of tool results. */
  readonly toolResultStatus: boolean;
  /** How a client's thinking is asked for. */
  readonly thinking: "claude" | "reasoning_config" | "reasoning_effort" | "nova" | "none";
  /** Whether adaptive thinking takes `display`. */
  readonly thinkingDisplay: boolean;
  /** Without a word on thinking it does not think, it does, or it never answers. */
  readonly thinkingDefault: "off" | "on" | "stuck";
  /** How hard it can be asked to think, by its own words, least first; `none` where that is one of them. */
  readonly efforts: readonly string[];
  /** Which reasoning goes back into the conversation. */
  readonly replay: "signed" | "none";
  /** What ids of tool uses look like. */
  readonly toolUseId: "any" | "nine";
  /** Fewest maxTokens. */
  readonly leastTokens: number;
  /** Most maxTokens. */
  readonly mostTokens: number;
  /** `strict` of tools. */
  readonly strictTools: boolean;
  /** Where an output format goes: outputConfig, or a tool that is forced. */
  readonly format: "textFormat" | "tool";
  /** A last turn of the assistant's, which begins the answer. */
  readonly prefill: boolean;
  /** Turns of the role `system` in mid-conversation. */
  readonly systemTurns: boolean;
  /** Search results, citations of documents and in the assistant's text. */
  readonly cites: boolean;
}

const OPEN: Quirks = {
  sampling: "both",
  topK: "drop",
  stopSequences: "emulate",
  tools: "stream",
  toolChoice: ["any", "tool"],
  cache: [],
  cacheHour: false,
  system: "native",
  toolResultImages: "beside",
  toolResultStatus: false,
  thinking: "none",
  thinkingDisplay: true,
  thinkingDefault: "off",
  efforts: ["low", "medium", "high"],
  replay: "none",
  toolUseId: "any",
  leastTokens: 1,
  mostTokens: Infinity,
  strictTools: false,
  format: "tool",
  prefill: false,
  systemTurns: false,
  cites: false,
};

const CLAUDE: Quirks = {
  ...OPEN,
  sampling: "one",
  topK: "top_k",
  stopSequences: "native",
  cache: ["system", "messages", "tools"],
  toolResultImages: "inside",
  toolResultStatus: true,
  thinking: "claude",
  replay: "signed",
  strictTools: true,
  format: "textFormat",
  cites: true,
};
/** Before the 4.5 generation. */
const CLAUDE_OLD: Quirks = { ...CLAUDE, format: "tool", strictTools: false };
const CLAUDE_NO_SAMPLING: Quirks = {
  ...CLAUDE,
  sampling: "none",
  topK: "drop",
  strictTools: false,
  format: "tool",
};
/** Never a forced tool, so no forced format either; the format then goes where the newest docs put it. */
const CLAUDE_UNFORCED: Quirks = { ...CLAUDE_NO_SAMPLING, toolChoice: [], format: "textFormat" };

const NOVA: Quirks = {
  ...OPEN,
  topK: "nova",
  stopSequences: "native",
  cache: ["system", "messages"],
  toolResultImages: "inside",
  toolResultStatus: true,
  prefill: true,
};
const GPT: Quirks = {
  ...OPEN,
  sampling: "none",
  thinking: "reasoning_config",
  thinkingDefault: "on",
  efforts: ["none", "low", "medium", "high", "xhigh", "max"],
  leastTokens: 16,
};
const GROK: Quirks = { ...GPT, thinkingDefault: "stuck", efforts: OPEN.efforts };
/** Less than high is mostly none at all. */
const HIGH_ONLY: Quirks = { ...OPEN, thinking: "reasoning_config", efforts: ["high"] };
const KIMI_K3: Quirks = {
  ...OPEN,
  sampling: "none",
  thinking: "reasoning_config",
  thinkingDefault: "stuck",
};
const LLAMA: Quirks = { ...OPEN, stopSequences: "native", tools: "whole", toolChoice: [] };
const MISTRAL_OLD: Quirks = { ...OPEN, tools: "whole", toolChoice: ["any"], toolUseId: "nine" };

/** First match wins: the special before the general. */
const TABLE: readonly (readonly [models: string, quirks: Quirks])[] = [
  ["anthropic.claude-fable-*", CLAUDE_UNFORCED],
  ["anthropic.claude-mythos-*", CLAUDE_UNFORCED],
  ["anthropic.claude-opus-5-5*", CLAUDE_UNFORCED],
  ["anthropic.claude-sonnet-5-5*", CLAUDE_UNFORCED],
  ["anthropic.claude-opus-5*", CLAUDE_NO_SAMPLING],
  ["anthropic.claude-sonnet-5*", CLAUDE_NO_SAMPLING],
  ["anthropic.claude-haiku-5*", CLAUDE_NO_SAMPLING],
  ["anthropic.claude-opus-4-7*", CLAUDE_NO_SAMPLING],
  ["anthropic.claude-opus-4-8*", CLAUDE_NO_SAMPLING],
  ["anthropic.claude-3*", CLAUDE_OLD],
  ["anthropic.claude-opus-4-1-*", CLAUDE_OLD],
  ["anthropic.claude-opus-4-2025*", CLAUDE_OLD],
  ["anthropic.claude-sonnet-4-2025*", CLAUDE_OLD],
  ["anthropic.claude-*-4-5*", CLAUDE],
  ["anthropic.claude-*-4-6*", CLAUDE],
  ["anthropic.*", CLAUDE_NO_SAMPLING], // newer than this table
  ["amazon.nova-2-*", { ...NOVA, thinking: "nova" }],
  ["amazon.nova-*", NOVA],
  ["amazon.titan-*", { ...OPEN, tools: "none", toolChoice: [], system: "fold" }],
  ["openai.gpt-oss-*", { ...OPEN, thinking: "reasoning_effort", thinkingDefault: "on" }],
  ["openai.*", GPT],
  ["xai.grok-4.3*", { ...OPEN, thinking: "reasoning_config" }],
  ["xai.*", GROK],
  ["deepseek.r1*", { ...OPEN, tools: "none", toolChoice: [] }],
  ["deepseek.*", { ...HIGH_ONLY, toolChoice: ["any"], thinking: "reasoning_effort" }],
  ["qwen.qwen3-32b*", HIGH_ONLY],
  ["qwen.*", OPEN],
  ["moonshotai.kimi-k3*", KIMI_K3],
  ["moonshotai.kimi-k2.5*", HIGH_ONLY],
  ["zai.*", HIGH_ONLY],
  ["meta.*", LLAMA],
  ["mistral.mistral-7b*", { ...MISTRAL_OLD, tools: "none", toolChoice: [], system: "fold" }],
  ["mistral.mixtral-8x7b*", { ...MISTRAL_OLD, tools: "none", toolChoice: [], system: "fold" }],
  ["mistral.mistral-large-24*", MISTRAL_OLD],
  ["mistral.mistral-small-24*", MISTRAL_OLD],
  ["mistral.pixtral-large-25*", MISTRAL_OLD],
  ["writer.*", { ...OPEN, tools: "whole" }],
];

const rows = TABLE.map(([models, quirks]) => ({ glob: compileGlob(models), quirks }));

/** The table's word where the account's catalog says nothing. */
function by(facts: ModelFacts, quirks: Quirks): Quirks {
  const { systemRole, caching, tools = quirks.tools, sampling, mostTokens } = facts;
  const caches = quirks.cache.length > 0 ? quirks.cache : PLAIN_CACHE;
  return {
    ...quirks,
    tools,
    toolChoice: tools === "none" ? [] : quirks.toolChoice,
    system: systemRole === false ? "fold" : quirks.system,
    cache: caching === undefined ? quirks.cache : caching ? caches : [],
    sampling: sampling === false ? "none" : quirks.sampling,
    mostTokens: mostTokens ?? quirks.mostTokens,
  };
}

const PLAIN_CACHE: Quirks["cache"] = ["system", "messages"];

/** The table is searched once for each id; ids are made up by clients, so not all are kept. */
const found = new Map<string, Quirks>();
const MOST_FOUND = 1_000;

function rowOf(baseId: string): Quirks {
  const known = found.get(baseId);
  if (known !== undefined) return known;
  const quirks = rows.find(({ glob }) => glob.matches(baseId))?.quirks ?? OPEN;
  if (found.size >= MOST_FOUND) found.clear();
  found.set(baseId, quirks);
  return quirks;
}

/**
 * What the model with this foundation id takes. Models that are not in the table get what most open models take.
 *
 * @param facts What the account's catalog says; of Claude the table knows more
 */
export function quirksOf(baseId: string, facts?: ModelFacts): Quirks {
  const quirks = rowOf(baseId);
  if (quirks.thinking !== "claude") return facts === undefined ? quirks : by(facts, quirks);
  // What is so on every route is told once, in the table of Claude's features.
  const { prefill, systemMessages, thinkingDisplay, cacheHour } = claudeFeatures(baseId);
  return { ...quirks, prefill, systemTurns: systemMessages, thinkingDisplay, cacheHour };
}
