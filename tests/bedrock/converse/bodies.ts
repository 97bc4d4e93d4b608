/**
 * Bodies as clients send them, generated: odd, but none that ought to be refused.
 * @module
 */
import fc from "fast-check";
import { SYNTHETIC_SIGNATURE_PREFIX } from "../../../src/bedrock/converse/signature.ts";

/** A model of each family and generation. */
const MODELS = [
  "anthropic.claude-haiku-4-5-20251001-v1:0",
  "anthropic.claude-sonnet-4-20250514-v1:0",
  "anthropic.claude-opus-5-5",
  "amazon.nova-2-lite-v1:0",
  "amazon.nova-pro-v1:0",
  "amazon.titan-text-express-v1",
  "openai.gpt-oss-120b-1:0",
  "openai.gpt-5.6-sol",
  "xai.grok-4.7",
  "deepseek.v3.2",
  "deepseek.r1-v1:0",
  "qwen.qwen3-coder-next",
  "moonshotai.kimi-k3",
  "meta.llama4-scout-17b-instruct-v1:0",
  "mistral.mistral-7b-instruct-v0:2",
  "mistral.mistral-large-2407-v1:0",
  "mistral.mistral-large-3-675b-instruct",
  "writer.palmyra-x5-v1:0",
  "sim.echo",
];
/** Those for which a request with tools is refused. */
const TOOLLESS = /titan|mistral-7b|deepseek\.r1/;

const words = fc.oneof(
  fc.constantFrom("", " ", "\n\t", "go on", "ünïcode ✓ ", "trailing "),
  fc.string({ maxLength: 12 }),
);
const mark = fc.option(fc.constant({ type: "ephemeral" }), { nil: undefined, freq: 6 });

/** Leaves absent fields out: a body that was parsed has no undefined. */
function record(fields: Record<string, fc.Arbitrary<unknown>>) {
  return fc.record(fields).map((value): Record<string, unknown> =>
    Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined))
  );
}

const text = record({ type: fc.constant("text"), text: words, cache_control: mark });
const image = record({
  type: fc.constant("image"),
  source: fc.constantFrom(
    { type: "base64", media_type: "image/jpg", data: "/9j/4AAQ" },
    { type: "base64", media_type: "image/webp", data: "iVBORw0KGgo=" },
  ),
  cache_control: mark,
});
const document = record({
  type: fc.constant("document"),
  source: fc.constantFrom<unknown>(
    { type: "base64", media_type: "application/pdf", data: "JVBERi0=" },
    { type: "text", media_type: "text/plain", data: "plain" },
    { type: "content", content: [{ type: "text", text: "part" }] },
  ),
  title: fc.option(fc.oneof(fc.constantFrom("a_b.pdf", "notes"), fc.string()), { nil: undefined }),
  citations: fc.constantFrom(undefined, { enabled: true }),
});
const search = fc.constant({
  type: "search_result",
  source: "https://example.com",
  title: "t",
  content: [{ type: "text", text: "found" }],
});
const thinking = fc.constantFrom<unknown>(
  { type: "thinking", thinking: "hm", signature: "c2ln" },
  { type: "thinking", thinking: "", signature: "c2ln" },
  { type: "thinking", thinking: "hm", signature: "" },
  { type: "thinking", thinking: "hm", signature: `${SYNTHETIC_SIGNATURE_PREFIX}x` },
  { type: "redacted_thinking", data: "b3BhcXVl" },
);
const toolName = fc.constantFrom("Read", `mcp__srv__${"x".repeat(100)}`, "a.b/c d", "ünï");
const result = fc.oneof(
  words,
  fc.array(fc.oneof<fc.Arbitrary<unknown>[]>(text, image, document, search), { maxLength: 3 }),
);

/** More than four marks are refused: further ones are taken out, in the order of the text. */
export function withFourMarks<T>(value: T): T {
  let left = 4;
  return JSON.parse(
    JSON.stringify(
      value,
      (name, inner) => name === "cache_control" && --left < 0 ? undefined : inner,
    ),
  );
}

/** A message of a body. */
export interface Message {
  /** Whose. */
  readonly role: string;
  /** Text or blocks. */
  readonly content: unknown;
}

type Step = (id: string) => Message[];

const callStep: fc.Arbitrary<Step> = fc.record({
  before: fc.array(fc.oneof<fc.Arbitrary<unknown>[]>(thinking, text), { maxLength: 2 }),
  calls: fc.array(
    fc.record({ name: toolName, result, failed: fc.boolean(), marked: mark }),
    { minLength: 1, maxLength: 3 },
  ),
  first: fc.array(fc.oneof(text, image), { maxLength: 2 }),
  aside: fc.option(words, { nil: undefined }),
}).map(({ before, calls, first, aside }) => (id) => {
  const idOf = (at: number) => `${id}/${at} ${"i".repeat(70)}`;
  const uses = calls.map(({ name }, at) => ({
    type: "tool_use",
    id: idOf(at),
    name,
    input: { at },
  }));
  const results = calls.map(({ result, failed, marked }, at) => ({
    type: "tool_result",
    tool_use_id: idOf(at),
    content: result,
    is_error: failed,
    ...(marked === undefined ? {} : { cache_control: marked }),
  }));
  return [
    { role: "assistant", content: [...before, ...uses] },
    ...(aside === undefined ? [] : [{ role: "system", content: aside }]),
    { role: "user", content: [...first, ...results.toReversed()] },
  ];
});

function say(role: string, ...blocks: fc.Arbitrary<unknown>[]): fc.Arbitrary<Step> {
  return fc.oneof(words, fc.array(fc.oneof(...blocks), { maxLength: 3 }))
    .map((content) => () => [{ role, content }]);
}

/** Messages, as clients may send them. */
export const conversation: fc.Arbitrary<Message[]> = fc.array(
  fc.oneof(
    say("user", text, image, document, search),
    say("assistant", text, thinking),
    say("system", text),
    callStep,
  ),
  { maxLength: 6 },
).map((steps) => [
  ...steps.flatMap((step, index) => step(`toolu_${index}`)),
  { role: "user", content: "the end" },
]);

const tool = record({
  name: toolName,
  description: fc.constantFrom(undefined, "", "does"),
  input_schema: fc.constant({ type: "object", additionalProperties: false }),
  cache_control: mark,
});
const body = record({
  messages: conversation,
  system: fc.option(fc.oneof(words, fc.array(text, { maxLength: 3 })), { nil: undefined }),
  tools: fc.option(
    fc.uniqueArray(tool, { maxLength: 3, selector: ({ name }) => name }),
    { nil: undefined },
  ),
  tool_choice: fc.constantFrom(undefined, { type: "any" }, { type: "none" }, { type: "auto" }),
  temperature: fc.constantFrom(undefined, 0, 0.5),
  top_p: fc.constantFrom(undefined, 0.9),
  top_k: fc.constantFrom(undefined, 40),
  stop_sequences: fc.constantFrom(undefined, [], ["</block>", ""]),
  thinking: fc.constantFrom(
    undefined,
    { type: "disabled" },
    { type: "adaptive" },
    { type: "enabled", budget_tokens: 8000 },
  ),
  output_config: fc.constantFrom(undefined, null, { effort: "low" }, { effort: null }),
  metadata: fc.constantFrom(undefined, { user_id: '{"device_id":"a"}' }),
  max_tokens: fc.constantFrom(0, 1, 32_000),
});
/** A body, and the model that is asked. */
export interface Asked {
  /** Foundation model id. */
  readonly model: string;
  /** All of the body but the model. */
  readonly body: Record<string, unknown>;
}

/** Bodies of all that clients may send, for models of every kind. */
export const asked: fc.Arbitrary<Asked> = fc.record({ model: fc.constantFrom(...MODELS), body })
  .map(({ model, body }) => {
    const { tools: _, ...rest } = body;
    return { model, body: withFourMarks(TOOLLESS.test(model) ? rest : body) };
  });
