/**
 * Converse answers as data: the frames of the stream, the same answer whole, and Anthropic's message of both.
 * @module
 */
import type { WireEvent } from "../../../src/anthropic/event.ts";
import type { ContentBlock, Message, Usage } from "../../../src/anthropic/types.ts";
import {
  type ConverseAnswerOptions,
  ConverseDecoder,
} from "../../../src/bedrock/converse/events.ts";
import type { Frame } from "../../../src/bedrock/frames.ts";

/** Event type and payload. */
export type Scripted = readonly [string, unknown];

/** One answer of `converse_answers.json`. */
export interface ConverseFixture {
  /** What it shows. */
  readonly name: string;
  /** Stop sequences that are watched for. */
  readonly stopSequences?: readonly string[];
  /** The stream. */
  readonly frames: readonly Scripted[];
  /** The same answer without streaming. */
  readonly answer: unknown;
  /** What differs from an empty message. */
  readonly message: {
    readonly content: readonly ContentBlock[];
    readonly stop_reason: string;
    readonly stop_sequence?: string;
    readonly stop_details?: unknown;
    readonly usage: Usage;
  };
}

/** All of them. */
export const FIXTURES: readonly ConverseFixture[] = JSON.parse(
  await Deno.readTextFile(new URL("../fixtures/converse_answers.json", import.meta.url)),
);

const encoder = new TextEncoder();

/** An event frame whose payload is the JSON of `value`. */
export function frame(type: string, value: unknown): Frame {
  const payload = encoder.encode(JSON.stringify(value));
  return { messageType: "event", type, errorMessage: undefined, payload };
}

/** What reading a fixture needs of its request. */
export function optionsOf(stopSequences: readonly string[] = []): ConverseAnswerOptions {
  const toClient = (name: string) => name === "short_1" ? "the_long_name_of_the_client" : name;
  return { messageId: "msg_1", model: "qwen", names: { toClient }, stopSequences };
}

/** The events of a whole stream. */
export function decode(
  frames: readonly Scripted[],
  stopSequences: readonly string[] = [],
): WireEvent[] {
  const decoder = new ConverseDecoder(optionsOf(stopSequences));
  const events: WireEvent[] = [];
  for (const [type, value] of frames) {
    const one = frame(type, value);
    decoder.push(one, events);
    one.payload.fill(0); // a payload holds until the next push only
  }
  decoder.end(events);
  return events;
}

/** The whole message that a fixture must give, in both shapes. */
export function messageOf({ message }: ConverseFixture): Message {
  return {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "qwen",
    stop_sequence: null,
    stop_details: null,
    container: null,
    diagnostics: null,
    ...message,
    usage: {
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
      output_tokens_details: null,
      server_tool_use: null,
      service_tier: "standard",
      inference_geo: null,
      speed: null,
      ...message.usage,
    },
  };
}
