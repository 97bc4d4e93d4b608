/**
 * Step 4: checks what this program reads of a body and what would break it, and keeps everything else.
 *
 * Source: Anthropic API reference, Messages and Count tokens ([T], [D]).
 * @module
 */
import { ApiError } from "./error.ts";
import { checkCacheControl, checkContent } from "./content.ts";
import {
  checkInteger,
  checkList,
  checkName,
  checkObject,
  checkOneOf,
  checkOptionalBoolean,
  checkOptionalNumber,
  checkString,
  isObject,
  type JsonObject,
  refuse,
} from "./field.ts";
import type { MessagesRequest } from "./types.ts";

/** Anthropic's limit ([D]). */
const MOST_MESSAGES = 100_000;

/** Of a model: Bedrock's longest ([D] InvokeModel, modelId). */
const LONGEST_MODEL = 2_048;

/** Of a tool ([T]). */
const LONGEST_NAME = 128;

const ROLES = ["user", "assistant", "system"];
const THINKING_TYPES = ["enabled", "disabled", "adaptive", "between_tools"];
const SERVICE_TIERS = ["auto", "standard_only"];
const TOOL_CHOICES = ["auto", "any", "tool", "none"];

function checkMessages(value: unknown): void {
  const messages = checkList(value, "messages");
  if (messages.length === 0) refuse("messages", "at least one message is required");
  if (messages.length > MOST_MESSAGES) {
    refuse("messages", `at most ${MOST_MESSAGES} messages are allowed`);
  }
  for (let index = 0; index < messages.length; index++) {
    const path = `messages.${index}`;
    const message = checkObject(messages[index], path);
    checkOneOf(message.role, `${path}.role`, ROLES);
    // An instruction may be nothing but settings.
    if (message.role !== "system" || message.content !== undefined) {
      checkContent(message.content, `${path}.content`);
    }
  }
}

function checkSystem(value: unknown): void {
  if (value === undefined || typeof value === "string") return;
  if (!Array.isArray(value)) refuse("system", "Input should be a valid string or list");
  checkContent(value, "system");
}

function checkTools(value: unknown): void {
  if (value === undefined || value === null) return;
  for (const [index, item] of checkList(value, "tools").entries()) {
    const path = `tools.${index}`;
    const tool = checkObject(item, path);
    if (tool.type !== undefined && tool.type !== null) checkString(tool.type, `${path}.type`);
    const custom = tool.type === undefined || tool.type === null || tool.type === "custom";
    if (custom || tool.name !== undefined) {
      const name = checkName(tool.name, `${path}.name`);
      if (name.length > LONGEST_NAME) {
        refuse(`${path}.name`, `String should have at most ${LONGEST_NAME} characters`);
      }
    }
    if (custom && tool.input_schema !== undefined) {
      const { type } = checkObject(tool.input_schema, `${path}.input_schema`);
      if (type !== undefined) checkOneOf(type, `${path}.input_schema.type`, ["object"]);
    }
    checkOptionalBoolean(tool.strict, `${path}.strict`);
    if (tool.description !== undefined && tool.description !== null) {
      checkString(tool.description, `${path}.description`);
    }
    checkCacheControl(tool.cache_control, `${path}.cache_control`);
  }
}

function checkToolChoice(value: unknown): void {
  if (value === undefined || value === null) return;
  const choice = checkObject(value, "tool_choice");
  const type = checkOneOf(choice.type, "tool_choice.type", TOOL_CHOICES);
  if (type === "tool") checkName(choice.name, "tool_choice.name");
  checkOptionalBoolean(choice.disable_parallel_tool_use, "tool_choice.disable_parallel_tool_use");
}

function checkThinking(value: unknown): void {
  if (value === undefined || value === null) return;
  const thinking = checkObject(value, "thinking");
  const type = checkOneOf(thinking.type, "thinking.type", THINKING_TYPES);
  if (type === "enabled") {
    checkInteger(thinking.budget_tokens, "thinking.enabled.budget_tokens", 1_024);
  }
  if (thinking.display !== undefined && thinking.display !== null) {
    checkString(thinking.display, "thinking.display");
  }
}

function checkOptionalObject(value: unknown, path: string): JsonObject | undefined {
  return value === undefined || value === null ? undefined : checkObject(value, path);
}

function checkStopSequences(value: unknown): void {
  if (value === undefined || value === null) return;
  checkList(value, "stop_sequences").forEach((item, index) =>
    checkString(item, `stop_sequences.${index}`)
  );
}

function checkSampling(body: JsonObject): void {
  checkOptionalNumber(body.temperature, "temperature", 0, 1);
  checkOptionalNumber(body.top_p, "top_p", 0, 1);
  if (body.top_k !== undefined && body.top_k !== null) checkInteger(body.top_k, "top_k", 0);
}

function checkCommon(value: unknown): JsonObject {
  if (!isObject(value)) {
    throw new ApiError(
      "invalid_request_error",
      "Request body should be a JSON object: it is another kind of value",
    );
  }
  const { length } = checkName(value.model, "model");
  if (length > LONGEST_MODEL) {
    refuse("model", `String should have at most ${LONGEST_MODEL} characters`);
  }
  checkMessages(value.messages);
  checkSystem(value.system);
  checkTools(value.tools);
  checkToolChoice(value.tool_choice);
  checkThinking(value.thinking);
  const config = checkOptionalObject(value.output_config, "output_config");
  if (config?.effort !== undefined && config.effort !== null) {
    checkString(config.effort, "output_config.effort");
  }
  if (value.service_tier !== undefined && value.service_tier !== null) {
    checkOneOf(value.service_tier, "service_tier", SERVICE_TIERS);
  }
  checkCacheControl(value.cache_control, "cache_control");
  return value;
}

/**
 * Checks the body of `POST /v1/messages`.
 *
 * @returns The same object: nothing is copied or left out
 * @throws {ApiError} `invalid_request_error` that names the field, e.g. `max_tokens: Field required`
 */
export function checkMessagesRequest(value: unknown): MessagesRequest {
  const body = checkCommon(value);
  checkInteger(body.max_tokens, "max_tokens", 0);
  checkOptionalBoolean(body.stream, "stream");
  checkStopSequences(body.stop_sequences);
  checkSampling(body);
  const metadata = checkOptionalObject(body.metadata, "metadata");
  if (metadata?.user_id !== undefined && metadata.user_id !== null) {
    checkString(metadata.user_id, "metadata.user_id");
  }
  return body as unknown as MessagesRequest;
}

/**
 * Checks the body of `POST /v1/messages/count_tokens`, which needs no `max_tokens`.
 *
 * @throws {ApiError} As {@link checkMessagesRequest}
 */
export function checkCountTokensRequest(value: unknown): MessagesRequest {
  return checkCommon(value) as unknown as MessagesRequest;
}

/** Values of `anthropic-beta`: comma lists, trimmed, each once. */
export function readBetas(headers: Headers): string[] {
  const header = headers.get("anthropic-beta");
  if (header === null) return [];
  return [...new Set(header.split(",").map((beta) => beta.trim()).filter((beta) => beta !== ""))];
}
