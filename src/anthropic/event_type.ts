/**
 * The type of an event, told by its first bytes.
 * @module
 */
import { codesOf, standsAt } from "../bytes.ts";

const decoder = new TextDecoder();

const TYPE_START = codesOf('{"type":"');

/** Types by their letters, with the quote behind them: a stream is mostly one kind of event, and has a handful. */
const knownTypes: { readonly type: string; readonly codes: readonly number[] }[] = [];
const MOST_KNOWN = 16;

/** A type that was read before, told by its bytes. */
function knownType(bytes: Uint8Array): string | undefined {
  if (!standsAt(bytes, 0, TYPE_START)) return undefined;
  for (const known of knownTypes) {
    if (standsAt(bytes, TYPE_START.length, known.codes)) return known.type;
  }
  return undefined;
}

const TYPE_FIRST = /^\s*\{\s*"type"\s*:\s*"([A-Za-z0-9_.-]+)"/;

/**
 * The `type` of an event's JSON: read off its first bytes where it stands there, as it does in what Bedrock
 * sends; else by parsing. Empty when it has none.
 */
export function typeOf(bytes: Uint8Array): string {
  const known = knownType(bytes);
  if (known !== undefined) return known;
  const type = TYPE_FIRST.exec(decoder.decode(bytes.subarray(0, 64)))?.[1];
  if (type !== undefined) {
    if (knownTypes.length < MOST_KNOWN) {
      knownTypes.push({ type, codes: codesOf(`${type}"`) });
    }
    return type;
  }
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes));
    const found = typeof value === "object" && value !== null && "type" in value ? value.type : "";
    return typeof found === "string" ? found : "";
  } catch {
    return ""; // no JSON, so no event of ours: whoever asked decides
  }
}
