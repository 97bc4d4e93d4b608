/** A value that is not what should stand there, wherever it stands: refused or passed on, and no fault of anybody's code. */
import assert from "node:assert/strict";
import { withHarness } from "../harness.ts";

const MARK = { type: "ephemeral", ttl: "5m" };

/** A body in which most of what a client can say is said. */
const BODY = {
  model: "claude-haiku-4-5",
  max_tokens: 5_000,
  stream: false,
  temperature: 1,
  stop_sequences: ["never"],
  metadata: { user_id: "me" },
  service_tier: "auto",
  thinking: { type: "disabled" },
  system: [{ type: "text", text: "Be brief", cache_control: MARK }],
  tools: [
    { name: "f", description: "A tool", input_schema: { type: "object", properties: {} } },
    { type: "bash_20250124", name: "bash", cache_control: MARK },
  ],
  tool_choice: { type: "auto", disable_parallel_tool_use: true },
  messages: [
    {
      role: "user",
      content: [
        { type: "text", text: "[[sim:echo]] hi", cache_control: MARK },
        {
          type: "image",
          source: { type: "base64", media_type: "image/png", data: "iVBORw0KGgo=" },
        },
        {
          type: "document",
          title: "A page",
          source: { type: "text", media_type: "text/plain", data: "words" },
          citations: { enabled: true },
        },
      ],
    },
    { role: "assistant", content: [{ type: "tool_use", id: "t1", name: "f", input: { a: 1 } }] },
    {
      role: "user",
      content: [{ type: "tool_result", tool_use_id: "t1", content: [{ type: "text", text: "x" }] }],
    },
  ],
};

/** What has no text, no length, no end or another's name. */
const ODD: readonly unknown[] = [
  ...[{ toString: 1 }, { toJSON: 1, valueOf: null }, [[]], null, -0.5, true, "constructor"],
  JSON.parse('{"__proto__":{"type":"text"},"length":-1}'),
];

/** The body with `odd` in the place of each of its values in turn. */
function* variants(value: unknown, odd: unknown): Generator<unknown> {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      for (const other of [odd, ...variants(item, odd)]) yield value.with(index, other);
    }
  } else if (typeof value === "object" && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      for (const other of [odd, ...variants(member, odd)]) yield { ...value, [name]: other };
    }
    yield { ...value, type: odd };
  }
}

for (const route of ["invoke", "messages", "mantle", "converse"]) {
  Deno.test(`an odd value at any place of a body is a 4xx or is passed on (${route})`, () =>
    withHarness(
      { config: `models: { claude_route: ${route} }\nlimits: { retries: 0 }\n` },
      async (harness) => {
        const log = harness.log as string[];
        let [sent, taken] = [0, 0];
        assert.equal((await harness.post(BODY)).status, 200, log.join(""));
        for (const odd of ODD) {
          for (const body of variants(BODY, odd)) {
            const response = await harness.post(body);
            const text = await response.text();
            const said = `${JSON.stringify(body)}: ${text} ${log.join("")}`;
            assert.ok(response.status < 500, said);
            assert.ok(!log.some((line) => /"fault":"us"|"level":"ERROR"/.test(line)), said);
            log.length = 0;
            sent++;
            if (response.status === 200) taken++;
          }
        }
        assert.ok(sent > 500 && taken > 20, `${sent} ${taken}`);
      },
    ));
}
