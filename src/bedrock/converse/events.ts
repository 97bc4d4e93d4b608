/**
 * Step 9 for every family but Claude: Converse's stream becomes Anthropic's events.
 *
 * What differs: text and reasoning have no start event; indexes may skip; usage comes after the stop; pings,
 * signatures and empty blocks do not exist on one side.
 *
 * Source: Bedrock API reference, ConverseStream ([T]); recorded streams ([R]).
 * @module
 */
import { WireEvent } from "../../anthropic/event.ts";
import type { ContentBlock, Delta } from "../../anthropic/types.ts";
import { brokenAnswer } from "../errors.ts";
import type { Frame } from "../frames.ts";
import type { FrameEvents } from "../stream.ts";
import { citationOf } from "./citations.ts";
import { SYNTHETIC_SIGNATURE_PREFIX } from "./signature.ts";
import { StopWatcher } from "./stop_sequences.ts";
import { emptyUsage, type Ending, endingOf, usageOf } from "./usage.ts";

/** What reading an answer needs of its request. */
export interface ConverseAnswerOptions {
  /** Id of the message: Converse gives none. */
  readonly messageId: string;
  /** What `model` says. */
  readonly model: string;
  /** Names of tools, to be restored. */
  readonly names: { toClient(name: string): string };
  /** Stop sequences to watch for. */
  readonly stopSequences: readonly string[];
}

type Json = Readonly<Record<string, unknown>>;

const utf8 = new TextDecoder();

function parse(frame: Frame): Json {
  try {
    return object(JSON.parse(utf8.decode(frame.payload)));
  } catch (error) {
    throw brokenAnswer("An event of the stream from Amazon Bedrock is no JSON: try again", error);
  }
}

function object(value: unknown): Json {
  return typeof value === "object" && value !== null ? value as Json : {};
}

function brokenTool(): Error {
  return brokenAnswer("A tool call in the stream from Amazon Bedrock is in pieces: try again");
}

/** The block that is open towards the client. */
interface OpenBlock {
  /** Index on Bedrock's side. */
  readonly source: number;
  /** Index on the client's side: these never skip. */
  readonly index: number;
  /** The block's `type`. */
  readonly kind: string;
  /** A signature has come, or is not needed. */
  signed: boolean;
  /** Input has come: a tool without arguments may get none. */
  hasInput: boolean;
}

/** Reads one streamed answer. */
export class ConverseDecoder implements FrameEvents {
  readonly #options: ConverseAnswerOptions;
  readonly #watcher: StopWatcher;
  /** Bedrock's index of the text that the watcher may hold back. */
  #textSource = 0;
  /** Citations that came before the text they stand on. */
  #citations: unknown[] = [];
  #open: OpenBlock | undefined;
  #nextIndex = 0;
  #started = false;
  #ending: Ending | undefined;
  #finished = false;

  /** For one answer. */
  constructor(options: ConverseAnswerOptions) {
    this.#options = options;
    this.#watcher = new StopWatcher(options.stopSequences);
  }

  /** Appends the events of one frame. */
  push(frame: Frame, out: WireEvent[]): void {
    switch (frame.type) {
      case "messageStart":
        return this.#start(out);
      case "contentBlockStart":
        return this.#blockStart(parse(frame), out);
      case "contentBlockDelta":
        return this.#blockDelta(parse(frame), out);
      case "contentBlockStop":
        return this.#blockStop(parse(frame), out);
      case "messageStop":
        return this.#messageStop(parse(frame), out);
      case "metadata":
        return this.#finish(parse(frame), out);
      default: // a kind of event this version does not know adds nothing that Anthropic could say
    }
  }

  /** Ends the message with what is known, if its usage never came; throws if the message never ended. */
  end(out: WireEvent[]): void {
    if (this.#finished) return;
    if (this.#ending === undefined) {
      throw brokenAnswer("The stream from Amazon Bedrock ended before the message did: try again");
    }
    this.#finish({}, out);
  }

  #start(out: WireEvent[]): void {
    if (this.#started) return;
    this.#started = true;
    const { messageId, model } = this.#options;
    out.push(WireEvent.from({
      type: "message_start",
      message: {
        id: messageId,
        type: "message",
        role: "assistant",
        model,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: emptyUsage(),
      },
    }));
  }

  #blockStart({ contentBlockIndex, start }: Json, out: WireEvent[]): void {
    const { toolUse } = object(start);
    if (toolUse === undefined || this.#stopped) return; // `start: {}` opens nothing: the first delta tells what it is
    const { toolUseId, name } = object(toolUse);
    const block = {
      type: "tool_use",
      id: String(toolUseId),
      name: this.#options.names.toClient(String(name)),
      input: {},
    };
    this.#openBlock(Number(contentBlockIndex), block, out);
  }

  #blockDelta({ contentBlockIndex, delta }: Json, out: WireEvent[]): void {
    const given = object(delta);
    const source = Number(contentBlockIndex);
    if (typeof given.text === "string") return this.#text(source, given.text, out);
    if (this.#stopped) return;
    if (given.toolUse !== undefined) return this.#toolInput(source, given.toolUse, out);
    if (given.reasoningContent !== undefined) {
      return this.#reasoning(source, object(given.reasoningContent), out);
    }
    if (given.citation !== undefined) this.#citation(source, given.citation, out);
  }

  /** A stop sequence was met: what the model went on to say is not for the client. */
  get #stopped(): boolean {
    return this.#watcher.matched !== undefined;
  }

  #text(source: number, part: string, out: WireEvent[]): void {
    if (this.#stopped) return;
    if (source !== this.#textSource) {
      this.#flushText(out);
      this.#textSource = source;
    }
    const { text } = this.#watcher.push(part);
    if (text !== "") this.#textDelta(source, text, out);
  }

  #textDelta(source: number, text: string, out: WireEvent[]): void {
    const index = this.#ensure(source, { type: "text", text: "" }, out);
    if (this.#citations.length > 0) this.#giveCitations(index, out);
    // The hot line of a stream: its JSON is put together without an object in between.
    out.push(WireEvent.fromText(
      "content_block_delta",
      `{"type":"content_block_delta","index":${index},"delta":{"type":"text_delta","text":${
        JSON.stringify(text)
      }}}`,
    ));
  }

  #toolInput(source: number, toolUse: unknown, out: WireEvent[]): void {
    const { input } = object(toolUse);
    const open = this.#open;
    if (typeof input !== "string" || input === "") return;
    // Clients run a tool with whatever input they got: a part that has no place must not be left out.
    if (open?.kind !== "tool_use" || open.source !== source) throw brokenTool();
    open.hasInput = true;
    this.#delta(open.index, { type: "input_json_delta", partial_json: input }, out);
  }

  #reasoning(source: number, { text, signature, redactedContent }: Json, out: WireEvent[]): void {
    if (typeof redactedContent === "string") {
      const redacted = { type: "redacted_thinking", data: redactedContent };
      return void this.#openBlock(source, redacted, out);
    }
    if (!text && !signature) return; // an empty block would come back, and be refused
    const block = { type: "thinking", thinking: "", signature: "" };
    const index = this.#ensure(source, block, out);
    if (typeof text === "string" && text !== "") {
      this.#delta(index, { type: "thinking_delta", thinking: text }, out);
    }
    if (typeof signature === "string" && signature !== "") {
      this.#delta(index, { type: "signature_delta", signature }, out);
      if (this.#open !== undefined) this.#open.signed = true;
    }
  }

  #citation(source: number, citation: unknown, out: WireEvent[]): void {
    const mapped = citationOf(citation);
    if (mapped === undefined) return;
    this.#citations.push(mapped);
    const open = this.#open;
    if (open?.kind === "text" && open.source === source) this.#giveCitations(open.index, out);
  }

  #giveCitations(index: number, out: WireEvent[]): void {
    for (const citation of this.#citations) {
      this.#delta(index, { type: "citations_delta", citation }, out);
    }
    this.#citations = [];
  }

  #delta(index: number, delta: Delta, out: WireEvent[]): void {
    out.push(WireEvent.from({ type: "content_block_delta", index, delta }));
  }

  /** The index of the open block of this kind, which is opened if it is not. */
  #ensure(source: number, block: ContentBlock, out: WireEvent[]): number {
    const open = this.#open;
    if (open !== undefined && open.source === source && open.kind === block.type) return open.index;
    return this.#openBlock(source, block, out);
  }

  #openBlock(source: number, content_block: ContentBlock, out: WireEvent[]): number {
    const kind = content_block.type;
    this.#start(out);
    if (this.#open?.kind === "tool_use") throw brokenTool();
    if (kind !== "text") this.#flushText(out); // what is held back of a text goes before what follows it
    this.#closeBlock(out);
    const index = this.#nextIndex++;
    this.#open = { source, index, kind, signed: false, hasInput: false };
    out.push(WireEvent.from({ type: "content_block_start", index, content_block }));
    return index;
  }

  #blockStop({ contentBlockIndex }: Json, out: WireEvent[]): void {
    const source = Number(contentBlockIndex);
    if (source === this.#textSource) this.#flushText(out);
    this.#citations = [];
    if (source === this.#open?.source) this.#closeBlock(out);
  }

  #flushText(out: WireEvent[]): void {
    if (this.#stopped) return;
    const held = this.#watcher.flush();
    if (held !== "") this.#textDelta(this.#textSource, held, out);
  }

  #closeBlock(out: WireEvent[]): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    if (open.kind === "tool_use" && !open.hasInput) {
      this.#delta(open.index, { type: "input_json_delta", partial_json: "{}" }, out);
    }
    if (open.kind === "thinking" && !open.signed) {
      const signature = SYNTHETIC_SIGNATURE_PREFIX + this.#options.messageId;
      this.#delta(open.index, { type: "signature_delta", signature }, out);
    }
    out.push(WireEvent.from({ type: "content_block_stop", index: open.index }));
  }

  #messageStop({ stopReason, additionalModelResponseFields }: Json, out: WireEvent[]): void {
    this.#start(out);
    this.#flushText(out);
    this.#closeBlock(out);
    const { matched } = this.#watcher;
    this.#ending = matched === undefined
      ? endingOf(stopReason, additionalModelResponseFields)
      : { stop_reason: "stop_sequence", stop_sequence: matched, stop_details: null };
  }

  /** `message_delta` waits for the usage, which comes after the stop. */
  #finish({ usage, serviceTier }: Json, out: WireEvent[]): void {
    if (this.#finished || this.#ending === undefined) return;
    this.#finished = true;
    out.push(
      WireEvent.from({
        type: "message_delta",
        delta: { ...this.#ending, container: null },
        usage: usageOf(usage, serviceTier),
      }),
      WireEvent.from({ type: "message_stop" }),
    );
  }
}
