/**
 * What a scripted model says, before it is put on a wire.
 * @module
 */
import { createHash } from "node:crypto";
import type { Corruption } from "./frames.ts";

/** One block of an answer. */
export type Step =
  | { readonly kind: "text"; readonly parts: readonly string[] }
  | { readonly kind: "thinking"; readonly text: string; readonly signature: string | undefined }
  | {
    readonly kind: "tool";
    readonly name: string;
    readonly input: unknown;
    /** Whether input comes in deltas: a tool without arguments may get none. */
    readonly deltas: boolean;
  };

/** What goes wrong after the first events. */
export type Fault =
  | { readonly kind: "exception"; readonly name: string; readonly message: string }
  | { readonly kind: "corrupt"; readonly how: Corruption }
  /** The connection ends inside a frame. */
  | { readonly kind: "cut" }
  /** The stream ends well formed, before the message does. */
  | { readonly kind: "early_end" }
  /** Nothing more comes, and the connection stays. */
  | { readonly kind: "stall" };

/** An answer. */
export interface Plan {
  /** Its blocks. */
  readonly steps: readonly Step[];
  /** In Converse's words; Anthropic's wire translates. */
  readonly stopReason: string;
  /** Stop sequence that was met. */
  readonly stopSequence?: string;
  /** Which answer of the simulator's this is: its ids are made of it. */
  readonly serial?: number;
  /** Tokens read from and written to the cache. */
  readonly cache?: { readonly read: number; readonly write: number };
  /** Milliseconds between two events. */
  readonly paceMs?: number;
  /** Milliseconds before the first event. */
  readonly silentMs?: number;
  /** What goes wrong, and after how many events; the first event has number 1. */
  readonly fault?: { readonly after: number; readonly what: Fault };
}

/** Which answer, in as many digits as ids hold. */
export function serialText({ serial = 1 }: Plan): string {
  return String(serial).padStart(6, "0");
}

/** A signature that only this text has. */
export function signatureOf(text: string): string {
  return createHash("sha256").update(`simulator:${text}`).digest("base64");
}

/** Text in small parts, as a model streams it: a word each. */
export function inParts(text: string): string[] {
  return text.match(/\s*\S+\s*$|\s*\S+/g) ?? [text];
}

/** Says a text and ends its turn. */
export function say(text: string): Plan {
  return { steps: [{ kind: "text", parts: inParts(text) }], stopReason: "end_turn" };
}

/** Calls a tool. */
export function call(name: string, input: unknown, deltas: boolean = true): Plan {
  return { steps: [{ kind: "tool", name, input, deltas }], stopReason: "tool_use" };
}
