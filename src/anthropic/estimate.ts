/**
 * How many tokens a request has, without asking anybody: for `count_tokens` where no model counts, and for
 * reserving limits. Clients compact a conversation by it, so it errs high.
 * @module
 */
import { isObject } from "./field.ts";
import { imageTokens } from "./image_size.ts";
import type { MessagesRequest } from "./types.ts";

/**
 * Tokens per UTF-16 unit, by kind of character. Prose has some 4 letters a token, code and JSON 3; scripts
 * other than Latin have one or two letters a token ([D] Anthropic, Token counting; measured on the corpus in
 * the tests).
 */
const LETTER = 0.29;
const DIGIT = 0.66;
const PUNCTUATION = 0.62;
const SPACE = 0.05;
const LINE_END = 0.35;
/** An accent tells of a language other than English, whose plain letters make shorter tokens too. */
const LATIN_ACCENTED = 2.6;
const CYRILLIC_GREEK = 0.66;
const OTHER_SCRIPT = 0.85;
const CJK = 1.25;
const SURROGATE = 1.2;

function weightOf(code: number): number {
  if (code < 0x80) {
    if ((code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a)) return LETTER;
    if (code === 0x20) return SPACE;
    if (code >= 0x30 && code <= 0x39) return DIGIT;
    return code === 0x0a || code === 0x0d || code === 0x09 ? LINE_END : PUNCTUATION;
  }
  if (code < 0x250) return LATIN_ACCENTED;
  if (code < 0x530) return CYRILLIC_GREEK;
  if (code >= 0xd800 && code <= 0xdfff) return SURROGATE;
  return code >= 0x2e80 && code <= 0xffef ? CJK : OTHER_SCRIPT;
}

const ASCII_WEIGHTS = Float64Array.from({ length: 128 }, (_, code) => weightOf(code));

/** Tokens of a text. */
export function estimateText(text: string): number {
  let tokens = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    tokens += code < 0x80 ? ASCII_WEIGHTS[code] ?? 0 : weightOf(code);
  }
  return tokens;
}

/** What a message, a tool and a block cost beside their texts. */
const PER_MESSAGE = 4;
const PER_TOOL = 12;
const PER_BLOCK = 2;
/** The instructions that come with tools: 346 for most models ([D] Anthropic, Tool use pricing). */
const TOOLS_PREAMBLE = 346;
/** A page of a PDF: its text and its picture ([D] Anthropic, PDF support: 1,500 to 3,000 for the text). */
const PER_PDF_PAGE = 3_000;
/** Bytes of base64 that a page has at most: more pages than the bytes hold are not guessed. */
const BASE64_PER_PDF_PAGE = 100_000;

function estimateSource(source: unknown, kind: "image" | "document"): number {
  if (!isObject(source)) return 0;
  if (kind === "image") return imageTokens(typeof source.data === "string" ? source.data : "");
  if (source.type === "base64" && typeof source.data === "string") {
    return PER_PDF_PAGE * Math.max(1, Math.ceil(source.data.length / BASE64_PER_PDF_PAGE));
  }
  return estimateValue(source.data) + estimateValue(source.content);
}

/** Any JSON: names and values as their text. */
function estimateJson(value: unknown): number {
  return value === undefined ? 0 : estimateText(JSON.stringify(value) ?? "");
}

function estimateBlock(block: Readonly<Record<string, unknown>>): number {
  switch (block.type) {
    case "text":
      return PER_BLOCK + estimateValue(block.text);
    case "thinking":
      return PER_BLOCK + estimateValue(block.thinking);
    case "image":
      return PER_BLOCK + estimateSource(block.source, "image");
    case "document":
      return PER_BLOCK + estimateSource(block.source, "document") + estimateValue(block.title) +
        estimateValue(block.context);
    case "tool_use":
    case "server_tool_use":
    case "mcp_tool_use":
      return PER_TOOL + estimateValue(block.name) + estimateJson(block.input);
    case "tool_result":
      return PER_TOOL + estimateValue(block.content);
    case "redacted_thinking":
      return PER_BLOCK + (typeof block.data === "string" ? block.data.length / 6 : 0);
    default: {
      const { cache_control: _, ...rest } = block;
      return PER_BLOCK + estimateJson(rest);
    }
  }
}

function estimateValue(value: unknown): number {
  if (typeof value === "string") return estimateText(value);
  if (Array.isArray(value)) {
    return value.reduce<number>((sum, item) => sum + estimateValue(item), 0);
  }
  return isObject(value) ? estimateBlock(value) : 0;
}

/**
 * Input tokens of a request, rounded up. Every kind of block counts; images by their size, never by the
 * length of their base64.
 */
export function estimateTokens(request: MessagesRequest): number {
  let tokens = PER_MESSAGE + estimateValue(request.system);
  for (const message of request.messages) tokens += PER_MESSAGE + estimateValue(message.content);
  const tools = request.tools ?? [];
  if (tools.length > 0) tokens += TOOLS_PREAMBLE;
  for (const tool of tools) {
    const { name, description, input_schema, ...rest } = tool;
    tokens += PER_TOOL + estimateText(name ?? "") + estimateText(description ?? "");
    tokens += estimateJson(input_schema);
    if (input_schema === undefined) tokens += estimateJson(rest);
  }
  return Math.ceil(tokens);
}
