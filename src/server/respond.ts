/**
 * Steps 10 to 12: usage is taken, events pass outward, and the answer leaves as a stream or as JSON.
 * @module
 */
import type { EventBatch } from "../anthropic/event.ts";
import { WireEvent } from "../anthropic/event.ts";
import { expandMessage } from "../anthropic/expand.ts";
import type { Answer, MessageAnswer } from "../bedrock/answer.ts";
import type { Clock } from "../clock.ts";
import type { Completion } from "../pipeline/complete.ts";
import { Outward } from "../pipeline/events.ts";
import type { Exchange } from "../pipeline/exchange.ts";
import type { LoadedPlugin } from "../pipeline/guard.ts";
import type { Message } from "../anthropic/types.ts";
import { endingOf, logError, toApiError } from "./errors.ts";
import { type BatchSource, eventStream } from "./event_stream.ts";
import { answer, headerText, jsonResponse } from "./headers.ts";

/** An answer on its way: from Bedrock, or from a plugin. */
export type Reply = Answer | { readonly kind: "plugin"; readonly message: Message };

/** What an answer passes on its way to the client. */
export interface RespondOptions {
  /** The exchange. */
  exchange: Exchange;
  /** Its end. */
  completion: Completion;
  /** The plugins between the answer's origin and the client, in list order. */
  outer: readonly LoadedPlugin[];
  /** Milliseconds after which a stream is committed to 200 though Bedrock has sent nothing yet. */
  commitAfterMs: number;
  /** Silence, in milliseconds, after which a ping is sent. */
  pingAfterMs: number;
  /** Time. */
  clock: Clock;
}

/** Answers with the whole message as JSON. */
export async function respondMessage(
  pending: Promise<Reply>,
  options: RespondOptions,
): Promise<Response> {
  const { exchange, completion, outer } = options;
  const reply = await pending;
  if (reply.kind === "stream") {
    throw new TypeError("Cannot answer with a message as the reply is a stream");
  }
  if (reply.kind === "message") noteServed(reply, exchange);
  const outward = Outward.open(outer, exchange, false);
  const { message } = reply;
  const body = outward === undefined
    ? (reply.kind === "message" ? reply.bytes : undefined) ?? JSON.stringify(message)
    : JSON.stringify(outward.pushMessage(message));
  exchange.firstByte();
  await completion.end({ outcome: "ok", status: 200, messages: outward?.messages() });
  return jsonResponse(body, { requestId: exchange.id, headers: exchange.answerHeaders });
}

/** Answers with server-sent events. Rejects with whatever fails before the stream is committed to 200. */
export async function respondStream(
  pending: Promise<Reply>,
  options: RespondOptions,
): Promise<Response> {
  const { exchange, completion, outer, clock } = options;
  const early = await settledWithin(pending, options.commitAfterMs, clock);
  const outward = Outward.open(outer, exchange, true);
  const source = new ReplySource(early ?? pending, exchange);
  const headers = exchange.answerHeaders;
  headers.set("cache-control", "no-cache");
  headers.set("x-accel-buffering", "no"); // a proxy in front that buffers would stall the client
  if (early !== undefined && early.kind !== "plugin") noteFacts(early, exchange);
  const body = eventStream({
    source,
    pass: (batch) => {
      exchange.firstByte();
      for (const event of batch) exchange.observe(event);
      return outward === undefined ? batch : outward.push(batch);
    },
    pingFirst: early === undefined,
    pingAfterMs: options.pingAfterMs,
    clock,
    onEnd: () => completion.end({ outcome: "ok", status: 200, messages: outward?.messages() }),
    onError: (error) => {
      const ending = endingOf(error, exchange, 200);
      logError(exchange.log, error, { fault: ending.fault, rejection: exchange.rejection });
      void completion.end(ending);
      return { error: toApiError(error), requestId: exchange.id };
    },
    onCancel: () => {
      exchange.clientGone();
      void completion.end({ outcome: "aborted", status: 200, fault: "client" });
    },
  });
  const contentType = "text/event-stream; charset=utf-8";
  return answer(body, { requestId: exchange.id, contentType, headers });
}

function noteFacts({ facts }: Answer, exchange: Exchange): void {
  const { target, bedrockRequestId, dropped } = facts;
  exchange.servedBy = () => ({
    modelId: target.modelId,
    baseModel: target.baseId,
    route: target.route,
    region: target.region,
    ...(facts.tier === undefined ? {} : { tier: facts.tier }),
    ...(bedrockRequestId === undefined ? {} : { bedrockRequestId }),
  });
  const headers = exchange.answerHeaders;
  if (bedrockRequestId !== undefined) headers.set("x-amzn-requestid", headerText(bedrockRequestId));
  if (dropped.length > 0) headers.set("x-outcrop-dropped", headerText(dropped.join(", ")));
}

function noteServed(reply: MessageAnswer, exchange: Exchange): void {
  noteFacts(reply, exchange);
  exchange.observeMessage(reply.message);
}

/** The reply as a source of batches, even while it is awaited. */
class ReplySource implements BatchSource {
  readonly #pending: Reply | Promise<Reply>;
  readonly #exchange: Exchange;
  #source: BatchSource | undefined;

  constructor(pending: Reply | Promise<Reply>, exchange: Exchange) {
    this.#pending = pending;
    this.#exchange = exchange;
  }

  next(): Promise<EventBatch | undefined> {
    return this.#source?.next() ?? this.#first();
  }

  async #first(): Promise<EventBatch | undefined> {
    const reply = await this.#pending;
    if (reply.kind !== "plugin") noteFacts(reply, this.#exchange);
    this.#source = reply.kind === "stream" ? reply.batches : new MessageSource(reply);
    return await this.#source.next();
  }

  cancel(): void {
    this.#source?.cancel();
  }
}

/** A whole message, as one batch. */
class MessageSource implements BatchSource {
  #batch: EventBatch | undefined;

  constructor(reply: { readonly message: Message }) {
    this.#batch = expandMessage(reply.message).map((event) => WireEvent.from(event));
  }

  next(): Promise<EventBatch | undefined> {
    const batch = this.#batch;
    this.#batch = undefined;
    return Promise.resolve(batch);
  }

  cancel(): void {}
}

/** What `pending` resolves to, or undefined when that takes longer than `ms`. Rejects as it does. */
async function settledWithin<T>(
  pending: Promise<T>,
  ms: number,
  clock: Clock,
): Promise<T | undefined> {
  let cancelTimer = () => {};
  const late = new Promise<undefined>((resolve) => {
    cancelTimer = clock.after(ms, () => resolve(undefined));
  });
  try {
    return await Promise.race([pending, late]);
  } finally {
    cancelTimer();
  }
}
