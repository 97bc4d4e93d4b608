/**
 * Refuses over Converse what Bedrock refuses, in its words.
 *
 * Source: Bedrock API reference, Converse; exact wording as recorded.
 * @module
 */
import { type Conversation, type Json, object, objects } from "./conversation.ts";
import { CoralError, validation } from "./coral.ts";
import { signatureOf } from "./plan.ts";

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
const BLOCKS = new Set([
  "text",
  "image",
  "document",
  "video",
  "audio",
  "toolUse",
  "toolResult",
  "guardContent",
  "cachePoint",
  "reasoningContent",
  "citationsContent",
  "searchResult",
]);

/** Families by what they refuse. */
const NO_STOP_SEQUENCES =
  /^(openai|qwen|deepseek\.v3|moonshot|moonshotai|minimax|zai|google|xai)\b/;
const CACHES = /^(anthropic|amazon\.nova)/;
const NO_SAMPLING =
  /^(openai\.gpt-[56]|xai\.grok-4\.[67]|anthropic\.claude-(opus-4-[78]|opus-5|sonnet-5|haiku-5|fable|mythos))/;
const AUTO_ONLY = /^meta\./;

function contentOf(message: Json): readonly Json[] {
  return objects(message.content);
}

function checkBlock(block: Json, role: unknown): void {
  const members = Object.keys(block);
  if (members.length !== 1 || !BLOCKS.has(members[0] ?? "")) {
    throw validation(
      `A content block must have exactly one member of ContentBlock: it has ${
        members.join(", ") || "none"
      }`,
    );
  }
  if (typeof block.text === "string" && block.text.trim() === "") {
    throw validation(
      "The text field in the ContentBlock object is blank. Add text to the text field, and try again.",
    );
  }
  const { name, toolUseId, input } = object(block.toolUse);
  if (block.toolUse !== undefined) {
    if (!/^[a-zA-Z0-9_-]{1,64}$/.test(String(name))) {
      throw validation(
        `Value '${name}' at 'toolUse.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+`,
      );
    }
    if (!/^[a-zA-Z0-9_.:-]{1,64}$/.test(String(toolUseId))) {
      throw validation(`Value '${toolUseId}' at 'toolUse.toolUseId' failed to satisfy constraint`);
    }
    if (typeof input !== "object" || input === null || Array.isArray(input)) {
      throw validation(
        "The format of the value at toolUse.input is invalid. Provide a json object for the field and try again.",
      );
    }
  }
  if (block.reasoningContent !== undefined && role === "user") {
    throw validation(
      "User messages cannot contain reasoning content. Please remove the reasoning content and try again.",
    );
  }
  if (block.toolResult !== undefined && objects(object(block.toolResult).content).length === 0) {
    throw validation("The content field in the toolResult object is empty.");
  }
}

function checkTurns(messages: readonly Json[]): void {
  if (messages.length === 0) throw validation("A conversation must have at least one message.");
  if (messages[0]?.role !== "user") {
    throw validation(
      "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
    );
  }
  messages.forEach((message, index) => {
    if (message.role !== "user" && message.role !== "assistant") {
      throw validation(
        `Value '${message.role}' at 'messages.${
          index + 1
        }.member.role' failed to satisfy constraint`,
      );
    }
    if (message.role === messages[index - 1]?.role) {
      throw validation(
        "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.",
      );
    }
    const content = contentOf(message);
    if (content.length === 0) {
      throw validation(
        "The content field in the Message object is empty. Add a ContentBlock object to the content field and try again.",
      );
    }
    if (content[0]?.cachePoint !== undefined) {
      throw validation("There is nothing available to cache");
    }
    for (const block of content) checkBlock(block, message.role);
    checkResults(content, contentOf(messages[index + 1] ?? {}));
  });
}

function checkResults(content: readonly Json[], next: readonly Json[]): void {
  const asked = content.map(({ toolUse }) => object(toolUse).toolUseId).filter((id) =>
    id !== undefined
  );
  const answered = next.map(({ toolResult }) => object(toolResult).toolUseId).filter((id) =>
    id !== undefined
  );
  const missing = asked.filter((id) => !answered.includes(id));
  if (missing.length > 0 && next.length > 0) {
    throw validation(
      `Expected toolResult blocks at messages for the following Ids: ${missing.join(", ")}`,
    );
  }
  const unasked = answered.filter((id) => !asked.includes(id));
  if (unasked.length > 0) {
    throw validation(
      "The number of toolResult blocks exceeds the number of toolUse blocks of previous turn.",
    );
  }
}

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
    const { name, description, inputSchema } = object(toolSpec);
    if (!/^[a-zA-Z0-9_-]{1,64}$/.test(String(name))) {
      throw validation(
        `Value '${name}' at 'toolSpec.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+`,
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
  if (choice !== undefined && choice !== "auto" && AUTO_ONLY.test(modelId)) {
    throw validation(
      `This model doesn't support the toolConfig.toolChoice.${choice} field. Remove toolConfig.toolChoice.${choice} and try again.`,
    );
  }
}

function checkInference(body: Json, modelId: string): void {
  const { stopSequences, temperature, topP, maxTokens } = object(body.inferenceConfig);
  if (stopSequences !== undefined && NO_STOP_SEQUENCES.test(modelId)) {
    throw validation(
      "This model doesn't support the stopSequences field. Remove stopSequences and try again.",
    );
  }
  for (const [name, value] of [["temperature", temperature], ["topP", topP]] as const) {
    if (value !== undefined && NO_SAMPLING.test(modelId)) {
      throw validation(
        `This model doesn't support the ${name} field. Remove ${name} and try again.`,
      );
    }
  }
  if (maxTokens !== undefined && !(Number(maxTokens) >= 1)) {
    throw validation(
      `Value '${maxTokens}' at 'inferenceConfig.maxTokens' failed to satisfy constraint: Member must have value greater than or equal to 1`,
    );
  }
  const { thinking, reasoning_effort } = object(body.additionalModelRequestFields);
  if (
    thinking !== undefined && !modelId.startsWith("anthropic.") && !modelId.startsWith("deepseek.")
  ) {
    throw validation("The model returned the following errors: unknown_parameter: thinking");
  }
  if (reasoning_effort !== undefined && /^openai\.gpt-[56]/.test(modelId)) {
    throw validation(
      "The model returned the following errors: unknown_parameter: reasoning_effort",
    );
  }
}

function checkCache(body: Json, modelId: string): void {
  const places = [
    objects(body.system),
    objects(object(body.toolConfig).tools),
    ...objects(body.messages).map(contentOf),
  ];
  const points = places.flat().filter(({ cachePoint }) => cachePoint !== undefined);
  if (points.length === 0) return;
  if (
    !CACHES.test(modelId) ||
    (modelId.startsWith("amazon.") &&
      objects(object(body.toolConfig).tools).some(({ cachePoint }) => cachePoint !== undefined))
  ) {
    throw new CoralError(
      "AccessDeniedException",
      "You invoked an unsupported model or your request did not allow prompt caching.",
    );
  }
  if (points.length > 4) {
    throw validation("A maximum of 4 blocks with cache_control may be provided.");
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
 * @throws {CoralError} In Bedrock's words
 */
export function checkConverse(body: Json, modelId: string, conversation: Conversation): void {
  for (const field of Object.keys(body)) {
    if (!TOP_LEVEL.has(field)) throw validation(`Unknown parameter in input: "${field}"`);
  }
  const base = modelId.replace(/^(global|us|eu|apac|jp|au|us-gov)\./, "");
  checkTurns(objects(body.messages));
  for (const { text } of objects(body.system)) {
    if (typeof text === "string" && text.trim() === "") {
      throw validation("The text field in the SystemContentBlock object is blank.");
    }
  }
  checkTools(body, base);
  checkInference(body, base);
  checkCache(body, base);
  for (const [key, value] of Object.entries(object(body.requestMetadata))) {
    if (!/^[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}$/.test(`${value}`)) {
      throw validation(`Value at 'requestMetadata.${key}' failed to satisfy constraint`);
    }
  }
  checkSignatures(conversation);
}
