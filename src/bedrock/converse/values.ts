/**
 * Values of Bedrock's JSON, whatever stands where they should.
 * @module
 */

/** A JSON object. */
export type Json = Readonly<Record<string, unknown>>;

/** The object; an empty one for any other value. */
export function object(value: unknown): Json {
  return typeof value === "object" && value !== null ? value as Json : {};
}

/** A block's index; -1, which no block has, for what is no number. */
export function indexOf(value: unknown): number {
  return typeof value === "number" ? value : -1;
}

/** The text; an empty one for any other value. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
