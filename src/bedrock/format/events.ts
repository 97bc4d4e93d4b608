/**
 * Turns the call of the tool that stands for a format back into the answer's text, as it streams.
 *
 * Text beside that call would spoil the format: it waits, and goes out only where the model called one of the
 * client's own tools, or was stopped.
 * @module
 */
import { WireEvent } from "../../anthropic/event.ts";
import type {
  ContentBlockDeltaEvent,
  ContentBlockStartEvent,
  ContentBlockStopEvent,
  MessageDeltaEvent,
} from "../../anthropic/types.ts";
import { BedrockError } from "../errors.ts";
import type { ChunkDecoder } from "../stream.ts";

type BlockEvent = ContentBlockStartEvent | ContentBlockDeltaEvent | ContentBlockStopEvent;

/** What becomes of one block of the model's. */
interface Fate {
  /** `answer`: the tool for the format; `held`: text that waits; `pass`: anything else. */
  readonly kind: "answer" | "held" | "pass";
  /** The block's index for the client; undefined while it waits. */
  index: number | undefined;
  /** Whether any of the answer has come. */
  begun: boolean;
}

/** Endings after which an answer need not be in its format, as at Anthropic. */
const CUT = new Set(["max_tokens", "refusal", "model_context_window_exceeded", "pause_turn"]);

/** Follows the events of one answer. */
export class FormatEvents {
  readonly #tool: string;
  readonly #fates = new Map<number, Fate>();
  #held: BlockEvent[] = [];
  #nextIndex = 0;
  #answered = false;
  #calledOther = false;

  /** `tool` is the name of the tool that stands for the format. */
  constructor(tool: string) {
    this.#tool = tool;
  }

  /**
   * Appends what an event becomes.
   *
   * @throws {BedrockError} If the model ends without the format
   */
  push(event: WireEvent, out: WireEvent[]): void {
    const { value } = event;
    switch (value.type) {
      case "content_block_start":
        return this.#start(value, out);
      case "content_block_delta":
      case "content_block_stop":
        return this.#inBlock(value, out);
      case "message_delta":
        return this.#ending(value, out);
      default:
        out.push(event);
    }
  }

  #start(event: ContentBlockStartEvent, out: WireEvent[]): void {
    const { type, name } = event.content_block;
    const called = type === "tool_use";
    const kind = called && name === this.#tool ? "answer" : type === "text" ? "held" : "pass";
    const fate: Fate = { kind, index: undefined, begun: false };
    this.#fates.set(event.index, fate);
    if (kind === "held") return void this.#held.push(event);
    if (kind === "answer") {
      this.#held = [];
      if (this.#answered) return; // said once is enough
      this.#answered = true;
      fate.index = this.#nextIndex++;
      out.push(WireEvent.from({
        type: "content_block_start",
        index: fate.index,
        content_block: { type: "text", text: "" },
      }));
      return;
    }
    if (called) {
      this.#calledOther = true;
      this.#tellHeld(out);
    }
    this.#tell(event, fate, out);
  }

  #inBlock(event: ContentBlockDeltaEvent | ContentBlockStopEvent, out: WireEvent[]): void {
    const fate = this.#fates.get(event.index);
    if (fate?.kind === "held") return void this.#held.push(event);
    if (fate?.kind !== "answer") return this.#tell(event, fate, out);
    if (fate.index === undefined) return;
    if (event.type === "content_block_delta") {
      const part = event.delta.partial_json;
      if (typeof part === "string" && part !== "") this.#answerPart(fate, part, out);
      return;
    }
    if (!fate.begun) this.#answerPart(fate, "{}", out); // a tool without arguments
    this.#tell(event, fate, out);
  }

  #answerPart(fate: Fate, text: string, out: WireEvent[]): void {
    fate.begun = true;
    out.push(WireEvent.from({
      type: "content_block_delta",
      index: fate.index ?? 0,
      delta: { type: "text_delta", text },
    }));
  }

  #tell(event: BlockEvent, fate: Fate | undefined, out: WireEvent[]): void {
    if (fate !== undefined) fate.index ??= this.#nextIndex++;
    out.push(WireEvent.from({ ...event, index: fate?.index ?? event.index }));
  }

  #tellHeld(out: WireEvent[]): void {
    const held = this.#held;
    this.#held = [];
    if (this.#answered) return;
    for (const event of held) this.#tell(event, this.#fates.get(event.index), out);
  }

  #ending(event: MessageDeltaEvent, out: WireEvent[]): void {
    const { stop_reason } = event.delta;
    if (!this.#answered && !this.#calledOther && !CUT.has(stop_reason ?? "")) {
      throw new BedrockError(
        "api_error",
        "The model did not keep to output_config.format: try again",
        { exception: "FormatNotKept", retryable: false },
      );
    }
    this.#tellHeld(out);
    const done = this.#answered && !this.#calledOther && stop_reason === "tool_use";
    const delta = done ? { ...event.delta, stop_reason: "end_turn" } : event.delta;
    out.push(WireEvent.from({ ...event, delta }));
  }
}

/** Decodes a stream whose answer stands in a tool call. */
export class FormatDecoder implements ChunkDecoder {
  readonly #inner: ChunkDecoder;
  readonly #events: FormatEvents;

  /** Decodes by `inner`, and gives its events to `events`. */
  constructor(inner: ChunkDecoder, events: FormatEvents) {
    this.#inner = inner;
    this.#events = events;
  }

  /** See {@link ChunkDecoder.push}. */
  push(chunk: Uint8Array, out: WireEvent[]): void {
    this.#through((events) => this.#inner.push(chunk, events), out);
  }

  /** See {@link ChunkDecoder.end}. */
  end(out: WireEvent[]): void {
    this.#through((events) => this.#inner.end(events), out);
  }

  /** What came before a failure still goes out. */
  #through(decode: (events: WireEvent[]) => void, out: WireEvent[]): void {
    const events: WireEvent[] = [];
    try {
      decode(events);
    } finally {
      for (const event of events) this.#events.push(event, out);
    }
  }
}
