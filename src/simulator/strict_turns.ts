/**
 * Refuses the turns of a conversation that Converse refuses, in its words.
 *
 * Source: Bedrock API reference, Message and ContentBlock; exact wording as recorded.
 * @module
 */
import { type Json, object, objects, words } from "./conversation.ts";
import { validation } from "./coral.ts";

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

const TAKES_SYSTEM = /claude-(fable-5|opus-5|opus-4-8|mythos)/;
/** Families whose tool results hold text alone, and know no status. */
const PLAIN_RESULTS = /^(openai|qwen|deepseek|moonshot|moonshotai|minimax|zai|google|xai|meta)\./;

/** A message's blocks. */
export function contentOf(message: Json): readonly Json[] {
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
    if (!/^[a-zA-Z0-9_-]{1,64}$/.test(words(name))) {
      throw validation(
        `Value '${
          words(name)
        }' at 'toolUse.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+`,
      );
    }
    if (!/^[a-zA-Z0-9_.:-]{1,64}$/.test(words(toolUseId))) {
      throw validation(
        `Value '${words(toolUseId)}' at 'toolUse.toolUseId' failed to satisfy constraint`,
      );
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

/**
 * Checks that turns are such as Converse takes.
 *
 * @throws {CoralError} In Bedrock's words
 */
export function checkTurns(messages: readonly Json[], modelId: string): void {
  if (messages.length === 0) throw validation("A conversation must have at least one message.");
  if (messages[0]?.role !== "user") {
    throw validation(
      "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
    );
  }
  checkResults([], contentOf(messages[0]));
  messages.forEach((message, index) => {
    const systemTurn = message.role === "system" && TAKES_SYSTEM.test(modelId);
    if (message.role !== "user" && message.role !== "assistant" && !systemTurn) {
      throw validation(
        `Value '${words(message.role)}' at 'messages.${
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
    const next = messages.slice(index + 1).find(({ role }) => role !== "system");
    if (!systemTurn) checkResults(content, contentOf(next ?? {}));
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

/**
 * Checks tool results of families that take text alone.
 *
 * @throws {CoralError} In Bedrock's words
 */
export function checkPlainResults(body: Json, modelId: string): void {
  if (!PLAIN_RESULTS.test(modelId)) return;
  for (const { toolResult } of objects(body.messages).flatMap(contentOf)) {
    const { content, status } = object(toolResult);
    if (status !== undefined) {
      throw validation("This model doesn't support the toolResult.status field.");
    }
    if (objects(content).some(({ image, document }) => (image ?? document) !== undefined)) {
      throw validation("This model doesn't support images or documents in toolResult.");
    }
  }
}
