/**
 * Answers said in advance, byte for byte: what tests with data want Bedrock to answer.
 *
 * A script is JSON: `{"status", "headers", "json" | "text"}` for a whole answer; `{"frames": […]}` for an event
 * stream; `{"anthropic": […]}` for Anthropic's events on whichever route they are asked for.
 * @module
 */
import { type Json, object, objects } from "./conversation.ts";
import { corrupt, type Corruption, errorFrame, eventFrame, exceptionFrame } from "./frames.ts";
import type { Random } from "./random.ts";
import { type Happening, invokeWire, SSE_WIRE } from "./stream.ts";

/** One answer. */
export interface Script {
  /** HTTP status. */
  readonly status: number;
  /** Headers beside those that every answer has. */
  readonly headers: Readonly<Record<string, string>>;
  /** A whole body. */
  readonly body?: string;
  /** What happens in a streamed body, on the route that was asked. */
  readonly stream?: (route: "converse" | "invoke" | "sse", random: Random) => Happening[];
}

function recordOf(frame: Json): Happening {
  const message = String(object(frame.json).message ?? "");
  if (frame.event !== undefined) {
    return { kind: "bytes", bytes: eventFrame(String(frame.event), frame.json) };
  }
  if (frame.exception !== undefined) {
    return { kind: "bytes", bytes: exceptionFrame(String(frame.exception), message) };
  }
  if (frame.error !== undefined) {
    const { code, message: text } = object(frame.error);
    return { kind: "bytes", bytes: errorFrame(String(code), String(text)) };
  }
  if (frame.corrupt !== undefined) {
    const whole = eventFrame("contentBlockDelta", {
      contentBlockIndex: 0,
      delta: { text: "corrupt" },
    });
    return { kind: "bytes", bytes: corrupt(whole, String(frame.corrupt) as Corruption) };
  }
  if (frame.cut === true) {
    return {
      kind: "bytes",
      bytes: eventFrame("contentBlockStop", { contentBlockIndex: 0 }).subarray(0, 20),
    };
  }
  if (frame.stall === true) return { kind: "stall" };
  throw new SyntaxError(
    `Cannot read a frame as it must have event, exception, error, corrupt, cut or stall: ${
      JSON.stringify(frame)
    }`,
  );
}

/**
 * Reads a script.
 *
 * @throws {SyntaxError} If it is none
 */
export function parseScript(json: unknown): Script {
  const script = object(json);
  const status = typeof script.status === "number" ? script.status : 200;
  const headers = Object.fromEntries(
    Object.entries(object(script.headers)).map(([name, value]) => [name, String(value)]),
  );
  if (script.frames !== undefined) {
    const records = objects(script.frames).map(recordOf);
    return { status, headers, stream: () => records };
  }
  if (script.anthropic !== undefined) {
    const events = objects(script.anthropic);
    return {
      status,
      headers,
      stream: (route, random) => {
        const wire = route === "invoke" ? invokeWire(random) : SSE_WIRE;
        return events.map((payload) => ({
          kind: "bytes",
          bytes: wire.event({ type: String(payload.type), payload }),
        }));
      },
    };
  }
  if (script.json !== undefined) return { status, headers, body: JSON.stringify(script.json) };
  if (typeof script.text === "string") return { status, headers, body: script.text };
  throw new SyntaxError(
    "Cannot read a script as it must have json, text, frames or anthropic: it has none of them",
  );
}
