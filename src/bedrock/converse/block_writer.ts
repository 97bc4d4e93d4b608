/**
 * Writes the blocks of a streamed answer as Anthropic tells them: each is opened and closed, one at a time, and
 * indexes never skip.
 *
 * Source: Anthropic API reference, Streaming ([T]).
 * @module
 */
import { WireEvent } from "../../anthropic/event.ts";
import type { ContentBlock, Delta } from "../../anthropic/types.ts";
import { concatBytes } from "../../bytes.ts";
import { brokenAnswer } from "../errors.ts";
import { SYNTHETIC_SIGNATURE_PREFIX } from "./signature.ts";

/** The block that is open towards the client. */
export interface OpenBlock {
  /** Index on Bedrock's side: these may skip. */
  readonly source: number;
  /** Index on the client's side. */
  readonly index: number;
  /** The block's `type`. */
  readonly kind: string;
  /** A signature has come, or is not needed. */
  signed: boolean;
  /** Input has come: a tool without arguments may get none. */
  hasInput: boolean;
  /** The input is no object: it would be refused when it comes back. */
  odd: boolean;
}

/** The error of a tool call that is not whole: clients run a tool with whatever input they got. */
export function brokenTool(): Error {
  return brokenAnswer("A tool call in the stream from Amazon Bedrock is in pieces: try again");
}

/**
 * Hidden reasoning that came in parts.
 *
 * @throws {BedrockError} If a part is no base64
 */
export function joinBase64(parts: readonly string[]): string {
  const [only = ""] = parts;
  if (parts.length <= 1) return only;
  try {
    return concatBytes(parts.map((part) => Uint8Array.fromBase64(part))).toBase64();
  } catch (error) {
    throw brokenAnswer("Hidden reasoning from Amazon Bedrock is no base64: try again", error);
  }
}

/** Appends one answer's block events. */
export class BlockWriter {
  readonly #messageId: string;
  #open: OpenBlock | undefined;
  #nextIndex = 0;

  /** For the answer with this id. */
  constructor(messageId: string) {
    this.#messageId = messageId;
  }

  /** The open block. */
  get current(): OpenBlock | undefined {
    return this.#open;
  }

  /** The open block, if it is Bedrock's block `source` and of this kind. */
  matching(source: number, kind: string): OpenBlock | undefined {
    const open = this.#open;
    return open?.source === source && open.kind === kind ? open : undefined;
  }

  /**
   * Opens a block, and closes the one before.
   *
   * @throws {BedrockError} If a tool call is open: what it still lacks would never come
   */
  open(source: number, content_block: ContentBlock, out: WireEvent[]): OpenBlock {
    if (this.#open?.kind === "tool_use") throw brokenTool();
    this.close(out);
    const index = this.#nextIndex++;
    this.#open = {
      source,
      index,
      kind: content_block.type,
      signed: false,
      hasInput: false,
      odd: false,
    };
    out.push(WireEvent.from({ type: "content_block_start", index, content_block }));
    return this.#open;
  }

  /** Adds to a block. */
  delta({ index }: OpenBlock, delta: Delta, out: WireEvent[]): void {
    out.push(WireEvent.from({ type: "content_block_delta", index, delta }));
  }

  /** Closes the open block, if any: a tool's input and a signature are told in any case. */
  close(out: WireEvent[]): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    if (open.kind === "tool_use" && !open.hasInput) {
      this.delta(open, { type: "input_json_delta", partial_json: "{}" }, out);
    }
    if (open.kind === "thinking" && !open.signed) {
      const signature = SYNTHETIC_SIGNATURE_PREFIX + this.#messageId;
      this.delta(open, { type: "signature_delta", signature }, out);
    }
    out.push(WireEvent.from({ type: "content_block_stop", index: open.index }));
  }
}
