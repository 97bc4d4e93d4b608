/**
 * Conversations for round trips, generated.
 * @module
 */
import fc from "fast-check";
import { signatureOf } from "../../../src/simulator/plan.ts";
import type { Json } from "./build.ts";

const words = fc.string({ minLength: 1, maxLength: 20, unit: "grapheme" })
  .map((text) => `${text}.`);
const mark = fc.option(
  fc.constantFrom({ type: "ephemeral" }, { type: "ephemeral", ttl: "5m" }),
  { nil: undefined, freq: 12 },
);
const bytes = fc.uint8Array({ minLength: 1, maxLength: 12 }).map((data) => data.toBase64());

/** Leaves absent fields out: a body that was parsed has no undefined. */
export function present(value: Json): Json {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined));
}

const text = fc.record({ type: fc.constant("text"), text: words, cache_control: mark }).map(
  present,
);
const PNG = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0]).toBase64();
const image = fc.constant({
  type: "image",
  source: { type: "base64", media_type: "image/png", data: PNG },
});
const document = fc.record({
  type: fc.constant("document"),
  source: fc.oneof<fc.Arbitrary<unknown>[]>(
    bytes.map((data) => ({ type: "base64", media_type: "application/pdf", data })),
    words.map((data) => ({ type: "text", media_type: "text/plain", data })),
    fc.array(words.map((one) => ({ type: "text", text: one })), { minLength: 1, maxLength: 2 })
      .map((content) => ({ type: "content", content })),
  ),
  context: fc.option(words, { nil: undefined }),
  citations: fc.constantFrom(undefined, { enabled: true }),
}).map(present);
const search = fc.record({
  type: fc.constant("search_result"),
  source: words,
  title: words,
  content: fc.array(words.map((one) => ({ type: "text", text: one })), {
    minLength: 1,
    maxLength: 2,
  }),
  citations: fc.constantFrom(undefined, { enabled: true }),
}).map(present);
const citation = fc.record({ at: fc.nat(9), cited_text: words, title: words }).chain((
  { at, cited_text, title },
) =>
  fc.constantFrom<Json>(
    {
      type: "char_location",
      document_index: at,
      document_title: title,
      start_char_index: at,
      end_char_index: at + 1,
      file_id: null,
      cited_text,
    },
    {
      type: "page_location",
      document_index: at,
      document_title: title,
      start_page_number: at,
      end_page_number: at + 1,
      file_id: null,
      cited_text,
    },
    {
      type: "content_block_location",
      document_index: at,
      document_title: title,
      start_block_index: at,
      end_block_index: at + 1,
      file_id: null,
      cited_text,
    },
    {
      type: "search_result_location",
      search_result_index: at,
      source: "https://example.com",
      title,
      start_block_index: at,
      end_block_index: at + 1,
      cited_text,
    },
  )
);
const cited = fc.record({
  type: fc.constant("text"),
  citations: fc.array(citation, { minLength: 1, maxLength: 2 }),
  text: words,
});
const thinking = fc.oneof<fc.Arbitrary<Json>[]>(
  // The simulator refuses reasoning that it would not have signed so.
  words.map((thought) => ({
    type: "thinking",
    thinking: thought,
    signature: signatureOf(thought),
  })),
  fc.record({ type: fc.constant("redacted_thinking"), data: bytes }),
);
const toolName = fc.constantFrom("Read", `mcp__server__${"x".repeat(90)}`, "with.dots/and more");

/** One turn, its content as blocks. */
export interface Turn {
  /** Whose. */
  readonly role: string;
  /** Its blocks. */
  readonly content: readonly Json[];
}

const exchange = fc.record({
  asked: fc.array(fc.oneof<fc.Arbitrary<Json>[]>(text, image, document, search), { maxLength: 3 }),
  question: words,
  thought: fc.array(thinking, { maxLength: 2 }),
  said: fc.array(fc.oneof<fc.Arbitrary<Json>[]>(text, cited), { minLength: 1, maxLength: 2 }),
  calls: fc.array(
    fc.record({
      name: toolName,
      input: fc.dictionary(
        fc.string({ minLength: 1, maxLength: 5 }),
        fc.jsonValue({ maxDepth: 2 }),
      ),
      result: fc.array(fc.oneof<fc.Arbitrary<Json>[]>(text, image), { minLength: 1, maxLength: 2 }),
      failed: fc.boolean(),
    }),
    { maxLength: 2 },
  ),
});

/** Conversations of all that Anthropic and Converse can both say, each in its plainest form. */
export const conversation: fc.Arbitrary<Turn[]> = fc.array(exchange, { minLength: 1, maxLength: 3 })
  .map(
    (exchanges): Turn[] => {
      let documents = 0;
      const turns = exchanges.flatMap(({ asked, question, thought, said, calls }, at) => {
        const titled = asked.map((block) =>
          block.type === "document" ? { ...block, title: `Notes ${++documents}` } : block
        );
        const ids = calls.map((_, index) => `toolu_${at}_${index}`);
        const uses = calls.map(({ name, input }, index) => ({
          type: "tool_use",
          id: ids[index],
          name,
          input,
        }));
        const results = calls.map(({ result, failed }, index) => ({
          type: "tool_result",
          tool_use_id: ids[index],
          content: result.map(({ cache_control: _, ...block }) => block),
          ...(failed && result.every(({ type }) => type === "text") ? { is_error: true } : {}),
        }));
        const user = { role: "user", content: [...titled, { type: "text", text: question }] };
        const assistant = { role: "assistant", content: [...thought, ...said, ...uses] };
        if (results.length === 0) return [user, assistant];
        const after = { role: "assistant", content: [{ type: "text", text: "Done." }] };
        return [user, assistant, { role: "user", content: results }, after];
      });
      return withFourMarks(turns);
    },
  );

/** More marks than four would be refused. */
function withFourMarks(turns: Turn[]): Turn[] {
  let left = 4;
  return JSON.parse(
    JSON.stringify(
      turns,
      (key, value) => key === "cache_control" && --left < 0 ? undefined : value,
    ),
  );
}
