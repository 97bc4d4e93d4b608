/**
 * What a call to Bedrock gives back, whichever route it took.
 * @module
 */
import type { Message } from "../anthropic/types.ts";
import type { Target } from "./models.ts";
import type { BatchStream } from "./stream.ts";

/** What served a call, and what it could not be told. */
export interface AnswerFacts {
  /** The model that answered. */
  readonly target: Target;
  /** `x-amzn-requestid`. */
  readonly bedrockRequestId: string | undefined;
  /** Service tier Bedrock says it served with. */
  readonly tier: string | undefined;
  /** Fields and betas that the model or the route cannot take, by name. */
  readonly dropped: readonly string[];
}

/** A whole answer. */
export interface MessageAnswer {
  /** Tells it from a stream. */
  readonly kind: "message";
  /** The answer. */
  readonly message: Message;
  /** The answer as Bedrock wrote it, where that is what the client may get. */
  readonly bytes: Uint8Array<ArrayBuffer> | undefined;
  /** What served it. */
  readonly facts: AnswerFacts;
}

/** A streamed answer whose first frame has arrived. */
export interface StreamAnswer {
  /** Tells it from a whole answer. */
  readonly kind: "stream";
  /** Batches of events. */
  readonly batches: BatchStream;
  /** What served it. */
  readonly facts: AnswerFacts;
}

/** The answer to a call. */
export type Answer = MessageAnswer | StreamAnswer;
