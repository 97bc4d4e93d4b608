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
import type { ContentBlock } from "../../anthropic/types.ts";
import { brokenAnswer } from "../errors.ts";
import type { Frame } from "../frames.ts";
import type { FrameEvents } from "../stream.ts";
import { BlockWriter, brokenTool, joinBase64, type OpenBlock } from "./block_writer.ts";
import { citationOf } from "./citations.ts";
import { StopWatcher } from "./stop_sequences.ts";
import { readTextDelta } from "./text_delta.ts";
import { indexOf, type Json, object, textOf } from "./values.ts";
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
  /** Told the service tier that served, when Bedrock tells it. */
  readonly onTier?: (tier: string) => void;
}

const utf8 = new TextDecoder();

function parse(frame: Frame): Json {
  try {
    return object(JSON.parse(utf8.decode(frame.payload)));
  } catch (error) {
    throw brokenAnswer("An event of the stream from Amazon Bedrock is no JSON: try again", error);
  }
}

/** Reasoning that is hidden may come in parts, and Anthropic tells it whole: it waits for its end. */
interface HeldReasoning {
  /** Bedrock's index of the block. */
  readonly source: number;
  /** Base64. */
  readonly parts: string[];
}

/** Reads one streamed answer. */
export class ConverseDecoder implements FrameEvents {
  readonly #options: ConverseAnswerOptions;
  readonly #watcher: StopWatcher;
  /** Bedrock's index of the text that the watcher may hold back. */
  #textSource = 0;
  /** Citations that came before the text they stand on. */
  #citations: unknown[] = [];
  readonly #blocks: BlockWriter;
  #hidden: HeldReasoning | undefined;
  #started = false;
  /** Usage that came before the stop. */
  #early: Json | undefined;
  #ending: Ending | undefined;
  #finished = false;

  /** For one answer. */
  constructor(options: ConverseAnswerOptions) {
    this.#options = options;
    this.#watcher = new StopWatcher(options.stopSequences);
    this.#blocks = new BlockWriter(options.messageId);
  }

  /** Appends the events of one frame. */
  push(frame: Frame, out: WireEvent[]): void {
    switch (frame.type) {
      case "messageStart":
        return this.#start(out);
      case "contentBlockStart":
        return this.#blockStart(parse(frame), out);
      case "contentBlockDelta": {
        const delta = readTextDelta(frame.payload);
        if (delta !== undefined) return this.#text(delta.source, delta.text, out);
        return this.#blockDelta(parse(frame), out);
      }
      case "contentBlockStop":
        return this.#blockStop(parse(frame), out);
      case "messageStop":
        return this.#messageStop(parse(frame), out);
      case "metadata":
        return this.#metadata(parse(frame), out);
      default: // a kind of event this version does not know adds nothing that Anthropic could say
    }
  }

  /** Ends the message with what is known, if its usage never came; throws if the message never ended. */
  end(out: WireEvent[]): void {
    if (this.#finished) return;
    if (this.#ending === undefined) {
      throw brokenAnswer("The stream from Amazon Bedrock ended before the message did: try again");
    }
    this.#finish(this.#early ?? {}, out);
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
        stop_details: null,
        container: null,
        diagnostics: null,
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
      id: textOf(toolUseId),
      name: this.#options.names.toClient(textOf(name)),
      input: {},
    };
    this.#open(indexOf(contentBlockIndex), block, out);
  }

  #blockDelta({ contentBlockIndex, delta }: Json, out: WireEvent[]): void {
    const given = object(delta);
    const source = indexOf(contentBlockIndex);
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
    const block = this.#ensure(source, { type: "text", text: "" }, out);
    if (this.#citations.length > 0) this.#giveCitations(block, out);
    // The hot line of a stream: its JSON is put together without an object in between.
    out.push(WireEvent.fromText(
      "content_block_delta",
      `{"type":"content_block_delta","index":${block.index},"delta":{"type":"text_delta","text":${
        JSON.stringify(text)
      }}}`,
    ));
  }

  #toolInput(source: number, toolUse: unknown, out: WireEvent[]): void {
    const { input } = object(toolUse);
    if (typeof input !== "string" || input === "") return;
    const open = this.#blocks.matching(source, "tool_use");
    // A part that has no place must not be left out.
    if (open === undefined) throw brokenTool();
    if (!open.hasInput) {
      const begin = input.trimStart();
      open.odd ||= begin !== "" && !begin.startsWith("{");
      if (open.odd || begin === "") return;
    }
    open.hasInput = true;
    this.#blocks.delta(open, { type: "input_json_delta", partial_json: input }, out);
  }

  #reasoning(source: number, { text, signature, redactedContent }: Json, out: WireEvent[]): void {
    if (typeof redactedContent === "string") {
      if (this.#hidden?.source !== source) this.#tellHidden(out);
      this.#hidden ??= { source, parts: [] };
      return void this.#hidden.parts.push(redactedContent);
    }
    if (!text && !signature) return; // an empty block would come back, and be refused
    const block = this.#ensure(source, { type: "thinking", thinking: "", signature: "" }, out);
    if (typeof text === "string" && text !== "") {
      this.#blocks.delta(block, { type: "thinking_delta", thinking: text }, out);
    }
    if (typeof signature === "string" && signature !== "") {
      this.#blocks.delta(block, { type: "signature_delta", signature }, out);
      block.signed = true;
    }
  }

  #tellHidden(out: WireEvent[]): void {
    const hidden = this.#hidden;
    if (hidden === undefined) return;
    this.#hidden = undefined;
    const data = joinBase64(hidden.parts);
    this.#open(hidden.source, { type: "redacted_thinking", data }, out);
  }

  #citation(source: number, citation: unknown, out: WireEvent[]): void {
    const mapped = citationOf(citation);
    if (mapped === undefined) return;
    this.#citations.push(mapped);
    const open = this.#blocks.matching(source, "text");
    if (open !== undefined) this.#giveCitations(open, out);
  }

  #giveCitations(block: OpenBlock, out: WireEvent[]): void {
    for (const citation of this.#citations) {
      this.#blocks.delta(block, { type: "citations_delta", citation }, out);
    }
    this.#citations = [];
  }

  /** The open block of this kind, which is opened if it is not. */
  #ensure(source: number, block: ContentBlock, out: WireEvent[]): OpenBlock {
    return this.#blocks.matching(source, block.type) ?? this.#open(source, block, out);
  }

  #open(source: number, block: ContentBlock, out: WireEvent[]): OpenBlock {
    this.#start(out);
    this.#tellHidden(out);
    if (block.type !== "text") this.#flushText(out); // what is held back of a text goes before what follows it
    return this.#blocks.open(source, block, out);
  }

  #blockStop({ contentBlockIndex }: Json, out: WireEvent[]): void {
    const source = indexOf(contentBlockIndex);
    if (source === this.#textSource) this.#flushText(out);
    this.#citations = [];
    if (source === this.#hidden?.source) this.#tellHidden(out);
    if (source === this.#blocks.current?.source) this.#blocks.close(out);
  }

  #flushText(out: WireEvent[]): void {
    if (this.#stopped) return;
    const held = this.#watcher.flush();
    if (held !== "") this.#textDelta(this.#textSource, held, out);
  }

  #messageStop({ stopReason, additionalModelResponseFields }: Json, out: WireEvent[]): void {
    this.#start(out);
    this.#flushText(out);
    this.#tellHidden(out);
    this.#blocks.close(out);
    const { matched } = this.#watcher;
    this.#ending = matched === undefined
      ? endingOf(stopReason, additionalModelResponseFields)
      : { stop_reason: "stop_sequence", stop_sequence: matched, stop_details: null };
    if (this.#early !== undefined) this.#finish(this.#early, out);
  }

  #metadata(metadata: Json, out: WireEvent[]): void {
    if (this.#ending === undefined) this.#early = metadata;
    else this.#finish(metadata, out);
  }

  /** `message_delta` waits for the usage, which comes after the stop. */
  #finish({ usage, serviceTier }: Json, out: WireEvent[]): void {
    if (this.#finished || this.#ending === undefined) return;
    this.#finished = true;
    const { type } = object(serviceTier);
    if (typeof type === "string") this.#options.onTier?.(type);
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
