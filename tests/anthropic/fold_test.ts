/** What a fold makes of endings, and of streams that are not whole. */
import assert from "node:assert/strict";
import { WireEvent } from "../../src/anthropic/event.ts";
import { expandMessage } from "../../src/anthropic/expand.ts";
import { Folder, foldEvents } from "../../src/anthropic/fold.ts";
import { encodeBatch } from "../../src/anthropic/sse.ts";
import { SseReader } from "../../src/anthropic/sse_reader.ts";
import type { AnthropicEvent, Message } from "../../src/anthropic/types.ts";

const START: AnthropicEvent = {
  type: "message_start",
  message: {
    id: "m",
    type: "message",
    role: "assistant",
    model: "x",
    content: [],
    stop_reason: null,
    stop_sequence: null,
    context_management: null,
    usage: { input_tokens: 9, output_tokens: 1, cache_read_input_tokens: 5 },
  },
};
const STOP: AnthropicEvent = { type: "message_stop" };

/** An ending as JSON tells it, whose counts may be null (Anthropic API reference, MessageDeltaUsage). */
function ending(beside: Record<string, unknown>): AnthropicEvent {
  const delta = { stop_reason: "end_turn", stop_sequence: null };
  return JSON.parse(JSON.stringify({ type: "message_delta", delta, ...beside }));
}

Deno.test("foldEvents() keeps counts of the beginning that the ending gives as null", () => {
  const usage = {
    input_tokens: null,
    cache_read_input_tokens: null,
    output_tokens: 3,
    server_tool_use: null,
  };
  assert.deepEqual(foldEvents([START, ending({ usage }), STOP])?.usage, {
    input_tokens: 9,
    cache_read_input_tokens: 5,
    output_tokens: 3,
    server_tool_use: null,
  });
});

Deno.test("foldEvents() takes fields beside the delta into the message", () => {
  const context_management = { applied_edits: [{ type: "clear_thinking_20251015" }] };
  const given = ending({ usage: { output_tokens: 3 }, context_management, novel: 1 });
  const folded = foldEvents([START, given, STOP]);
  assert.deepEqual(folded?.context_management, context_management);
  assert.equal(folded?.novel, 1);
  assert.equal(folded?.type, "message");
});

const TOOL: AnthropicEvent[] = [
  {
    type: "content_block_start",
    index: 0,
    content_block: { type: "tool_use", id: "t", name: "n", input: {} },
  },
  {
    type: "content_block_delta",
    index: 0,
    delta: { type: "input_json_delta", partial_json: '{"a":1}' },
  },
];

Deno.test("Folder gives no message rather than a tool without its input, when the block was not closed", () => {
  const end = ending({ usage: { output_tokens: 3 } });
  const folder = new Folder();
  for (const event of [START, ...TOOL, end, STOP]) folder.push(event);
  assert.equal(folder.message(), undefined);
  assert.match(folder.failure ?? "", /block 0 that was not finished/);
  const closed: AnthropicEvent = { type: "content_block_stop", index: 0 };
  assert.deepEqual(foldEvents([START, ...TOOL, closed, end, STOP])?.content[0]?.input, { a: 1 });
});

Deno.test("Folder gives no message of an ending without a beginning", () => {
  const folder = new Folder();
  for (const event of [ending({ usage: { output_tokens: 3 } }), STOP]) folder.push(event);
  assert.equal(folder.message(), undefined);
  assert.match(folder.failure ?? "", /before the beginning/);
});

for (const lineEnd of ["\n", "\r\n", "\r"]) {
  const shown = JSON.stringify(lineEnd);
  Deno.test(`encodeBatch() keeps an event whole whose JSON came on several lines, ended by ${shown}`, () => {
    const bytes = new TextEncoder().encode(`{"type":"novel",${lineEnd}"n":1.0}`);
    const events = [WireEvent.fromBytes("novel", bytes), WireEvent.from(STOP)];
    const again: WireEvent[] = [];
    new SseReader().push(encodeBatch(events), again);
    assert.deepEqual(again.map(({ value }) => value), [{ type: "novel", n: 1 }, STOP]);
    assert.ok(again[0]?.text.includes("1.0"));
  });
}

const CASES = new URL("../cases/", import.meta.url);

function isMessage(value: unknown): value is Message {
  const { type, content, stop_reason } = value as Partial<Message>;
  return type === "message" && Array.isArray(content) && stop_reason !== null;
}

/** Every whole answer of the data cases, on either side, that leaves nothing open. */
function* messagesOfCases(): Generator<[where: string, message: Message]> {
  for (const area of Deno.readDirSync(CASES)) {
    for (const { name } of Deno.readDirSync(new URL(`${area.name}/`, CASES))) {
      for (const side of ["bedrock", "expected"]) {
        const where = `${area.name}/${name}/${side}.json`;
        const found: Message[] = [];
        try {
          JSON.parse(Deno.readTextFileSync(new URL(where, CASES)), (_, value) => {
            if (typeof value?.$re === "string") return value.$re; // any text will do
            const whole = typeof value === "object" && value !== null && isMessage(value);
            if (whole && !JSON.stringify(value).includes('"$any"')) found.push(value);
            return value;
          });
        } catch (error) {
          if (!(error instanceof Deno.errors.NotFound)) throw error; // some never reach Bedrock
        }
        for (const message of found) yield [where, message];
      }
    }
  }
}

Deno.test("folding what each message of the data cases expands to gives it back", () => {
  let count = 0;
  for (const [where, message] of messagesOfCases()) {
    assert.deepEqual(foldEvents(expandMessage(message)), message, where);
    count++;
  }
  assert.ok(count > 200, `${count} messages`);
});
