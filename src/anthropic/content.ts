/**
 * Checks content blocks: the fields that are read on the way, by kind of block.
 * @module
 */
import {
  checkList,
  checkName,
  checkObject,
  checkOneOf,
  checkString,
  type JsonObject,
  refuse,
} from "./field.ts";

function checkSource(block: JsonObject, path: string): void {
  const source = checkObject(block.source, `${path}.source`);
  const type = checkName(source.type, `${path}.source.type`);
  if (type === "base64") {
    checkString(source.data, `${path}.source.data`);
    checkString(source.media_type, `${path}.source.media_type`);
  } else if (type === "url") {
    checkName(source.url, `${path}.source.url`);
  } else if (type === "text") {
    checkString(source.data, `${path}.source.data`);
  }
}

function checkToolUse(block: JsonObject, path: string): void {
  checkName(block.id, `${path}.id`);
  checkName(block.name, `${path}.name`);
  checkObject(block.input, `${path}.input`);
}

/** By kind; a kind that is not here is not read, and goes on as it is. */
const CHECKS: Readonly<Record<string, (block: JsonObject, path: string) => void>> = {
  text: (block, path) => void checkString(block.text, `${path}.text`),
  thinking(block, path) {
    checkString(block.thinking, `${path}.thinking`);
    if (block.signature !== undefined) checkString(block.signature, `${path}.signature`);
  },
  redacted_thinking: (block, path) => void checkString(block.data, `${path}.data`),
  image: checkSource,
  document(block, path) {
    checkSource(block, path);
    for (const field of ["title", "context"]) {
      const value = block[field];
      if (value !== undefined && value !== null) checkString(value, `${path}.${field}`);
    }
    if (block.citations !== undefined && block.citations !== null) {
      checkObject(block.citations, `${path}.citations`);
    }
  },
  tool_use: checkToolUse,
  server_tool_use: checkToolUse,
  tool_result(block, path) {
    checkName(block.tool_use_id, `${path}.tool_use_id`);
    if (block.content !== undefined && block.content !== null) {
      checkContent(block.content, `${path}.content`);
    }
    if (
      block.is_error !== undefined && block.is_error !== null && typeof block.is_error !== "boolean"
    ) {
      refuse(`${path}.is_error`, "Input should be a valid boolean");
    }
  },
};

/**
 * Checks a cache mark.
 *
 * @throws {ApiError} That names the field
 */
export function checkCacheControl(value: unknown, path: string): void {
  if (value === undefined || value === null) return;
  const { type, ttl } = checkObject(value, path);
  checkOneOf(type, `${path}.type`, ["ephemeral"]);
  if (ttl !== undefined && ttl !== null) checkOneOf(ttl, `${path}.ttl`, ["5m", "1h"]);
}

/**
 * Checks the content of a message, of the system prompt or of a tool result: text, or a list of blocks.
 *
 * @throws {ApiError} That names the field
 */
export function checkContent(content: unknown, path: string): void {
  if (typeof content === "string") return;
  if (content !== undefined && !Array.isArray(content)) {
    refuse(path, "Input should be a valid string or list");
  }
  const blocks = checkList(content, path);
  for (let index = 0; index < blocks.length; index++) {
    const at = `${path}.${index}`;
    const block = checkObject(blocks[index], at);
    const type = checkName(block.type, `${at}.type`);
    checkCacheControl(block.cache_control, `${at}.cache_control`);
    if (Object.hasOwn(CHECKS, type)) CHECKS[type]?.(block, at);
  }
}
