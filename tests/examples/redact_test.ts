/** `examples/plugins/redact.ts`: personal data does not reach the model, nor come back from it, however it is cut. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parseScript } from "../../src/simulator/simulator.ts";
import { type Harness, parseSse, type SseEvent, withHarness } from "../harness.ts";
import { checkAsyncProperty } from "../seed.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const CONFIG = `plugins:
  - use: auth
  - use: ./examples/plugins/redact.ts
    with: { patterns: [ { name: ticket, pattern: "TCK-[0-9]{6}", longest: 10 }, { name: case, pattern: "§ ?[0-9]+/[a-z]{2}", longest: 20 } ] }
`;

/** Texts, and what becomes of them. 4111… and 5500… are the card networks' own test numbers. */
const TEXTS: readonly (readonly [text: string, wanted: string])[] = [
  ["Write to anna.b+x@mail.example.org, please", "Write to [email], please"],
  ["a@b.co", "[email]"],
  ["not@ an address, nor @handle", "not@ an address, nor @handle"],
  ["Pay 4111 1111 1111 1111 now", "Pay [card] now"],
  ["Pay 5500-0000-0000-0004.", "Pay [card]."],
  ["No card: 4111 1111 1111 1112", "No card: 4111 1111 1111 1112"],
  ["Call +49 (0)30 1234-567 or +14155550132!", "Call [phone] or [phone]!"],
  ["To DE89 3704 0044 0532 0130 00 today", "To [iban] today"],
  ["GB29NWBK60161331926819", "[iban]"],
  ["Under § 123/ab, not § 12/a", "Under [case], not § 12/a"],
  ["See TCK-123456 and TCK-12345", "See [ticket] and TCK-12345"],
  [
    "2026-11-25 10:00, 192.168.0.1, 3.14159265358979",
    "2026-11-25 10:00, 192.168.0.1, 3.14159265358979",
  ],
];

const ask = (content: unknown, more: object = {}) => ({
  model: "claude-sonnet-4-5",
  max_tokens: 100,
  messages: [{ role: "user", content }],
  ...more,
});

async function sentFor({ post, simulator }: Harness, body: object): Promise<string> {
  const response = await post(body);
  assert.equal(response.status, 200, await response.text());
  return simulator.requests.at(-1)?.text ?? "";
}

Deno.test("texts, results, inputs, documents and the system prompt leave without personal data", async () => {
  await withHarness({ config: CONFIG, base: ROOT }, async (harness) => {
    for (const [text, wanted] of TEXTS) {
      const sent = JSON.parse(await sentFor(harness, ask(text, { system: text })));
      assert.equal(sent.messages[0].content, wanted);
      assert.equal(sent.system, wanted);
    }
    const email = "anna@example.org";
    const sent = await sentFor(harness, {
      ...ask("x"),
      system: [{ type: "text", text: email }],
      tools: [{ name: "t", input_schema: { type: "object" } }],
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: email },
            { type: "document", source: { type: "text", media_type: "text/plain", data: email } },
          ],
        },
        {
          role: "assistant",
          content: [
            { type: "tool_use", id: "toolu_1", name: "t", input: { to: [email], n: 12 } },
            { type: "tool_use", id: "toolu_2", name: "t", input: {} },
          ],
        },
        {
          role: "user",
          content: [
            { type: "tool_result", tool_use_id: "toolu_1", content: `sent to ${email}` },
            {
              type: "tool_result",
              tool_use_id: "toolu_2",
              content: [{ type: "text", text: email }],
            },
          ],
        },
      ],
    });
    assert.ok(!sent.includes(email), sent);
    assert.equal(sent.split("[email]").length - 1, 6);
    assert.ok(sent.includes('"id":"toolu_1"') && sent.includes('"n":12'));
  });
});

interface Block {
  readonly start: object;
  readonly deltas: readonly object[];
}

/** Lets the model answer so: its blocks, in events just as they are here. */
function script({ simulator }: Harness, blocks: readonly Block[]): void {
  const events = blocks.flatMap(({ start, deltas }, index) => [
    { type: "content_block_start", index, content_block: start },
    ...deltas.map((delta) => ({ type: "content_block_delta", index, delta })),
    { type: "content_block_stop", index },
  ]);
  const usage = { input_tokens: 1, output_tokens: 1 };
  const message = {
    ...{ id: "msg_1", type: "message", role: "assistant", model: "m", content: [] },
    ...{ stop_reason: null, stop_sequence: null, usage },
  };
  const delta = { stop_reason: "end_turn", stop_sequence: null };
  simulator.script(parseScript({
    anthropic: [
      { type: "message_start", message },
      ...events,
      { type: "message_delta", delta, usage },
      { type: "message_stop" },
    ],
  }));
}

const START = { type: "text", text: "" };
const textDelta = (text: string) => ({ type: "text_delta", text });
const inputDelta = (partial_json: string) => ({ type: "input_json_delta", partial_json });

async function eventsFor(harness: Harness, blocks: readonly Block[]): Promise<SseEvent[]> {
  script(harness, blocks);
  const response = await harness.post(ask("hi", { stream: true }));
  const events = parseSse(await response.text());
  assert.equal(events.at(-1)?.event, "message_stop");
  return events;
}

type DeltaOf = Readonly<Record<string, string>>;

function deltasIn(events: readonly SseEvent[], type: string): DeltaOf[] {
  return events.map(({ data }) => data.delta as DeltaOf | undefined)
    .filter((delta): delta is DeltaOf => delta?.["type"] === type);
}

function textIn(events: readonly SseEvent[]): string {
  return deltasIn(events, "text_delta").map(({ text }) => text).join("");
}

/** The text in parts that end at these places. */
function cut(text: string, places: readonly number[]): string[] {
  const ends = [...new Set([...places.map((place) => place % text.length), text.length])]
    .filter((end) => end > 0).sort((a, b) => a - b);
  return ends.map((end, index) => text.slice(ends[index - 1] ?? 0, end));
}

Deno.test("an answer is replaced the same however its text is cut into events", async () => {
  const pieces = [...TEXTS.map(([text]) => text), "+", "4", "A", " ", ".", "@", "1234 ", "\n"];
  await withHarness({ config: CONFIG, base: ROOT }, async (harness) => {
    await checkAsyncProperty(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 5 }),
        fc.array(fc.nat(), { maxLength: 40 }),
        async (chosen, places) => {
          const text = chosen.join("");
          const whole = await eventsFor(harness, [{ start: START, deltas: [textDelta(text)] }]);
          const parts = cut(text, places).map(textDelta);
          const streamed = await eventsFor(harness, [{ start: START, deltas: parts }]);
          assert.equal(textIn(streamed), textIn(whole));
        },
      ),
      200,
    );
    for (const [text, wanted] of TEXTS) {
      const deltas = [...text].map(textDelta);
      assert.equal(textIn(await eventsFor(harness, [{ start: START, deltas }])), wanted);
    }
  });
});

Deno.test("a text without personal data is held for a word at most", async () => {
  const words = ["Nothing ", "to ", "see ", "here, ", "really."];
  const config = "plugins: [ { use: auth }, { use: ./examples/plugins/redact.ts } ]\n";
  await withHarness({ config, base: ROOT }, async (harness) => {
    const events = await eventsFor(harness, [{ start: START, deltas: words.map(textDelta) }]);
    assert.deepEqual(deltasIn(events, "text_delta").map(({ text }) => text), words);
  });
});

Deno.test("a tool's input is replaced where it is personal, and else passed on as it was written", async () => {
  await withHarness({ config: CONFIG, base: ROOT }, async (harness) => {
    const start = { type: "tool_use", id: "toolu_1", name: "t", input: {} };
    const inputs = [
      ['{"to":"anna\\u0040exam', 'ple.org","n":1}'],
      ['{"n": 1.0, "big"', ": 12345678901234567890}"],
      [""],
    ];
    const blocks = inputs.map((parts) => ({ start, deltas: parts.map(inputDelta) }));
    const given = deltasIn(await eventsFor(harness, blocks), "input_json_delta");
    assert.deepEqual(given.map(({ partial_json }) => partial_json), [
      '{"to":"[email]","n":1}',
      '{"n": 1.0, "big": 12345678901234567890}',
    ]);
  });
});

Deno.test("an answer that is not streamed is replaced too; thinking keeps its signature", async () => {
  await withHarness({ config: CONFIG, base: ROOT }, async (harness) => {
    const content = [
      { type: "thinking", thinking: "a@b.co", signature: "c2lnbmF0dXJl" },
      { type: "text", text: "Ask a@b.co" },
      { type: "tool_use", id: "toolu_1", name: "t", input: { to: "a@b.co" } },
    ];
    const message = {
      ...{ id: "msg_1", type: "message", role: "assistant", model: "m", content },
      ...{ stop_reason: "tool_use", stop_sequence: null },
      usage: { input_tokens: 1, output_tokens: 1 },
    };
    harness.simulator.script(parseScript({ json: message }));
    const answer = await (await harness.post(ask("hi"))).json();
    assert.deepEqual(answer.content, [
      content[0],
      { type: "text", text: "Ask [email]" },
      { type: "tool_use", id: "toolu_1", name: "t", input: { to: "[email]" } },
    ]);
  });
});
