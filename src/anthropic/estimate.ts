/**
 * How many tokens a request has, without asking anybody: for `count_tokens` where no model counts, and for
 * reserving limits. Clients compact a conversation by it, so it errs high.
 * @module
 */
import { isObject } from "./field.ts";
import { imageTokens } from "./image_size.ts";
import type { MessagesRequest } from "./types.ts";

/**
 * What the parts of a text cost in tokens: fitted to the corpus in the tests and to 150 files of code, data and
 * prose ([D] Anthropic, Token counting). A tokenizer cuts text at much the same places: where words, numbers,
 * signs and lines begin.
 */
const WORD = 0.94;
/** More for a word of four letters or more. */
const LONGER_WORD = 0.15;
/** A part of a word behind a sign or a change of case, as in `camelCase`. */
const PART = 1.09;
/** A letter beyond the ninth of its part. */
const FAR_LETTER = 0.44;
const CAPITAL_BEHIND_CAPITAL = 0.29;
const NUMBER = 1.19;
const SIGNS = 0.99;
const SIGN = 0.09;
const LINE_END = 1.25;
/** An accent tells of a language other than English, whose plain letters make shorter tokens too. */
const LATIN_ACCENTED = 3.57;
const CYRILLIC_GREEK = 0.65;
const OTHER_SCRIPT = 1.59;
const KANA = 1.11;
const HANGUL = 1.6;
const CJK = 1.21;
const SURROGATE = 1.5;

const enum Kind {
  None,
  Lower,
  Upper,
  Digit,
  Space,
  Line,
  Sign,
  Script,
}

function kindOf(code: number): Kind {
  if (code >= 0x61 && code <= 0x7a) return Kind.Lower;
  if (code >= 0x41 && code <= 0x5a) return Kind.Upper;
  if (code >= 0x30 && code <= 0x39) return Kind.Digit;
  if (code === 0x20) return Kind.Space;
  if (code === 0x0a || code === 0x0d || code === 0x09) return Kind.Line;
  return code < 0x80 ? Kind.Sign : Kind.Script;
}

const KINDS = Uint8Array.from({ length: 128 }, (_, code) => kindOf(code));

function scriptCost(code: number): number {
  if (code < 0x250) return LATIN_ACCENTED;
  if (code < 0x530) return CYRILLIC_GREEK;
  if (code >= 0x3040 && code <= 0x30ff) return KANA;
  if (code >= 0xac00 && code <= 0xd7af) return HANGUL;
  if (code >= 0xd800 && code <= 0xdfff) return SURROGATE;
  return code >= 0x2e80 && code <= 0xffef ? CJK : OTHER_SCRIPT;
}

/** Tokens of a text. */
export function estimateText(text: string): number {
  let tokens = 0;
  let before: Kind = Kind.None;
  let letters = 0; // of the word so far
  let part = 0; // letters of its part so far
  let apart = false; // whether white space, or nothing, stands before the word
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const kind: Kind = code < 0x80 ? KINDS[code] as Kind : Kind.Script;
    if (kind === Kind.Lower || kind === Kind.Upper) {
      const inWord = before === Kind.Lower || before === Kind.Upper;
      if (!inWord) {
        apart = before === Kind.None || before === Kind.Space || before === Kind.Line;
        tokens += apart ? WORD : PART;
        letters = part = 1;
      } else {
        if (++letters === 4 && apart) tokens += LONGER_WORD;
        if (kind === Kind.Upper && before === Kind.Lower) {
          tokens += PART;
          part = 1;
        } else if (kind === Kind.Upper) tokens += CAPITAL_BEHIND_CAPITAL;
        else if (++part > 9) tokens += FAR_LETTER;
      }
    } else if (kind === Kind.Digit) {
      if (before !== Kind.Digit) tokens += NUMBER;
    } else if (kind === Kind.Sign) {
      tokens += before === Kind.Sign ? SIGN : SIGNS + SIGN;
    } else if (kind === Kind.Line) {
      if (before !== Kind.Line) tokens += LINE_END;
    } else if (kind === Kind.Script) tokens += scriptCost(code);
    before = kind;
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
