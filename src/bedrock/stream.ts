/**
 * Step 9 for streams: what arrives in one chunk from Bedrock becomes one batch of Anthropic events.
 * @module
 */
import type { EventBatch, WireEvent } from "../anthropic/event.ts";
import type { ChunkSource } from "../net/http_client.ts";
import { brokenAnswer, errorFromFrame } from "./errors.ts";
import { type Frame, FrameDecoder } from "./frames.ts";

/** Turns a route's chunks into events. */
export interface ChunkDecoder {
  /**
   * Appends the events that `chunk` completes.
   *
   * @throws {ApiError} If the stream says that it failed, or is corrupt
   */
  push(chunk: Uint8Array, out: WireEvent[]): void;
  /**
   * Appends what was held back.
   *
   * @throws {ApiError} If the stream ended before the message did
   */
  end(out: WireEvent[]): void;
}

/** Turns event frames into events: `ConverseDecoder` or `InvokeDecoder`. */
export interface FrameEvents {
  /** Told how many bytes of frames come next, in which its events have room. */
  expect?(bytes: number): void;
  /** Appends the events of one frame. */
  push(frame: Frame, out: WireEvent[]): void;
  /** Appends what was held back; throws if the message did not end. */
  end(out: WireEvent[]): void;
}

/** AWS event streams: frames first, then their events. */
export class EventStreamDecoder implements ChunkDecoder {
  readonly #frames = new FrameDecoder();
  readonly #events: FrameEvents;

  /** Decodes frames into the events of `events`. */
  constructor(events: FrameEvents) {
    this.#events = events;
  }

  /** Appends the events of the whole frames so far; see {@link ChunkDecoder.push}. */
  push(chunk: Uint8Array, out: WireEvent[]): void {
    this.#events.expect?.(chunk.byteLength);
    for (const frame of this.#frames.push(chunk)) {
      if (frame.messageType !== "event") throw errorFromFrame(frame);
      this.#events.push(frame, out);
    }
    const { failure } = this.#frames;
    if (failure !== undefined) {
      throw brokenAnswer("The stream from Amazon Bedrock is corrupt: try again", failure);
    }
  }

  /** See {@link ChunkDecoder.end}. */
  end(out: WireEvent[]): void {
    try {
      this.#frames.end();
    } catch (error) {
      throw brokenAnswer("The stream from Amazon Bedrock was cut: try again", error);
    }
    this.#events.end(out);
  }
}

/** Told how a stream goes on. */
export interface StreamWatch {
  /** Somebody waits for the next batch. */
  waiting(): void;
  /** A batch has come. */
  arrived(): void;
  /** The stream broke. */
  broke(): void;
  /** Nothing more comes. */
  end(): void;
  /** Why it was given up, if it was. */
  readonly failure: Error | undefined;
}

/** A streamed answer: one batch of events per chunk from Bedrock that completes any. */
export class BatchStream {
  readonly #chunks: ChunkSource;
  readonly #decoder: ChunkDecoder;
  readonly #watch: StreamWatch;
  #waiting: EventBatch | undefined;
  #failure: { readonly error: unknown } | undefined;
  #ended = false;

  /** Takes over a body; nothing is read yet. */
  constructor(chunks: ChunkSource, decoder: ChunkDecoder, watch: StreamWatch) {
    this.#chunks = chunks;
    this.#decoder = decoder;
    this.#watch = watch;
  }

  /**
   * Waits for the first batch, which stays for {@link next}.
   *
   * @throws {ApiError} If the stream fails or ends before one
   */
  async open(): Promise<void> {
    this.#waiting = await this.next();
    if (this.#waiting === undefined) {
      throw brokenAnswer("Amazon Bedrock's answer is empty: try again");
    }
  }

  /**
   * The next batch, never an empty one; undefined at the end. Events that stand before a failure in the same
   * chunk are given out first, the failure at the next call.
   *
   * @throws {ApiError} If the stream fails, breaks or ends early
   */
  async next(): Promise<EventBatch | undefined> {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) return waiting;
    this.#watch.waiting();
    while (this.#failure === undefined && !this.#ended) {
      let batch: EventBatch;
      try {
        batch = this.#decode(await this.#chunks.read());
      } catch (error) {
        this.#fail(brokenAnswer("The stream from Amazon Bedrock was cut: try again", error));
        break;
      }
      if (batch.length === 0) continue;
      this.#watch.arrived();
      return batch;
    }
    if (this.#failure !== undefined) throw this.#failure.error;
    return undefined;
  }

  /** Ends the call to Bedrock, whatever phase it is in. Nothing happens when it has ended. */
  cancel(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#watch.end();
    this.#chunks.cancel();
  }

  #decode(chunk: Uint8Array | undefined): EventBatch {
    const batch: WireEvent[] = [];
    try {
      if (chunk === undefined) {
        this.#ended = true;
        this.#watch.end();
        this.#decoder.end(batch);
      } else {
        this.#decoder.push(chunk, batch);
      }
    } catch (error) {
      this.#fail(error);
    }
    return batch;
  }

  #fail(error: unknown): void {
    this.#failure = { error: this.#watch.failure ?? error };
    this.#watch.broke();
    this.cancel();
  }
}
