/**
 * What clients send: a small request, and one as Claude Code sends it in the middle of its work.
 * @module
 */

/** A request's body: small, for a model, streamed or not. */
export function smallBody(model: string, stream: boolean): string {
  return JSON.stringify({
    model,
    stream,
    max_tokens: 1_024,
    messages: [{ role: "user", content: "Say in one line what a gateway is for." }],
  });
}

const SENTENCES = [
  "Reads a file from the local filesystem; the path must be absolute, not relative.",
  "Use this tool when you need to find where a symbol is defined or used before you change it.",
  "Results are returned in `cat -n` form, with line numbers that start at 1.\n",
  "You must have read the file at least once in the conversation before you edit it.",
  "The command times out after 120000 ms unless `timeout` says otherwise.\n\n- Never use `-i` flags.",
  'Prefer ripgrep: "pattern" is a regular expression, e.g. `log.*Error`, `function\\s+\\w+`.',
];
const CODE = [
  'import { readFile } from "node:fs/promises";',
  "export async function loadConfig(path: string): Promise<Config> {",
  '  const text = await readFile(path, "utf8");',
  "  const parsed = parse(text, { strict: true });",
  "  if (parsed.version !== 2) {",
  "    throw new RangeError(`version: must be 2: it is ${parsed.version}`);",
  "  }",
  "  return Object.freeze({ ...DEFAULTS, ...parsed });",
  "}",
  "",
  "// What is not in the cache is fetched once, however many ask for it.",
  "const pending = new Map<string, Promise<Entry>>();",
];

/** Lines of a text, taken in turn. */
function textOf(lines: readonly string[], size: number, from: number): string {
  let text = "";
  for (let at = from; text.length < size; at++) {
    text += `${lines === CODE ? `${at - from + 1}\t` : ""}${lines[at % lines.length]}\n`;
  }
  return text.slice(0, size);
}

function toolOf(index: number): unknown {
  const names = ["path", "pattern", "command", "limit", "timeout", "description"];
  const properties = Object.fromEntries(names.map((name, at) => [name, {
    type: at > 2 ? "number" : "string",
    description: SENTENCES[(index + at) % SENTENCES.length],
    ...(at === 0 ? {} : { default: at }),
  }]));
  return {
    name: `Tool${index}`,
    description: textOf(SENTENCES, 900 + 60 * index, index),
    input_schema: {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      type: "object",
      properties,
      required: names.slice(0, 2),
      additionalProperties: false,
    },
  };
}

function turnOf(index: number, size: number): unknown[] {
  const id = `toolu_${String(index).padStart(8, "0")}`;
  return [
    {
      role: "assistant",
      content: [
        { type: "text", text: `I will look at file ${index} before I change it.` },
        {
          type: "tool_use",
          id,
          name: `Tool${index % 24}`,
          input: { path: `/srv/app/src/part_${index}.ts`, pattern: "export\\s+async", limit: 200 },
        },
      ],
    },
    {
      role: "user",
      content: [{
        tool_use_id: id,
        type: "tool_result",
        content: [{ type: "text", text: textOf(CODE, size, index) }],
      }],
    },
  ];
}

/** `anthropic-beta` of Claude Code. */
export const CLAUDE_CODE_BETAS =
  "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,prompt-caching-scope-2026-01-05,effort-2025-11-24";

/**
 * A request as Claude Code sends it: instructions, 24 tools, a conversation of tool calls and what they gave.
 *
 * @param size Bytes, near enough
 */
export function claudeCodeBody(model: string, size: number): string {
  const request = {
    model,
    stream: true,
    max_tokens: 32_000,
    thinking: { type: "adaptive" },
    context_management: { edits: [{ type: "clear_thinking_20251015", keep: "all" }] },
    output_config: { effort: "medium" },
    metadata: { user_id: JSON.stringify({ device_id: "1f85".repeat(16), session_id: "bench" }) },
    system: [
      { type: "text", text: "You are Claude Code, Anthropic's official CLI for Claude." },
      {
        type: "text",
        text: textOf(SENTENCES, 12_000, 3),
        cache_control: { type: "ephemeral", scope: "global" },
      },
    ],
    tools: Array.from({ length: 24 }, (_, index) => toolOf(index)),
    messages: [{
      role: "user",
      content: [
        {
          type: "text",
          text: `<system-reminder>\n${textOf(SENTENCES, 2_000, 1)}</system-reminder>`,
        },
        { type: "text", text: "Make the loader refuse versions it does not know — all of them." },
      ],
    }],
  };
  const messages: unknown[] = request.messages;
  const empty = JSON.stringify(request).length;
  const turn = 3_600;
  for (let at = 0; at < (size - empty) / (turn + 450); at++) messages.push(...turnOf(at, turn));
  const last = (messages.at(-1) as { content: Record<string, unknown>[] }).content[0];
  if (last !== undefined) last.cache_control = { type: "ephemeral" };
  return JSON.stringify(request);
}
