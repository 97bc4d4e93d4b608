/**
 * Round trips: a conversation told to Converse and read back is the same conversation, and an answer that says
 * what the assistant said before comes back word for word, whole and streamed, through the simulator too.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { WireEvent } from "../../../src/anthropic/event.ts";
import { foldEvents } from "../../../src/anthropic/fold.ts";
import { ConverseDecoder } from "../../../src/bedrock/converse/events.ts";
import { converseMessage } from "../../../src/bedrock/converse/response.ts";
import { parseScript } from "../../../src/simulator/simulator.ts";
import { parseSse, withHarness } from "../../harness.ts";
import { checkAsyncProperty, checkProperty } from "../../seed.ts";
import { build, CLAUDE, type Json, messagesOf } from "./build.ts";
import { frame, type Scripted } from "./fixtures.ts";
import { conversation, present } from "./conversations.ts";

type Names = ReturnType<typeof build>["names"];

function object(value: unknown): Json {
  return value as Json;
}

const MEDIA: Readonly<Record<string, string>> = { pdf: "application/pdf", txt: "text/plain" };

function sourceOf({ format, source }: Json): Json {
  const { bytes: data, text: plain, content } = object(source);
  if (data !== undefined) return { type: "base64", media_type: MEDIA[String(format)], data };
  if (plain !== undefined) return { type: "text", media_type: "text/plain", data: plain };
  return { type: "content", content: (content as Json[]).map((one) => ({ type: "text", ...one })) };
}

/** A block of the user's, read back by the words of Bedrock's reference alone. */
function userBlock(block: Json): Json {
  const [kind = "", value] = Object.entries(block)[0] ?? [];
  const inner = object(value);
  switch (kind) {
    case "text":
      return { type: "text", text: value };
    case "image":
      return {
        type: "image",
        source: {
          type: "base64",
          media_type: `image/${inner.format}`,
          data: object(inner.source).bytes,
        },
      };
    case "document":
      return present({
        type: "document",
        source: sourceOf(inner),
        title: inner.name,
        context: inner.context,
        citations: inner.citations,
      });
    case "searchResult":
      return {
        type: "search_result",
        ...inner,
        content: (inner.content as Json[]).map((one) => ({ type: "text", ...one })),
      };
    case "toolResult":
      return {
        type: "tool_result",
        tool_use_id: inner.toolUseId,
        content: (inner.content as Json[]).map(userBlock),
        ...(inner.status === "error" ? { is_error: true } : {}),
      };
    default:
      throw new TypeError(`Cannot read back ${kind}`);
  }
}

/** Cache points become the mark of the block in front of them. */
function marked(
  content: readonly Json[],
  read: (blocks: readonly Json[]) => readonly Json[],
): Json[] {
  const solid = content.filter((block) => !("cachePoint" in block));
  const blocks = [...read(solid)];
  let at = -1;
  for (const block of content) {
    if (!("cachePoint" in block)) at++;
    else {
      const { ttl } = object(block.cachePoint);
      const cache_control = { type: "ephemeral", ...(ttl === undefined ? {} : { ttl }) };
      blocks[at] = { ...blocks[at], cache_control };
    }
  }
  return blocks;
}

const ENDING = {
  stopReason: "end_turn",
  usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 },
};

function options(names: Names) {
  return { messageId: "msg_1", model: "m", names, stopSequences: [] };
}

function readWhole(content: readonly Json[], names: Names): readonly Json[] {
  return converseMessage({ output: { message: { content } }, ...ENDING }, options(names)).content;
}

/** The frames that stream a block, its text cut in two. */
function framesOf(block: Json, contentBlockIndex: number): Scripted[] {
  const delta = (value: unknown): Scripted => [
    "contentBlockDelta",
    { contentBlockIndex, delta: value },
  ];
  const halves = (whole: unknown) => {
    const letters = [...String(whole)];
    const half = letters.length >> 1;
    return [letters.slice(0, half).join(""), letters.slice(half).join("")];
  };
  const stop: Scripted = ["contentBlockStop", { contentBlockIndex }];
  const [kind = "", value] = Object.entries(block)[0] ?? [];
  const inner = object(value);
  if (kind === "text") return [...halves(value).map((part) => delta({ text: part })), stop];
  if (kind === "toolUse") {
    const { input, ...start } = inner;
    return [
      ["contentBlockStart", { contentBlockIndex, start: { toolUse: start } }],
      ...halves(JSON.stringify(input)).map((part) => delta({ toolUse: { input: part } })),
      stop,
    ];
  }
  if (kind === "citationsContent") {
    const { content, citations } = inner as { content: Json[]; citations: Json[] };
    return [
      ...citations.map((one) => delta({ citation: one })),
      ...halves(content[0]?.text).map((part) => delta({ text: part })),
      stop,
    ];
  }
  const { reasoningText, redactedContent } = inner;
  if (redactedContent !== undefined) {
    return [delta({ reasoningContent: { redactedContent } }), stop];
  }
  const { text: thought, signature } = object(reasoningText);
  return [
    ...halves(thought).map((part) => delta({ reasoningContent: { text: part } })),
    delta({ reasoningContent: { signature } }),
    stop,
  ];
}

function streamOf(content: readonly Json[]): Scripted[] {
  return [
    ["messageStart", { role: "assistant" }],
    ...content.flatMap(framesOf),
    ["messageStop", { stopReason: ENDING.stopReason }],
    ["metadata", { usage: ENDING.usage }],
  ];
}

function readStreamed(content: readonly Json[], names: Names): readonly Json[] {
  const decoder = new ConverseDecoder(options(names));
  const out: WireEvent[] = [];
  for (const [type, value] of streamOf(content)) decoder.push(frame(type, value), out);
  decoder.end(out);
  return foldEvents(out.map(({ value }) => value))?.content ?? [];
}

for (const [shape, read] of [["whole", readWhole], ["streamed", readStreamed]] as const) {
  Deno.test(`a conversation told to Converse and read back is the same, answers ${shape}`, () => {
    checkProperty(
      fc.property(conversation, (messages) => {
        const built = build(CLAUDE, { messages });
        const back = messagesOf(built).map(({ role, content }) => ({
          role,
          content: marked(
            content,
            (blocks) => role === "user" ? blocks.map(userBlock) : read(blocks, built.names),
          ),
        }));
        assert.deepEqual(back, messages);
        assert.deepEqual(built.dropped, []);
      }),
      400,
    );
  });
}

Deno.test("an answer echoed by the simulator comes back as it was said, whole and streamed", async () => {
  await withHarness(
    { config: "models: { claude_route: converse }\n" },
    async ({ post, simulator }) => {
      await checkAsyncProperty(
        fc.asyncProperty(conversation, async (messages) => {
          const said = messages.findLast(({ role }) => role === "assistant")?.content ?? [];
          const body = { model: "claude-haiku-4-5", max_tokens: 10, tools: [], messages };
          // What Bedrock received as the last turn is what it is made to answer.
          const { content } = messagesOf(build(CLAUDE, { messages })).at(-1) ?? { content: [] };
          const echo = content.filter((block) => !("cachePoint" in block));
          const wanted = said.map(({ cache_control: _, ...block }) => block);
          simulator.reset();
          simulator.script(
            parseScript({ json: { output: { message: { content: echo } }, ...ENDING } }),
          );
          simulator.script(parseScript({
            frames: streamOf(echo).map(([event, json]) => ({ event, json })),
          }));
          const whole = await (await post(body)).json();
          assert.deepEqual(whole.content, wanted);
          const sse = parseSse(await (await post({ ...body, stream: true })).text());
          const events = sse.map(({ data }) => data) as unknown as Parameters<typeof foldEvents>[0];
          assert.deepEqual(foldEvents(events)?.content, wanted);
        }),
        40,
      );
    },
  );
});
