/**
 * What JSON of a client may be: so deep, so wide. Deeper or wider, its bytes are few and what they cost is not.
 * @module
 */

/** Levels of objects and lists: what walks them calls itself, and the stack has an end. */
export const MOST_LEVELS = 500;

/** Values in one text. The most messages that Anthropic allows, each of one block, are 600,000. */
export const MOST_VALUES = 1_000_000;

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;

/** Whether objects and lists lie more than {@link MOST_LEVELS} deep. Costs a tenth of the parse. */
export function isTooDeep(value: unknown): boolean {
  return typeof value === "object" && value !== null && exceeds(value, MOST_LEVELS);
}

function exceeds(container: object, levels: number): boolean {
  if (levels === 0) return true;
  if (Array.isArray(container)) {
    for (const item of container) {
      if (typeof item === "object" && item !== null && exceeds(item, levels - 1)) return true;
    }
    return false;
  }
  for (const name in container) {
    const member = (container as Record<string, unknown>)[name];
    if (typeof member === "object" && member !== null && exceeds(member, levels - 1)) return true;
  }
  return false;
}

/**
 * Whether a text holds more than {@link MOST_VALUES} values. To be asked before it is parsed: a text of nothing but
 * `[],` takes V8 thirteen times its size and 150 ms a megabyte. Strings are stepped over by one search each.
 */
export function isTooWide(text: Uint8Array): boolean {
  let values = 0;
  for (let at = 0; at < text.byteLength; at++) {
    const byte = text[at];
    if (byte === QUOTE) {
      at = stringEnd(text, at);
      if (at < 0) return false; // no JSON: the parse tells
    } else if (byte === COMMA || byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (++values > MOST_VALUES) return true;
    }
  }
  return false;
}

/** Where the string that begins at `at` has its last quote; -1 if it has none. */
function stringEnd(text: Uint8Array, at: number): number {
  for (let quote = at;;) {
    quote = text.indexOf(QUOTE, quote + 1);
    let backslashes = 0;
    while (text[quote - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return quote;
  }
}
