/**
 * Streamed events as the whole message they tell of.
 *
 * Folding refuses to guess: what it does not understand gives no message rather than a wrong one.
 * @module
 */
import type {
  AnthropicEvent,
  ContentBlock,
  Delta,
  Message,
  MessageDeltaEvent,
  Usage,
} from "./types.ts";

type Draft = Record<string, unknown> & { type: string };

interface OpenBlock {
  readonly draft: Draft;
  /** Parts of a tool's input as they came. */
  json: string;
}

function append(block: OpenBlock, field: string, part: unknown): boolean {
  if (typeof part !== "string") return false;
  const before = block.draft[field];
  block.draft[field] = (typeof before === "string" ? before : "") + part;
  return true;
}

/** What each kind of delta does to its block; false when it cannot. */
const DELTAS: Readonly<Record<string, (block: OpenBlock, delta: Delta) => boolean>> = {
  text_delta: (block, delta) => append(block, "text", delta.text),
  thinking_delta: (block, delta) => append(block, "thinking", delta.thinking),
  signature_delta: (block, delta) => append(block, "signature", delta.signature),
  input_json_delta(block, delta) {
    if (typeof delta.partial_json !== "string") return false;
    block.json += delta.partial_json;
    return true;
  },
  citations_delta(block, delta) {
    const before = Array.isArray(block.draft.citations) ? block.draft.citations as unknown[] : [];
    block.draft.citations = [...before, delta.citation];
    return true;
  },
};

/** What an ending tells anew: its null means that it does not tell, not that what was told is void. */
function told<T extends object>(ending: T, before: object): T {
  const members = Object.entries(ending).filter(([key, value]) =>
    value !== null || !(key in before)
  );
  return Object.fromEntries(members) as T;
}

/** Blocks lie side by side: one far away would make a list of nothing up to it. */
const MOST_BLOCKS = 100_000;

function isPlace(index: unknown): boolean {
  return typeof index === "number" && Number.isInteger(index) && index >= 0 && index < MOST_BLOCKS;
}

/** Folds one stream. */
export class Folder {
  #message: Partial<Message> | undefined;
  #usage: Usage | undefined;
  readonly #blocks: (OpenBlock | undefined)[] = [];
  #ended = false;
  #failure: string | undefined;

  /** Why there will be no message; undefined while there may be. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Takes the next event. */
  push(event: AnthropicEvent): void {
    if (this.#failure !== undefined) return;
    switch (event.type) {
      case "message_start":
        this.#message = { ...event.message };
        this.#usage = event.message?.usage; // an event of another's making may lack anything
        return;
      case "content_block_start":
        if (!isPlace(event.index)) this.#failure = "a block without a place";
        else this.#blocks[event.index] = { draft: { ...event.content_block }, json: "" };
        return;
      case "content_block_delta":
        return this.#delta(event.index, event.delta);
      case "content_block_stop":
        return this.#close(event.index);
      case "message_delta":
        return this.#messageDelta(event);
      case "message_stop":
        this.#ended = true;
        return this.#checkInputs();
      default: // a ping, or what this version does not know: it adds nothing that a message has
    }
  }

  /** The message, once it has ended; undefined if it has not, or something in it was not understood. */
  message(): Message | undefined {
    if (!this.#ended || this.#failure !== undefined || this.#message === undefined) {
      return undefined;
    }
    const content = this.#blocks.filter((block) => block !== undefined).map(({ draft }) => draft);
    return { ...this.#message, content: content as ContentBlock[], usage: this.#usage } as Message;
  }

  /** Fields beside `delta`, e.g. `context_management`, belong to the message. */
  #messageDelta({ type: _, delta, usage, ...beside }: MessageDeltaEvent): void {
    if (this.#message === undefined) {
      this.#failure = "an end before the beginning";
      return;
    }
    Object.assign(this.#message, delta, told(beside, this.#message));
    const before = { input_tokens: 0, output_tokens: 0, ...this.#usage };
    this.#usage = { ...before, ...told(usage, before) };
  }

  /** Input of a block that was not closed may lack its end. */
  #checkInputs(): void {
    const index = this.#blocks.findIndex((block) => block !== undefined && block.json !== "");
    if (index >= 0) this.#failure ??= `input of block ${index} that was not finished`;
  }

  /** The block at a place; undefined for what is no place, which an event of another's making may hold. */
  #at(index: number): OpenBlock | undefined {
    return isPlace(index) ? this.#blocks[index] : undefined;
  }

  #delta(index: number, delta: Delta): void {
    const block = this.#at(index);
    const type = typeof delta?.type === "string" ? delta.type : "";
    const apply = Object.hasOwn(DELTAS, type) ? DELTAS[type] : undefined;
    if (block === undefined) this.#failure = "a delta for a block that was not started";
    else if (apply?.(block, delta) !== true) this.#failure = `a delta of kind ${type}`;
  }

  #close(index: number): void {
    const block = this.#at(index);
    if (block === undefined || block.json === "") return;
    try {
      block.draft.input = JSON.parse(block.json);
      block.json = "";
    } catch {
      this.#failure = `input of block ${index} that is no JSON`;
    }
  }
}

/** Folds events that are all at hand; undefined as {@link Folder.message}. */
export function foldEvents(events: Iterable<AnthropicEvent>): Message | undefined {
  const folder = new Folder();
  for (const event of events) folder.push(event);
  return folder.message();
}
