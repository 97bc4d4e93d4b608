/**
 * Refuses over Converse what Bedrock refuses, in its words.
 *
 * Source: Bedrock API reference, Converse; exact wording as recorded.
 * @module
 */
import { type Conversation, type Json, object, objects, words } from "./conversation.ts";
import { validation } from "./coral.ts";
import { checkCachePoints } from "./strict_cache.ts";
import { checkFamily } from "./strict_families.ts";
import { checkMedia } from "./strict_media.ts";
import { checkModel, takesFormats } from "./strict_models.ts";
import { signatureOf } from "./plan.ts";
import { checkPlainResults, checkTurns, contentOf } from "./strict_turns.ts";

const TOP_LEVEL = new Set([
  "messages",
  "system",
  "inferenceConfig",
  "toolConfig",
  "guardrailConfig",
  "additionalModelRequestFields",
  "additionalModelResponseFieldPaths",
  "promptVariables",
  "requestMetadata",
  "performanceConfig",
  "serviceTier",
  "outputConfig",
]);
/** Families by what they refuse. */
const NO_STREAMED_TOOLS =
  /^(meta\.|mistral\.(mistral|mixtral|pixtral)-(large-24|large-25|small-24)|writer\.)/;
const FORMATS = /^(anthropic\.claude-|openai\.|moonshot)/;

function checkTools(body: Json, modelId: string): void {
  const blocks = objects(body.messages).flatMap(contentOf);
  const mentioned = blocks.some(({ toolUse, toolResult }) =>
    toolUse !== undefined || toolResult !== undefined
  );
  if (body.toolConfig === undefined) {
    if (mentioned) {
      throw validation(
        "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
      );
    }
    return;
  }
  const { tools, toolChoice } = object(body.toolConfig);
  if (objects(tools).length === 0) {
    throw validation("The provided request is not valid: toolConfig.tools must not be empty");
  }
  for (const { toolSpec } of objects(tools)) {
    if (toolSpec === undefined) continue;
    const { name, description, inputSchema, strict } = object(toolSpec);
    if (strict !== undefined && !takesFormats(modelId)) {
      throw validation(
        "The model returned the following errors: tools.0.custom.strict: Extra inputs are not permitted",
      );
    }
    if (!/^[a-zA-Z0-9_-]{1,64}$/.test(words(name))) {
      throw validation(
        `Value '${
          words(name)
        }' at 'toolSpec.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+`,
      );
    }
    if (description === "") {
      throw validation(
        "Value '' at 'toolSpec.description' failed to satisfy constraint: Member must have length greater than or equal to 1",
      );
    }
    if (object(inputSchema).json === undefined) {
      throw validation("The toolSpec.inputSchema.json field is required");
    }
  }
  const choice = Object.keys(object(toolChoice))[0];
  if (choice !== undefined && !["auto", "any", "tool"].includes(choice)) {
    throw validation(
      `Unknown parameter in toolConfig.toolChoice: "${choice}", must be one of: auto, any, tool`,
    );
  }
}

function checkInference(body: Json): void {
  const { stopSequences, maxTokens } = object(body.inferenceConfig);
  if (Array.isArray(stopSequences) && stopSequences.includes("")) {
    throw validation("Value '' at 'inferenceConfig.stopSequences' failed to satisfy constraint");
  }
  if (maxTokens !== undefined && !(Number(maxTokens) >= 1)) {
    throw validation(
      `Value '${
        words(maxTokens)
      }' at 'inferenceConfig.maxTokens' failed to satisfy constraint: Member must have value greater than or equal to 1`,
    );
  }
}

/** Reasoning that is replayed must be what was signed. */
export function checkSignatures({ replayed }: Conversation): void {
  for (const { text, signature } of replayed) {
    if (signature !== signatureOf(text)) {
      throw validation("messages.1.content.0: Invalid `signature` in `thinking` block");
    }
  }
}

/**
 * Refuses a Converse body as Bedrock does.
 *
 * @param streamed Whether a stream is asked for
 * @throws {CoralError} In Bedrock's words
 */
export function checkConverse(
  body: Json,
  modelId: string,
  conversation: Conversation,
  streamed: boolean,
): void {
  for (const field of Object.keys(body)) {
    if (!TOP_LEVEL.has(field)) throw validation(`Unknown parameter in input: "${field}"`);
  }
  const base = modelId.replace(/^(global|us|eu|apac|jp|au|us-gov)\./, "");
  checkTurns(objects(body.messages), base);
  for (const { text } of objects(body.system)) {
    if (typeof text === "string" && text.trim() === "") {
      throw validation("The text field in the SystemContentBlock object is blank.");
    }
  }
  checkTools(body, base);
  checkInference(body);
  checkFamily(body, base);
  checkCachePoints(body, base);
  checkMedia(objects(body.messages));
  checkPlainResults(body, base);
  for (const [key, value] of Object.entries(object(body.requestMetadata))) {
    if (!/^[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}$/.test(words(value))) {
      throw validation(`Value at 'requestMetadata.${key}' failed to satisfy constraint`);
    }
  }
  if (streamed && body.toolConfig !== undefined && NO_STREAMED_TOOLS.test(base)) {
    throw validation("This model doesn't support tool use in streaming mode.");
  }
  if (body.outputConfig !== undefined && !FORMATS.test(base)) {
    throw validation(
      "This model doesn't support the outputConfig.textFormat field. Remove outputConfig.textFormat and try again.",
    );
  }
  const { temperature, topP, maxTokens } = object(body.inferenceConfig);
  const { thinking, top_k, tool_choice } = object(body.additionalModelRequestFields);
  checkModel({
    modelId: base,
    messages: objects(body.messages),
    thinking,
    forced: conversation.mustCall || /^(any|tool)$/.test(words(object(tool_choice).type)),
    temperature,
    topP,
    topK: top_k,
    maxTokens,
  });
  checkSignatures(conversation);
}
