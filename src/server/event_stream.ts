/**
 * Step 12 for streams: batches of events become chunks of server-sent events, each as it arrives.
 * @module
 */
import type { ApiError } from "../anthropic/error.ts";
import type { EventBatch } from "../anthropic/event.ts";
import { encodeBatch, encodeError, PING } from "../anthropic/sse.ts";
import type { CancelTimer, Clock } from "../clock.ts";

/** Where the events come from: Bedrock, or an answer a plugin gave. */
export interface BatchSource {
  /** The next batch; undefined at the end. */
  next(): Promise<EventBatch | undefined>;
  /** Stops the source. */
  cancel(): void;
}

/** What a stream to a client needs. */
export interface EventStreamOptions {
  /** The events. */
  source: BatchSource;
  /** What happens to a batch on its way (usage, plugins). */
  pass: (batch: EventBatch) => EventBatch;
  /** Whether pings begin at once: the client has already waited. */
  pingFirst: boolean;
  /** Silence, in milliseconds, after which a ping is sent. */
  pingAfterMs: number;
  /** Time. */
  clock: Clock;
  /** Told when the message is whole; the last batch waits for what it returns. */
  onEnd: () => Promise<unknown> | undefined;
  /** Told when the stream failed; gives what the client is told. */
  onError: (error: unknown) => { error: ApiError; requestId: string };
  /** Told when the client left. */
  onCancel: () => void;
}

function endsMessage(batch: EventBatch): boolean {
  return batch.at(-1)?.type === "message_stop";
}

/** Milliseconds that Bedrock has to end its response after the message has ended, so that the connection can be used again. */
const DRAIN_MS = 1_000;

class EventStream implements UnderlyingDefaultSource<Uint8Array<ArrayBuffer>> {
  readonly #options: EventStreamOptions;
  #controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | undefined;
  #cancelPing: CancelTimer | undefined;
  #lastWrite: number;

  constructor(options: EventStreamOptions) {
    this.#options = options;
    this.#lastWrite = options.clock.monotonic();
  }

  start(controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>): void {
    this.#controller = controller;
    if (this.#options.pingFirst) this.#write(PING);
    this.#armPing(this.#options.pingAfterMs);
  }

  async pull(): Promise<void> {
    const { source, pass, onEnd, onError } = this.#options;
    try {
      for (;;) {
        const batch = await source.next();
        if (batch === undefined) {
          await onEnd();
          return this.#close();
        }
        const last = endsMessage(batch);
        const bytes = encodeBatch(pass(batch));
        if (last) await onEnd();
        if (bytes.byteLength > 0) this.#write(bytes);
        if (last) {
          this.#close();
          return drain(source, this.#options.clock);
        }
        if (bytes.byteLength > 0) return;
      }
    } catch (failure) {
      const { error, requestId } = onError(failure);
      this.#write(encodeError(error.body(requestId)));
      this.#close();
      source.cancel();
    }
  }

  cancel(): void {
    this.#cancelPing?.();
    this.#controller = undefined;
    this.#options.onCancel();
    this.#options.source.cancel();
  }

  #write(bytes: Uint8Array<ArrayBuffer>): void {
    this.#lastWrite = this.#options.clock.monotonic();
    this.#controller?.enqueue(bytes);
  }

  #close(): void {
    this.#cancelPing?.();
    this.#controller?.close();
    this.#controller = undefined;
  }

  /** One timer a stream, not one an event: it looks back when it runs, and waits for the rest. */
  #armPing(ms: number): void {
    const { clock, pingAfterMs } = this.#options;
    this.#cancelPing = clock.after(ms, () => {
      const silent = clock.monotonic() - this.#lastWrite;
      if (silent < pingAfterMs) return this.#armPing(pingAfterMs - silent);
      // A client that does not read needs no sign of life: it has bytes to read.
      if ((this.#controller?.desiredSize ?? 0) > 0) this.#write(PING);
      this.#armPing(pingAfterMs);
    });
  }
}

async function drain(source: BatchSource, clock: Clock): Promise<void> {
  const cancelTimer = clock.after(DRAIN_MS, () => source.cancel());
  try {
    while (await source.next() !== undefined);
  } catch {
    source.cancel(); // the message was whole: what breaks behind it is nobody's loss
  } finally {
    cancelTimer();
  }
}

/** A body of server-sent events; see {@link EventStreamOptions}. */
export function eventStream(options: EventStreamOptions): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream(new EventStream(options));
}
