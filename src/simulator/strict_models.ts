/**
 * What single models refuse on every route, in their words.
 *
 * Source: Anthropic's per-model 400s; live probes of families.
 * @module
 */
import { type Json, object, objects, words } from "./conversation.ts";
import { validation } from "./coral.ts";

/** Models that take no last message of the assistant's. */
const NO_PREFILL =
  /claude-(opus-4-[678]|sonnet-4-6|opus-5|sonnet-5|haiku-5|fable|mythos)|^(openai|qwen|deepseek|moonshot|moonshotai|minimax|zai|google|xai|meta|mistral|nvidia|writer)\./;
const NO_ENABLED = /claude-(opus-4-[78]|opus-5|sonnet-5|haiku-5|fable|mythos)/;
const NO_ADAPTIVE = /claude-(3|(opus|sonnet|haiku)-4-5|(opus|sonnet)-4-(1-)?2025)/;
const ALWAYS_THINKS = /claude-(fable|mythos|opus-5-5)/;
const NEVER_FORCED = /claude-(fable-5-1|mythos-5-1|opus-5-5|sonnet-5-5)/;
const NO_DISPLAY = /claude-(opus|sonnet)-4-6/;
const NO_SAMPLING = /claude-(opus-4-[78]|opus-5|sonnet-5|haiku-5|fable|mythos)/;
const ONE_OF_SAMPLING = /claude-(opus|sonnet|haiku)-4-[56]/;
/** Models that take a format and strict tools on the native routes. */
const FORMATS = /claude-(opus|sonnet|haiku)-4-[56]/;

/** Whether a model takes `output_config.format` and strict tools on the native routes. */
export function takesFormats(modelId: string): boolean {
  return FORMATS.test(modelId);
}

/** What of a request models differ in, whichever wire it came by. */
export interface Demands {
  /** Foundation model id. */
  readonly modelId: string;
  /** Messages. */
  readonly messages: readonly Json[];
  /** `thinking`, in Anthropic's shape. */
  readonly thinking: unknown;
  /** Whether a tool must be called. */
  readonly forced: boolean;
  /** `temperature`. */
  readonly temperature: unknown;
  /** `top_p`. */
  readonly topP: unknown;
  /** `top_k`. */
  readonly topK: unknown;
  /** `max_tokens`. */
  readonly maxTokens: unknown;
}

/**
 * Refuses what the model does not do.
 *
 * @throws {CoralError} In the model's words
 */
export function checkModel(demands: Demands): void {
  const { modelId, messages, thinking, forced } = demands;
  const last = messages.findLast(({ role }) => role !== "system");
  if (last?.role === "assistant" && NO_PREFILL.test(modelId)) {
    throw validation(
      "This model does not support assistant message prefill. The conversation must end with a user message.",
    );
  }
  const { type, budget_tokens, display } = object(thinking);
  if (type === "enabled" && NO_ENABLED.test(modelId)) {
    throw validation(
      '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.',
    );
  }
  if (type === "adaptive" && NO_ADAPTIVE.test(modelId)) {
    throw validation("adaptive thinking is not supported on this model");
  }
  if (type === "disabled" && ALWAYS_THINKS.test(modelId)) {
    throw validation('"thinking.type.disabled" is not supported for this model.');
  }
  const thinks = type !== undefined && type !== "disabled";
  if (forced && (thinks || NEVER_FORCED.test(modelId))) {
    throw validation("Thinking may not be enabled when tool_choice forces tool use.");
  }
  if (display !== undefined && type === "adaptive" && NO_DISPLAY.test(modelId)) {
    throw validation("thinking.adaptive.display: Extra inputs are not permitted");
  }
  if (type === "enabled" && !(Number(budget_tokens) < Number(demands.maxTokens ?? Infinity))) {
    throw validation("`max_tokens` must be greater than `thinking.budget_tokens`.");
  }
  checkSampling(demands, thinks);
}

function checkSampling({ modelId, temperature, topP, topK }: Demands, thinks: boolean): void {
  if (!modelId.includes("claude")) return;
  const given = Object.entries({ temperature, top_p: topP, top_k: topK })
    .filter(([, value]) => value !== undefined).map(([name]) => name);
  const [first] = given;
  if (first !== undefined && NO_SAMPLING.test(modelId)) {
    throw validation(`\`${first}\` is deprecated for this model.`);
  }
  if (thinks && (topK !== undefined || (temperature !== undefined && temperature !== 1))) {
    throw validation(
      "`temperature` may only be set to 1 and `top_k` must be unset when thinking is enabled.",
    );
  }
  if (given.includes("temperature") && given.includes("top_p") && ONE_OF_SAMPLING.test(modelId)) {
    throw validation(
      "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
    );
  }
}

/** Members of tools and messages that Bedrock takes only with a beta: by the beginning of its name. */
const TOOL_BETAS: readonly (readonly [field: string, beta: string])[] = [
  ["defer_loading", "tool-search-tool-"],
  ["input_examples", "tool-examples-"],
  ["allowed_callers", "code-execution-"],
];
const BLOCK_BETAS: Readonly<Record<string, string>> = {
  tool_reference: "tool-search-tool-",
  tool_addition: "mid-conversation-tool-changes-",
  tool_removal: "mid-conversation-tool-changes-",
  compaction: "compact-",
};

/**
 * Refuses on the native routes what a beta brings and was not sent.
 *
 * @throws {CoralError} That names the field
 */
export function checkBetaFields(body: Json, modelId: string, betas: readonly string[]): void {
  const sent = (beta: string) => betas.some((one) => one.startsWith(beta));
  objects(body.tools).forEach((tool, index) => {
    const absent = TOOL_BETAS.find(([field, beta]) => tool[field] !== undefined && !sent(beta))
      ?.[0];
    const field = absent ??
      (tool.strict !== undefined && !takesFormats(modelId) ? "strict" : undefined);
    if (field !== undefined) {
      throw validation(`tools.${index}.custom.${field}: Extra inputs are not permitted`);
    }
  });
  const check = (block: Json, path: string): void => {
    const beta = BLOCK_BETAS[words(block.type)];
    if (beta !== undefined && !sent(beta)) {
      throw validation(
        `${path}: Input tag '${words(block.type)}' found using 'type' does not match any`,
      );
    }
    objects(block.content).forEach((inner, at) => check(inner, `${path}.content.${at}`));
  };
  objects(body.messages).forEach((message, index) => {
    check(message, `messages.${index}`);
    if (message.clear_at !== undefined && !sent("mid-conversation-system-clear-at-")) {
      throw validation(`messages.${index}.clear_at: Extra inputs are not permitted`);
    }
    const perTurn = sent("mid-conversation-output-config-") || sent("per-turn-control-");
    if (message.output_config !== undefined && !perTurn) {
      throw validation(`messages.${index}.output_config: Extra inputs are not permitted`);
    }
  });
}
