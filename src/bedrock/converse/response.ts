/**
 * Step 9 for answers that do not stream: the answer is told as the stream that would have carried it, so that
 * both shapes come out of one translation.
 *
 * Source: Bedrock API reference, Converse response ([T]); recorded answers ([R]).
 * @module
 */
import type { WireEvent } from "../../anthropic/event.ts";
import { Folder } from "../../anthropic/fold.ts";
import type { Message } from "../../anthropic/types.ts";
import { brokenAnswer } from "../errors.ts";
import type { Frame } from "../frames.ts";
import { type ConverseAnswerOptions, ConverseDecoder } from "./events.ts";

type Json = Readonly<Record<string, unknown>>;

const encoder = new TextEncoder();

function frame(type: string, value: unknown): Frame {
  return {
    messageType: "event",
    type,
    errorMessage: undefined,
    payload: encoder.encode(JSON.stringify(value)),
  };
}

function delta(contentBlockIndex: number, value: Json): Frame {
  return frame("contentBlockDelta", { contentBlockIndex, delta: value });
}

/** The frames that would have streamed one block. */
function blockFrames(block: Json, index: number): Frame[] {
  const stop = frame("contentBlockStop", { contentBlockIndex: index });
  if (block.toolUse !== undefined) {
    const { toolUseId, name, input } = block.toolUse as Json;
    const start = { toolUse: { toolUseId, name } };
    const text = JSON.stringify(input ?? {});
    return [
      frame("contentBlockStart", { contentBlockIndex: index, start }),
      delta(index, { toolUse: { input: text } }),
      stop,
    ];
  }
  if (block.reasoningContent !== undefined) {
    const { reasoningText, redactedContent } = block.reasoningContent as Json;
    const { text, signature } = (reasoningText ?? {}) as Json;
    const parts = redactedContent === undefined
      ? [{ text: text ?? "" }, ...(signature === undefined ? [] : [{ signature }])]
      : [{ redactedContent }];
    return [...parts.map((part) => delta(index, { reasoningContent: part })), stop];
  }
  if (block.citationsContent !== undefined) {
    const { content, citations } = block.citationsContent as {
      content?: readonly { text?: string }[];
      citations?: readonly unknown[];
    };
    return [
      ...(citations ?? []).map((citation) => delta(index, { citation })),
      ...(content ?? []).map(({ text }) => delta(index, { text: text ?? "" })),
      stop,
    ];
  }
  if (typeof block.text === "string") return [delta(index, { text: block.text }), stop];
  return []; // a kind of block that Anthropic has no name for
}

/**
 * Reads a whole answer.
 *
 * @throws {BedrockError} If it is no answer: a 200 of another shape, or output nobody can use
 */
export function converseMessage(json: unknown, options: ConverseAnswerOptions): Message {
  const answer = (typeof json === "object" && json !== null ? json : {}) as Json;
  const message = (answer.output as { message?: { content?: unknown } } | undefined)?.message;
  if (!Array.isArray(message?.content)) {
    throw brokenAnswer("Amazon Bedrock's answer is no message: try again");
  }
  const decoder = new ConverseDecoder(options);
  const events: WireEvent[] = [];
  const { stopReason, additionalModelResponseFields, usage, serviceTier } = answer;
  const frames = [
    frame("messageStart", { role: "assistant" }),
    ...(message.content as Json[]).flatMap(blockFrames),
    frame("messageStop", { stopReason, additionalModelResponseFields }),
    frame("metadata", { usage, serviceTier }),
  ];
  for (const one of frames) decoder.push(one, events);
  const folder = new Folder();
  for (const event of events) folder.push(event.value);
  const folded = folder.message();
  if (folded === undefined) {
    throw brokenAnswer(`Amazon Bedrock's answer cannot be read: ${folder.failure}`);
  }
  return folded;
}
