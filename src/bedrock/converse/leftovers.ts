/**
 * Names what of a message, a block or a tool Converse has no place for, so that nothing is lost in silence.
 * @module
 */

/** What is said, by kind of block; `type` and `cache_control` are said of all. */
const SAID: Readonly<Record<string, readonly string[]>> = {
  text: ["text", "citations"],
  image: ["source"],
  document: ["source", "title", "context", "citations"],
  search_result: ["source", "title", "content", "citations"],
  thinking: ["thinking", "signature"],
  redacted_thinking: ["data"],
  tool_use: ["id", "name", "input"],
  tool_result: ["tool_use_id", "content", "is_error"],
  "messages[]": ["role", "content", "clear_at"],
  "tools[]": ["name", "description", "input_schema", "strict"],
  metadata: ["user_id"],
};

/** An answer's own note that the model itself called the tool: the only way a tool is called here. */
function isDirectCall(field: string, value: unknown): boolean {
  return field === "caller" && (value as { type?: unknown }).type === "direct";
}

/**
 * Adds the names of fields that are not said, e.g. `tool_use.caller`.
 *
 * @param kind The block's type, or `messages[]`, `tools[]`, `metadata`
 */
export function nameLeftovers(
  kind: string,
  value: Readonly<Record<string, unknown>>,
  dropped: Set<string>,
): void {
  const said = Object.hasOwn(SAID, kind) ? SAID[kind] : undefined;
  if (said === undefined) return;
  for (const [field, inner] of Object.entries(value)) {
    if (inner === undefined || inner === null || field === "type" || field === "cache_control") {
      continue;
    }
    if (!said.includes(field) && !isDirectCall(field, inner)) dropped.add(`${kind}.${field}`);
  }
}
