/**
 * Where a body asks for structured output.
 *
 * Source: Anthropic API reference, structured outputs ([T]).
 * @module
 */
import type { MessagesRequest } from "../../anthropic/types.ts";

/** The field that asks for a format; undefined if none does. */
export function askedAt({ output_config, output_format }: MessagesRequest): string | undefined {
  const given = (value: unknown) => value !== undefined && value !== null;
  if (given(output_config?.format)) return "output_config.format";
  return given(output_format) ? "output_format" : undefined; // its name before it moved
}

/** Whether a body asks for a format. */
export function asksForFormat(body: MessagesRequest): boolean {
  return askedAt(body) !== undefined;
}
