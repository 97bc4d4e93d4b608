/**
 * Walks JSON in bytes without parsing it: where values begin and end.
 *
 * The bytes must be valid JSON in UTF-8: whoever calls has parsed them already.
 * @module
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

const utf8 = new TextDecoder();

/** A member of an object or list: where its name (if any) begins, and its value. Ends are exclusive. */
export interface Member {
  /** Name of an object's member, unescaped; position of a list's. */
  readonly key: string | number;
  /** Where the member begins: its name's quote, or its value. */
  readonly start: number;
  /** Where its value begins. */
  readonly valueStart: number;
  /** Where its value ends. */
  readonly end: number;
}

/** The offset of the next byte that is no white space. */
export function skipSpace(bytes: Uint8Array, at: number): number {
  while (at < bytes.byteLength) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
    at++;
  }
  return at;
}

/** Strings up to this are looked through: most are names and short words, and a native search costs a call. */
const LOOKED_THROUGH = 32;

/** The offset after a string that begins at `at`. Long strings cost one native search, not a loop. */
export function skipString(bytes: Uint8Array, at: number): number {
  let from = at + 1;
  for (const end = from + LOOKED_THROUGH; from < end; from++) {
    const byte = bytes[from];
    if (byte === QUOTE) return from + 1;
    if (byte === BACKSLASH) from++;
  }
  // An escape at the end of what was looked through is passed over whole: what counts as escaped is told from here.
  const looked = from;
  for (;;) {
    const quote = bytes.indexOf(QUOTE, from);
    if (quote < 0) throw new SyntaxError(`Cannot scan a string that must end: it begins at ${at}`);
    let backslashes = 0;
    while (quote - 1 - backslashes >= looked && bytes[quote - 1 - backslashes] === BACKSLASH) {
      backslashes++;
    }
    if (backslashes % 2 === 0) return quote + 1;
    from = quote + 1;
  }
}

/** The offset after a value that begins at `at`. */
export function skipValue(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  if (first === QUOTE) return skipString(bytes, at);
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) return skipScalar(bytes, at);
  let depth = 0;
  while (at < bytes.byteLength) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = skipString(bytes, at);
      continue;
    }
    at++;
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (--depth === 0) return at;
    }
  }
  throw new SyntaxError("Cannot scan a value that must end: the bytes end before it");
}

function skipScalar(bytes: Uint8Array, at: number): number {
  while (at < bytes.byteLength) {
    const byte = bytes[at] ?? 0;
    if (byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET || byte <= 0x20) break;
    at++;
  }
  return at;
}

/** Names up to this are put together letter by letter: that costs less than a decoder's call. */
const SHORT = 40;

/** Short text of nothing but ASCII, without an escape; undefined if it is other. */
function plainText(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (end - start > SHORT) return undefined;
  let text = "";
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte >= 0x80 || byte === BACKSLASH) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}

/** The string whose quotes stand at `start` and before `end`. */
export function readString(bytes: Uint8Array, start: number, end: number): string {
  const plain = plainText(bytes, start + 1, end - 1);
  if (plain !== undefined) return plain;
  const inner = bytes.subarray(start + 1, end - 1);
  // Escapes are rare in names: only then is it worth a parse.
  return inner.includes(BACKSLASH)
    ? JSON.parse(utf8.decode(bytes.subarray(start, end)))
    : utf8.decode(inner);
}

/** The members of the object or list that begins at `at`; none for any other value. */
export function membersOf(bytes: Uint8Array, at: number): Member[] {
  const members: Member[] = [];
  const isObject = bytes[at] === OPEN_BRACE;
  if (!isObject && bytes[at] !== OPEN_BRACKET) return members;
  at = skipSpace(bytes, at + 1);
  for (let position = 0; bytes[at] !== CLOSE_BRACE && bytes[at] !== CLOSE_BRACKET; position++) {
    const start = at;
    let key: string | number = position;
    if (isObject) {
      const nameEnd = skipString(bytes, at);
      key = readString(bytes, at, nameEnd);
      at = skipSpace(bytes, nameEnd);
      if (bytes[at] !== COLON) {
        throw new SyntaxError(`Cannot scan a member without a colon at ${at}`);
      }
      at = skipSpace(bytes, at + 1);
    }
    const valueStart = at;
    const end = skipValue(bytes, at);
    members.push({ key, start, valueStart, end });
    at = skipSpace(bytes, end);
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1);
  }
  return members;
}
