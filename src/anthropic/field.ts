/**
 * Checks of single fields of a body, with errors in Anthropic's manner: the field's path, then what it should be.
 * @module
 */
import { ApiError } from "./error.ts";

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Throws the error of a field, e.g. `max_tokens: Field required`. */
export function refuse(path: string, message: string): never {
  throw new ApiError("invalid_request_error", `${path}: ${message}`);
}

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An object, or refused. */
export function checkObject(value: unknown, path: string): JsonObject {
  if (value === undefined) return refuse(path, "Field required");
  return isObject(value) ? value : refuse(path, "Input should be a valid dictionary");
}

/** A list, or refused. */
export function checkList(value: unknown, path: string): readonly unknown[] {
  if (value === undefined) return refuse(path, "Field required");
  return Array.isArray(value) ? value : refuse(path, "Input should be a valid list");
}

/** A string, or refused. */
export function checkString(value: unknown, path: string): string {
  if (value === undefined) return refuse(path, "Field required");
  return typeof value === "string" ? value : refuse(path, "Input should be a valid string");
}

/** A string that is not empty, or refused. */
export function checkName(value: unknown, path: string): string {
  const text = checkString(value, path);
  return text === "" ? refuse(path, "String should have at least 1 character") : text;
}

/** A truth value or nothing, or refused. */
export function checkOptionalBoolean(value: unknown, path: string): void {
  if (value === undefined || typeof value === "boolean") return;
  refuse(path, "Input should be a valid boolean");
}

/** A whole number of at least `least`, or refused. */
export function checkInteger(value: unknown, path: string, least: number): number {
  if (value === undefined) return refuse(path, "Field required");
  if (typeof value !== "number" || !Number.isSafeInteger(value)) {
    return refuse(path, "Input should be a valid integer");
  }
  return value < least ? refuse(path, `Input should be greater than or equal to ${least}`) : value;
}

/** A number in [`least`, `most`] or nothing, or refused. */
export function checkOptionalNumber(
  value: unknown,
  path: string,
  least: number,
  most: number,
): void {
  if (value === undefined || value === null) return;
  if (typeof value !== "number") return refuse(path, "Input should be a valid number");
  if (value < least) return refuse(path, `Input should be greater than or equal to ${least}`);
  if (value > most) return refuse(path, `Input should be less than or equal to ${most}`);
}

/** One of some words, or refused. */
export function checkOneOf(value: unknown, path: string, words: readonly string[]): string {
  if (value === undefined) return refuse(path, "Field required");
  if (typeof value === "string" && words.includes(value)) return value;
  const quoted = words.map((word) => `'${word}'`);
  const last = quoted.pop();
  return refuse(
    path,
    `Input should be ${quoted.length === 0 ? last : `${quoted.join(", ")} or ${last}`}`,
  );
}
