/**
 * What a row of the fault matrix says: what Bedrock does, and what the client must see of it.
 * @module
 */
import type { Corruption } from "../../../src/simulator/frames.ts";

/** The four ways to a model. */
export type Route = "converse" | "invoke" | "messages" | "mantle";

/** All of them. */
export const ROUTES: readonly Route[] = ["converse", "invoke", "messages", "mantle"];
/** Those whose streams are AWS's frames. */
export const FRAMES: readonly Route[] = ["converse", "invoke"];
/** Those whose streams are server-sent events. */
export const EVENTS: readonly Route[] = ["messages", "mantle"];

/** Where a record (a frame, or a server-sent event) is cut: behind the first byte of it, or inside a part. */
export type ByteClass =
  | "first byte"
  | "length"
  | "prelude checksum"
  | "headers"
  | "payload"
  | "checksum"
  | "all but the last byte";

/** One thing that the other side does. Strings are JavaScript's: one character is one byte. */
export type Act =
  /** Answers with an error, as AWS does. */
  | {
    readonly refuse: string;
    readonly status: number;
    readonly headers?: Readonly<Record<string, string>>;
  }
  /** Answers with a whole body: the usual one, or a text. `told` is the length that its head tells, beside the true one. */
  | {
    readonly whole: "usual" | { readonly text: string };
    readonly status?: number;
    readonly type?: string;
    readonly told?: number;
    /** Share of the body that is sent. */
    readonly share?: number;
    /** Whether it is sent byte by byte. */
    readonly drip?: true;
  }
  /** Begins a stream. */
  | { readonly begin: "stream"; readonly type?: string }
  /** Sends so many records more of the usual answer, or all that are left but so many. */
  | { readonly records: number | "rest" | { readonly allBut: number } }
  /** Sends a part of the next record. */
  | { readonly cutIn: ByteClass }
  /** Sends the next record, broken. */
  | { readonly corrupt: Corruption | "json" }
  /** Sends an exception, as the route does in mid-stream. */
  | { readonly exception: string }
  /** Sends an error frame, that is no modelled exception. */
  | { readonly errorFrame: string }
  /** Sends a frame with this type and this payload. */
  | { readonly frame: string; readonly payload: string }
  /** Sends this as a part of the body. */
  | { readonly text: string }
  /** Ends the body as it should be ended. */
  | { readonly end: "body" }
  /** Sends this on the connection, whatever it is. */
  | { readonly raw: string }
  /** Sends what is left of the answer byte by byte. */
  | { readonly drip: "rest" }
  /** Closes the connection; or resets it; or does nothing more. */
  | { readonly then: "close" | "reset" | "stall" };

/** What a client sees. */
export type View =
  /** The whole answer. */
  | { readonly served: true }
  /** An HTTP error. */
  | { readonly status: number; readonly error: string; readonly says?: RegExp }
  /** A stream that began, and ended with an `error` event. */
  | { readonly began: true; readonly error: string; readonly says?: RegExp }
  /** A stream of pings that ended with an `error` event. */
  | { readonly waited: true; readonly error: string };

/** What happens, and what is seen. */
export interface Play {
  /** What the other side does at each try; the last one again and again. */
  readonly tries: readonly (readonly Act[])[];
  /** What the client sees. */
  readonly view: View;
  /** Tries that reach the other side. */
  readonly count: number;
  /** Milliseconds that must pass, in steps, until the client is told. */
  readonly passMs?: number;
  /** The same, at each try. */
  readonly passMsEach?: number;
  /** Whose fault it is. @default what the error's type says of an answer of Bedrock's; of what is served: nobody's */
  readonly fault?: "us";
}

/** One row. */
export interface Fault {
  /** What goes wrong. */
  readonly name: string;
  /** Where. @default all four */
  readonly routes?: readonly Route[];
  /** For a client that streams; absent where it cannot happen. */
  readonly streaming?: Play;
  /** For a client that does not. */
  readonly whole?: Play;
  /** What is wrong with the store. */
  readonly store?: "gone" | "silent" | "gone later" | "read-only";
  /** What is wrong with the gateway's AWS credentials. */
  readonly credentials?: "none" | "silent";
  /** What the connection does before it hears anything: TLS is spoken to it. */
  readonly tls?: readonly Act[];
}

/** The same at every try, all of which fail. */
export function always(acts: readonly Act[], view: View, more: Partial<Play> = {}): Play {
  return { tries: [acts], view, count: 3, ...more };
}

/** At one try, which is the last. */
export function once(acts: readonly Act[], view: View, more: Partial<Play> = {}): Play {
  return { tries: [acts], view, count: 1, ...more };
}
