/**
 * The models this version knows by name: data, and nothing else. A model that is not here is still served by
 * its Bedrock id, or by an alias in config.yaml.
 *
 * Source: Bedrock User Guide, Supported foundation models and inference profiles; Anthropic, Models overview
 * ([D], [L 2026-10]).
 * @module
 */

/** One model. */
export interface ModelRow {
  /** Foundation model id. */
  readonly id: string;
  /** Names it is asked for by; the first is the one that is listed. */
  readonly names: readonly string[];
  /** Prefixes of its inference profiles. */
  readonly profiles: readonly string[];
  /** Id on the mantle endpoint, where it differs. */
  readonly mantleId?: string;
  /** What people call it. */
  readonly displayName: string;
  /** ISO time of its release, where its id tells it. */
  readonly createdAt?: string;
  /** Tokens of context, where published. */
  readonly context?: number | undefined;
  /** Tokens of an answer at most, where published. */
  readonly output?: number | undefined;
  /** Anthropic's line: haiku, sonnet, opus, fable, mythos. */
  readonly line?: string;
  /** Whether its makers are about to end it. */
  readonly deprecated?: boolean;
}

const M = 1_000_000;
const K = 1_000;

const CLAUDE: readonly ModelRow[] = [
  claude("opus-5-5", "Claude Opus 5.5", M, 128 * K, "global us eu au jp us-gov"),
  claude("sonnet-5-5", "Claude Sonnet 5.5", M, 128 * K, "global us eu au jp us-gov"),
  claude("haiku-5-5", "Claude Haiku 5.5", undefined, undefined, "global us eu au jp"),
  claude("fable-5-1", "Claude Fable 5.1", M, 128 * K, "global us eu us-gov"),
  claude("fable-5", "Claude Fable 5", M, 128 * K, "global us eu us-gov"),
  claude("opus-5", "Claude Opus 5", M, 128 * K, "global us eu au us-gov"),
  claude("sonnet-5", "Claude Sonnet 5", M, 128 * K, "global us eu au jp us-gov"),
  claude("opus-4-8", "Claude Opus 4.8", M, 128 * K, "global us eu au jp us-gov"),
  claude("opus-4-7", "Claude Opus 4.7", M, 128 * K, "global us eu au jp us-gov"),
  {
    ...claude("opus-4-6", "Claude Opus 4.6", M, 128 * K, "global us eu au us-gov"),
    id: "anthropic.claude-opus-4-6-v1",
  },
  claude("sonnet-4-6", "Claude Sonnet 4.6", M, 64 * K, "global us eu au jp us-gov"),
  dated("opus-4-5", "20251101", "Claude Opus 4.5", 64 * K, "global us eu us-gov"),
  {
    ...dated("haiku-4-5", "20251001", "Claude Haiku 4.5", 64 * K, "global us eu au jp us-gov"),
    mantleId: "anthropic.claude-haiku-4-5",
  },
  {
    ...dated("sonnet-4-5", "20250929", "Claude Sonnet 4.5", 64 * K, "global us eu au jp us-gov"),
    deprecated: true,
  },
  {
    ...dated("opus-4-1", "20250805", "Claude Opus 4.1", 32 * K, "us eu"),
    deprecated: true,
  },
  {
    ...dated("sonnet-4", "20250514", "Claude Sonnet 4", 64 * K, "global us eu apac"),
    deprecated: true,
  },
];

const OPEN: readonly ModelRow[] = [
  open("amazon.nova-2-lite-v1:0", "Nova 2 Lite", "global us eu jp"),
  open("amazon.nova-pro-v1:0", "Nova Pro", "us eu apac"),
  open("amazon.nova-lite-v1:0", "Nova Lite", "us eu apac"),
  open("amazon.nova-micro-v1:0", "Nova Micro", "us eu apac"),
  open("qwen.qwen3-coder-next", "Qwen3 Coder Next"),
  open("qwen.qwen3-coder-480b-a35b-v1:0", "Qwen3 Coder 480B A35B"),
  open("qwen.qwen3-coder-30b-a3b-v1:0", "Qwen3 Coder 30B A3B"),
  open("qwen.qwen3-235b-a22b-2507-v1:0", "Qwen3 235B A22B 2507"),
  open("qwen.qwen3-next-80b-a3b", "Qwen3 Next 80B A3B"),
  open("qwen.qwen3-vl-235b-a22b", "Qwen3 VL 235B A22B"),
  open("qwen.qwen3-32b-v1:0", "Qwen3 32B"),
  open("deepseek.v3.2", "DeepSeek V3.2"),
  open("deepseek.v3-v1:0", "DeepSeek V3.1"),
  open("moonshotai.kimi-k2.5", "Kimi K2.5"),
  open("moonshot.kimi-k2-thinking", "Kimi K2 Thinking"),
  open("minimax.minimax-m2.5", "MiniMax M2.5"),
  open("minimax.minimax-m2.1", "MiniMax M2.1"),
  open("minimax.minimax-m2", "MiniMax M2"),
  open("zai.glm-5", "GLM 5"),
  open("zai.glm-4.7", "GLM 4.7"),
  open("zai.glm-4.7-flash", "GLM 4.7 Flash"),
  open("openai.gpt-oss-120b-1:0", "gpt-oss 120B"),
  open("openai.gpt-oss-20b-1:0", "gpt-oss 20B"),
  open("mistral.mistral-large-3-675b-instruct", "Mistral Large 3"),
  open("mistral.devstral-2-123b", "Devstral 2"),
  open("meta.llama4-maverick-17b-instruct-v1:0", "Llama 4 Maverick", "us"),
  open("google.gemma-3-27b-it", "Gemma 3 27B"),
  open("nvidia.nemotron-super-3-120b", "Nemotron Super 3 120B"),
];

function claude(
  name: string,
  displayName: string,
  context: number | undefined,
  output: number | undefined,
  profiles: string,
): ModelRow {
  return {
    id: `anthropic.claude-${name}`,
    names: [`claude-${name}`],
    profiles: profiles.split(" "),
    displayName,
    context,
    output,
    line: name.split("-")[0] ?? name,
  };
}

function dated(
  name: string,
  date: string,
  displayName: string,
  output: number,
  profiles: string,
): ModelRow {
  return {
    ...claude(name, displayName, 200 * K, output, profiles),
    createdAt: date.replace(/(\d{4})(\d\d)(\d\d)/, "$1-$2-$3T00:00:00Z"),
    id: `anthropic.claude-${name}-${date}-v1:0`,
    names: [`claude-${name}-${date}`, `claude-${name}`],
    mantleId: `anthropic.claude-${name}`,
  };
}

function open(id: string, displayName: string, profiles: string = ""): ModelRow {
  return {
    id,
    names: [id],
    profiles: profiles.split(" ").filter((prefix) => prefix !== ""),
    displayName,
  };
}

/** Every model of the table: Claude first, the newest first. */
export const MODEL_TABLE: readonly ModelRow[] = [...CLAUDE, ...OPEN];

/** The id of a foundation model on the mantle endpoint. */
export function mantleIdOf(baseId: string): string {
  return MODEL_TABLE.find(({ id }) => id === baseId)?.mantleId ?? baseId;
}
