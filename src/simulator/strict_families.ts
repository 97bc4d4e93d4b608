/**
 * What families refuse over Converse, a row for each refusal, in Bedrock's words.
 *
 * Source: live probes of families; the catalog's descriptions of their fields; exact wording as recorded.
 * @module
 */
import { type Json, object, objects, words } from "./conversation.ts";
import { CoralError, validation } from "./coral.ts";

/** A Converse body, as far as families differ in it. */
interface Asked {
  readonly config: Json;
  readonly toolConfig: Json | undefined;
  readonly additional: Json;
  readonly system: readonly Json[];
  /** Content blocks, those in tool results too. */
  readonly blocks: readonly Json[];
}

interface Row {
  readonly models: RegExp;
  readonly refuses: (asked: Asked) => boolean;
  readonly message: string;
}

function unsupported(field: string): string {
  return `This model doesn't support the ${field} field. Remove ${field} and try again.`;
}

function chosen({ toolConfig }: Asked): string | undefined {
  return Object.keys(object(toolConfig?.toolChoice))[0];
}

const NO_TOOLS = /^(deepseek\.r1|amazon\.titan|mistral\.(mistral-7b|mixtral-8x7b))/;
const NO_SYSTEM = /^(amazon\.titan|mistral\.(mistral-7b|mixtral-8x7b))/;
const OLD_MISTRAL = /^mistral\.(mistral-(large|small)-24|pixtral-large-25)/;
const NO_IMAGES =
  /^(deepseek|qwen\.qwen3-(coder|32b|235b|next)|minimax|moonshot\.kimi-k2-thinking|zai|openai\.gpt-oss|amazon\.nova-micro|amazon\.titan|meta\.llama3-[13]|writer)/;
const NO_STOP_SEQUENCES =
  /^(openai|qwen|deepseek\.v3|moonshot|moonshotai|minimax|zai|google|xai)\b/;
const NO_SAMPLING =
  /^(openai\.gpt-[56]|xai\.grok-4\.[67]|anthropic\.claude-(opus-4-[78]|opus-5|sonnet-5|haiku-5|fable|mythos))/;
const GPT_AND_GROK = /^(openai\.gpt-[56]|xai\.grok-4\.[67])/;

/** First match is told. */
const ROWS: readonly Row[] = [
  {
    models: NO_STOP_SEQUENCES,
    refuses: ({ config }) => config.stopSequences !== undefined,
    message: unsupported("stopSequences"),
  },
  {
    models: NO_SAMPLING,
    refuses: ({ config }) => config.temperature !== undefined,
    message: unsupported("temperature"),
  },
  {
    models: NO_SAMPLING,
    refuses: ({ config }) => config.topP !== undefined,
    message: unsupported("topP"),
  },
  {
    models: /^moonshotai\.kimi-k3/,
    refuses: ({ config }) => config.temperature !== undefined,
    message: unsupported("temperature"),
  },
  {
    models: GPT_AND_GROK,
    refuses: ({ config }) => Number(config.maxTokens ?? 16) < 16,
    message:
      "The model returned the following errors: integer_below_min_value: max_output_tokens must be at least 16",
  },
  {
    // The truth is worse: it never answers.
    models: /^(xai\.grok-4\.[67]|moonshotai\.kimi-k3)/,
    refuses: ({ additional }) => additional.reasoning_config === undefined,
    message: "The model returned the following errors: reasoning_config: Field required",
  },
  {
    models: NO_TOOLS,
    refuses: ({ toolConfig }) => toolConfig !== undefined,
    message: "This model doesn't support tool use.",
  },
  {
    models: NO_SYSTEM,
    refuses: ({ system }) => system.length > 0,
    message:
      "This model doesn't support system messages. Try again without a system message or use a model that supports system messages.",
  },
  {
    models: /^meta\./,
    refuses: (asked) => chosen(asked) === "any",
    message: unsupported("toolConfig.toolChoice.any"),
  },
  {
    models: /^meta\.|^mistral\.(mistral-(large|small)-24|pixtral-large-25)/,
    refuses: (asked) => chosen(asked) === "tool",
    message: unsupported("toolConfig.toolChoice.tool"),
  },
  {
    models: OLD_MISTRAL,
    refuses: ({ blocks }) =>
      blocks.flatMap(({ toolUse, toolResult }) => [toolUse, toolResult])
        .some((one) => one !== undefined && !/^[a-zA-Z0-9]{9}$/.test(words(object(one).toolUseId))),
    message:
      "The model returned the following errors: Tool call id must be a-z, A-Z, 0-9, with a length of 9.",
  },
  {
    models: NO_IMAGES,
    refuses: ({ blocks }) => blocks.some(({ image }) => image !== undefined),
    message:
      "This model doesn't support the image content block that you provided. Update the content block and try again.",
  },
  {
    models: /^(?!anthropic\.)/,
    refuses: ({ blocks }) =>
      blocks.some(({ searchResult, citationsContent }) =>
        searchResult !== undefined || citationsContent !== undefined
      ),
    message:
      "This model doesn't support the searchResult content block that you provided. Update the content block and try again.",
  },
  {
    models: /^(?!anthropic\.)/,
    refuses: ({ blocks }) =>
      blocks.some(({ document }) => object(document).citations !== undefined),
    message: "This model doesn't support citations.",
  },
  {
    models: /^amazon\.nova-2/,
    refuses: ({ config, additional }) =>
      object(additional.reasoningConfig).maxReasoningEffort === "high" &&
      Object.keys(config).some((name) => /^(maxTokens|temperature|topP)$/.test(name)),
    message:
      "maxTokens, temperature and topP must be unset when maxReasoningEffort is set to high.",
  },
];

/** Members of `additionalModelRequestFields` that a family knows; others know none. */
const FIELDS: readonly (readonly [models: RegExp, fields: RegExp])[] = [
  [
    /^anthropic\./,
    /^(thinking|output_config|top_k|anthropic_beta|tools|tool_choice|reasoning_config)$/,
  ],
  [/^amazon\.nova-2/, /^(inferenceConfig|reasoningConfig)$/],
  [/^amazon\.nova/, /^inferenceConfig$/],
  [/^openai\.gpt-oss/, /^reasoning_effort$/],
  [/^openai\.|^xai\./, /^(reasoning_config|reasoning)$/],
  [/^deepseek\.v3/, /^(reasoning_effort|thinking)$/],
  [/^(moonshotai\.|zai\.|qwen\.qwen3-32b)/, /^reasoning_config$/],
];

/** Families whose only word for reasoning is `high` ([L]). */
const HIGH_ONLY = /^(deepseek\.v3|moonshotai\.kimi-k2|zai\.|qwen\.qwen3-32b)/;

/** What Claude takes over Converse. */
const CONVERSE_BETAS =
  /^(computer-use-|context-1m-|effort-|fine-grained-tool-streaming-|structured-outputs-|thinking-binding-|thinking-display-)/;

function checkFields(additional: Json, modelId: string): void {
  const known = FIELDS.find(([models]) => models.test(modelId))?.[1];
  const unknown = Object.keys(additional).find((field) => known?.test(field) !== true);
  if (unknown !== undefined) {
    throw validation(
      modelId.startsWith("anthropic.")
        ? `The model returned the following errors: ${unknown}: Extra inputs are not permitted`
        : `The model returned the following errors: unknown_parameter: ${unknown}`,
    );
  }
  const effort = additional.reasoning_config ?? additional.reasoning_effort;
  if (effort !== undefined && effort !== "high" && HIGH_ONLY.test(modelId)) {
    throw validation("The model returned the following errors: reasoning: Input should be 'high'");
  }
  const betas = Array.isArray(additional.anthropic_beta) ? additional.anthropic_beta : [];
  if (!betas.every((beta) => CONVERSE_BETAS.test(words(beta)))) {
    throw validation("The model returned the following errors: invalid beta flag");
  }
}

/**
 * Refuses what the family of a model does not take.
 *
 * @throws {CoralError} In Bedrock's words
 */
export function checkFamily(body: Json, modelId: string): void {
  const outer = objects(body.messages).flatMap(({ content }) => objects(content));
  const asked: Asked = {
    config: object(body.inferenceConfig),
    toolConfig: body.toolConfig === undefined ? undefined : object(body.toolConfig),
    additional: object(body.additionalModelRequestFields),
    system: objects(body.system),
    blocks: [...outer, ...outer.flatMap(({ toolResult }) => objects(object(toolResult).content))],
  };
  const row = ROWS.find(({ models, refuses }) => models.test(modelId) && refuses(asked));
  if (row !== undefined) throw validation(row.message);
  checkFields(asked.additional, modelId);
}

/** Models that may be asked by a profile alone. */
const PROFILE_ONLY = /^anthropic\.claude-[a-z]+-[4-9]/;

/**
 * Refuses the bare id of a model that only a profile may ask for, and on mantle any other.
 *
 * @throws {CoralError} In Bedrock's words
 */
export function checkId(modelId: string, mantle: boolean): void {
  if (mantle && !modelId.startsWith("anthropic.")) {
    throw new CoralError("ResourceNotFoundException", `The model '${modelId}' does not exist`);
  }
  if (!mantle && PROFILE_ONLY.test(modelId)) {
    throw validation(
      `Invocation of model ID ${modelId} with on-demand throughput isn’t supported. Retry your request with the ID or ARN of an inference profile that contains this model.`,
    );
  }
}
