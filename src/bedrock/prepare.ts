/**
 * Step 7: an Anthropic body becomes what the target's route wants; and the way back is chosen with it.
 * @module
 */
import type { Message, MessagesRequest } from "../anthropic/types.ts";
import type { BetaDecisions, BetaRule } from "./betas.ts";
import { ConverseDecoder } from "./converse/events.ts";
import { type Quirks, quirksOf } from "./converse/quirks.ts";
import { buildConverseRequest } from "./converse/request.ts";
import { converseMessage } from "./converse/response.ts";
import { planFormat } from "./format/plan.ts";
import { brokenAnswer } from "./errors.ts";
import type { Target } from "./models.ts";
import { nativeMessage, NativeSseDecoder } from "./native/events.ts";
import { InvokeDecoder } from "./native/invoke.ts";
import { buildNativeRequest } from "./native/request.ts";
import type { OtherMeans } from "./other_means.ts";
import type { BedrockRequest } from "./send.ts";
import { encodeModelPath } from "./sign.ts";
import { type ChunkDecoder, EventStreamDecoder } from "./stream.ts";

/** What a client asks, after the pipeline. */
export interface Question {
  /** The body as received. */
  readonly raw: Uint8Array;
  /** What {@link raw} parses to. */
  readonly original: MessagesRequest;
  /** The body to send; shares structure with {@link original} where plugins changed nothing. */
  readonly body: MessagesRequest;
  /** `anthropic-beta` values. */
  readonly betas: readonly string[];
  /** Betas that the model was found to refuse. */
  readonly refusedBetas: readonly string[];
  /** Fields that the model was found to refuse, and that are not in the body any more. */
  readonly refusedFields: readonly string[];
  /** What the model was found to refuse, and is done by other means. */
  readonly refused: readonly OtherMeans[];
  /** Id for answers that Bedrock gives none, e.g. `msg_…`. */
  readonly messageId: string;
}

/** A request, and how to read its answer. */
export interface Prepared {
  /** The request. */
  readonly request: BedrockRequest;
  /** Whether the answer is a stream. */
  readonly streamed: boolean;
  /** Betas that are sent. */
  readonly betas: readonly string[];
  /** What the model or route cannot take. */
  readonly dropped: readonly string[];
  /** A decoder for one streamed answer; `onTier` is told the tier that served, where the answer tells it. */
  decoder(onTier: (tier: string) => void): ChunkDecoder;
  /**
   * Reads a whole answer; `bytes` are given back where the client may get them as they are.
   *
   * @throws {ApiError} If it is no answer
   */
  read(
    bytes: Uint8Array<ArrayBuffer>,
    onTier: (tier: string) => void,
  ): { message: Message; bytes?: Uint8Array<ArrayBuffer> };
}

const encoder = new TextEncoder();
const utf8 = new TextDecoder();

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch (error) {
    throw brokenAnswer("Amazon Bedrock's answer is no JSON: try again", error);
  }
}

function decisionsOf(question: Question, rules: readonly BetaRule[]): BetaDecisions {
  return { refused: question.refusedBetas, refusedFields: question.refusedFields, rules };
}

function prepareNative(target: Target, question: Question, rules: readonly BetaRule[]): Prepared {
  const route = target.route as Exclude<Target["route"], "converse">;
  const streamed = question.body.stream === true;
  const built = buildNativeRequest({
    raw: question.raw,
    original: question.original,
    body: question.body,
    target: { ...target, route },
    betas: question.betas,
    decisions: decisionsOf(question, rules),
    systemRefused: question.refused.includes("system messages"),
    stream: streamed,
  });
  return {
    request: {
      host: built.host,
      service: built.service,
      method: "POST",
      path: built.path,
      headers: built.headers,
      body: built.body,
      region: target.region,
    },
    streamed,
    betas: built.betas,
    dropped: built.dropped,
    decoder: () =>
      route === "invoke" ? new EventStreamDecoder(new InvokeDecoder()) : new NativeSseDecoder(),
    read: (bytes) => ({ message: nativeMessage(bytes), bytes }),
  };
}

/** What a family takes, less what this model was found to refuse. */
function withOtherMeans(quirks: Quirks, refused: readonly OtherMeans[]): Quirks {
  if (refused.length === 0) return quirks;
  return {
    ...quirks,
    ...(refused.includes("streamed tools") ? { tools: "whole" } : {}),
    ...(refused.includes("stop_sequences") ? { stopSequences: "emulate" } : {}),
    ...(refused.includes("tool_choice") ? { toolChoice: [] } : {}),
    ...(refused.includes("system messages") ? { systemTurns: false } : {}),
    ...(refused.includes("system prompt") ? { system: "fold" } : {}),
  };
}

function prepareConverse(
  target: Target,
  question: Question,
  rules: readonly BetaRule[],
): Prepared {
  const built = buildConverseRequest({
    body: question.body,
    quirks: withOtherMeans(quirksOf(target.baseId, target.facts), question.refused),
    baseId: target.baseId,
    betas: question.betas,
    decisions: decisionsOf(question, rules),
    tier: target.tier,
  });
  const streamed = question.body.stream === true && built.streamable;
  const answerOptions = {
    messageId: question.messageId,
    model: target.publicModel,
    names: built.names,
    stopSequences: built.stopSequences,
  };
  return {
    request: {
      host: "runtime",
      service: "bedrock",
      method: "POST",
      path: `/model/${encodeModelPath(target.modelId)}/${
        streamed ? "converse-stream" : "converse"
      }`,
      headers: {
        "content-type": "application/json",
        accept: streamed ? "application/vnd.amazon.eventstream" : "application/json",
      },
      body: encoder.encode(JSON.stringify(built.body)),
      region: target.region,
    },
    streamed,
    betas: built.betas,
    dropped: built.dropped,
    decoder: (onTier) => new EventStreamDecoder(new ConverseDecoder({ ...answerOptions, onTier })),
    read: (bytes, onTier) => ({
      message: converseMessage(parse(bytes), { ...answerOptions, onTier }),
    }),
  };
}

/**
 * Translates a question for one target; `rules` are the operator's on betas.
 *
 * @throws {ApiError} `invalid_request_error` if the route cannot say what the client asks
 */
export function prepare(target: Target, question: Question, rules: readonly BetaRule[]): Prepared {
  const format = planFormat(target, question);
  const whole = target.betas.length === 0
    ? question
    : { ...question, betas: [...new Set([...question.betas, ...target.betas])] };
  const asked = format === undefined ? whole : { ...whole, body: format.body };
  const prepared = target.route === "converse"
    ? prepareConverse(target, asked, rules)
    : prepareNative(target, asked, rules);
  if (format === undefined || format.passes) return prepared;
  return {
    ...prepared,
    decoder: (onTier) => format.decoder(prepared.decoder(onTier)),
    read: (bytes, onTier) => ({ message: format.message(prepared.read(bytes, onTier).message) }),
  };
}
