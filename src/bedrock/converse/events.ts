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
    return JSON.parse(utf8.decode(frame.payload));
  } catch (error) {
    throw brokenAnswer("An event of the stream from Amazon Bedrock is no JSON: try again", error);
  }
}

function object(value: unknown): Json {
  return typeof value === "object" && value !== null ? value as Json : {};
}

/** The block that is open towards the client. */
interface OpenBlock {
  /** Index on Bedrock's side. */
  readonly source: number;
  /** Index on the client's side: these never skip. */
  readonly index: number;
  readonly kind: "text" | "thinking" | "tool_use" | "redacted_thinking";
  /** A signature has come, or is not needed. */
  signed: boolean;
  /** Input has come: a tool without arguments may get none. */
  hasInput: boolean;
}

/** Reads one streamed answer. */
export class ConverseDecoder implements FrameEvents {
  readonly #options: ConverseAnswerOptions;
  readonly #watcher: StopWatcher;
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
    const event = parse(frame);
    switch (frame.type) {
      case "messageStart":
        return this.#start(out);
      case "contentBlockStart":
        return this.#blockStart(event, out);
      case "contentBlockDelta":
        return this.#blockDelta(event, out);
      case "contentBlockStop":
        return this.#blockStop(out);
      case "messageStop":
        return this.#messageStop(event, out);
      case "metadata":
        return this.#finish(event, out);
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
    this.#openBlock(Number(contentBlockIndex), "tool_use", block, out);
  }

  #blockDelta({ contentBlockIndex, delta }: Json, out: WireEvent[]): void {
    const given = object(delta);
    const source = Number(contentBlockIndex);
    if (typeof given.text === "string") return this.#text(source, given.text, out);
    if (this.#stopped) return;
    if (given.toolUse !== undefined) return this.#toolInput(given.toolUse, out);
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
    const { text } = this.#watcher.push(part);
    if (text !== "") this.#textDelta(source, text, out);
  }

  #textDelta(source: number, text: string, out: WireEvent[]): void {
    const index = this.#ensure(source, "text", { type: "text", text: "" }, out);
    // The hot line of a stream: its JSON is put together without an object in between.
    out.push(WireEvent.fromText(
      "content_block_delta",
      `{"type":"content_block_delta","index":${index},"delta":{"type":"text_delta","text":${
        JSON.stringify(text)
      }}}`,
    ));
  }

  #toolInput(toolUse: unknown, out: WireEvent[]): void {
    const { input } = object(toolUse);
    const open = this.#open;
    if (typeof input !== "string" || input === "" || open?.kind !== "tool_use") return;
    open.hasInput = true;
    this.#delta(open.index, { type: "input_json_delta", partial_json: input }, out);
  }

  #reasoning(source: number, { text, signature, redactedContent }: Json, out: WireEvent[]): void {
    if (typeof redactedContent === "string") {
      this.#openBlock(source, "redacted_thinking", {
        type: "redacted_thinking",
        data: redactedContent,
      }, out);
      return;
    }
    const block = { type: "thinking", thinking: "", signature: "" };
    const index = this.#ensure(source, "thinking", block, out);
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
    const index = this.#ensure(source, "text", { type: "text", text: "" }, out);
    this.#delta(index, { type: "citations_delta", citation: mapped }, out);
  }

  #delta(index: number, delta: Delta, out: WireEvent[]): void {
    out.push(WireEvent.from({ type: "content_block_delta", index, delta }));
  }

  /** The index of the open block of this kind, which is opened if it is not. */
  #ensure(source: number, kind: OpenBlock["kind"], block: ContentBlock, out: WireEvent[]): number {
    const open = this.#open;
    if (open !== undefined && open.source === source && open.kind === kind) return open.index;
    return this.#openBlock(source, kind, block, out);
  }

  #openBlock(
    source: number,
    kind: OpenBlock["kind"],
    content_block: ContentBlock,
    out: WireEvent[],
  ): number {
    this.#start(out);
    this.#closeBlock(out);
    const index = this.#nextIndex++;
    this.#open = { source, index, kind, signed: false, hasInput: false };
    out.push(WireEvent.from({ type: "content_block_start", index, content_block }));
    return index;
  }

  #blockStop(out: WireEvent[]): void {
    this.#flushText(out);
    this.#closeBlock(out);
  }

  #flushText(out: WireEvent[]): void {
    if (this.#stopped) return;
    const held = this.#watcher.flush();
    if (held !== "") this.#textDelta(this.#open?.source ?? 0, held, out);
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
    this.#blockStop(out);
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
