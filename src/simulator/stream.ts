/**
 * Records (frames, or server-sent events) as a body: in pieces cut at random, at a pace, with a fault.
 * @module
 */
import type { Clock } from "../clock.ts";
import { corrupt, errorFrame, eventFrame, exceptionFrame } from "./frames.ts";
import type { Fault, Plan } from "./plan.ts";
import { padding, type Random, splitRandomly } from "./random.ts";

/** How records are written on a route. */
export interface Wire {
  /** Content type of the body. */
  readonly contentType: string;
  /** An exception in mid-stream. */
  exception(name: string, message: string): Uint8Array;
  /** One event of a plan. */
  event(event: { readonly type: string; readonly payload: unknown }): Uint8Array;
}

const encoder = new TextEncoder();

function toBase64(text: string): string {
  return encoder.encode(text).toBase64();
}

/** ConverseStream: a frame for each event. */
export const CONVERSE_WIRE: Wire = {
  contentType: "application/vnd.amazon.eventstream",
  exception: exceptionFrame,
  event: ({ type, payload }) => eventFrame(type, payload),
};

/** InvokeModelWithResponseStream: a `chunk` frame with the event in base64. */
export function invokeWire(random: Random): Wire {
  return {
    contentType: "application/vnd.amazon.eventstream",
    exception: exceptionFrame,
    event: ({ payload }) =>
      eventFrame("chunk", { bytes: toBase64(JSON.stringify(payload)), p: padding(random) }),
  };
}

/** The Messages endpoints: server-sent events. */
export const SSE_WIRE: Wire = {
  contentType: "text/event-stream",
  exception(name, message) {
    const type = /throttling/i.test(name)
      ? "rate_limit_error"
      : /unavailable|NotReady/i.test(name)
      ? "overloaded_error"
      : "api_error";
    return encoder.encode(
      `event: error\ndata: ${JSON.stringify({ type: "error", error: { type, message } })}\n\n`,
    );
  },
  event: ({ type, payload }) =>
    encoder.encode(`event: ${type}\ndata: ${JSON.stringify(payload)}\n\n`),
};

/** A fault as bytes; undefined for one that ends or stays. */
function faultBytes(fault: Fault, wire: Wire, next: Uint8Array): Uint8Array | undefined {
  switch (fault.kind) {
    case "exception":
      return wire.exception(fault.name, fault.message);
    case "corrupt":
      return corrupt(next, fault.how);
    case "cut":
      return next.subarray(0, Math.max(1, next.byteLength - 9));
    case "early_end":
    case "stall":
      return undefined;
  }
}

/** One thing that happens in a stream. */
export type Happening =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "stall" };

/** What happens in the stream of a plan, in order. */
export function happenings(
  plan: Plan,
  events: readonly { readonly type: string; readonly payload: unknown }[],
  wire: Wire,
): Happening[] {
  const records = events.map((event) => wire.event(event));
  const { fault } = plan;
  const whole = fault === undefined ? records : records.slice(0, fault.after);
  const happening: Happening[] = [];
  if (plan.silentMs !== undefined) happening.push({ kind: "wait", ms: plan.silentMs });
  for (const bytes of whole) {
    happening.push({ kind: "bytes", bytes });
    if (plan.paceMs !== undefined) happening.push({ kind: "wait", ms: plan.paceMs });
  }
  if (fault === undefined) return happening;
  const bytes = faultBytes(
    fault.what,
    wire,
    records[fault.after] ?? errorFrame("InternalFailure", "no more"),
  );
  if (bytes !== undefined) happening.push({ kind: "bytes", bytes });
  // What stands behind a corrupt frame is sent too: nothing of it may reach a client.
  if (fault.what.kind === "corrupt") {
    for (const record of records.slice(fault.after + 1)) {
      happening.push({ kind: "bytes", bytes: record });
    }
  }
  if (fault.what.kind === "stall") happening.push({ kind: "stall" });
  return happening;
}

/** What a body needs. */
export interface BodyOptions {
  /** Cuts. */
  readonly random: Random;
  /** Waits. */
  readonly clock: Clock;
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal;
  /** Told when the client left before the end. */
  readonly onCancel: () => void;
  /** Told when all was sent. */
  readonly onEnd: () => void;
}

/** The body in which it all happens. */
export function bodyOf(
  happening: readonly Happening[],
  options: BodyOptions,
): ReadableStream<Uint8Array> {
  const { random, clock, signal, onCancel, onEnd } = options;
  let next = 0;
  let pieces: Uint8Array[] = [];
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      for (;;) {
        const piece = pieces.shift();
        if (piece !== undefined) return controller.enqueue(piece);
        const now = happening[next++];
        if (now === undefined) {
          onEnd();
          return controller.close();
        }
        if (now.kind === "bytes") pieces = splitRandomly(now.bytes, random);
        else await pause(now.kind === "wait" ? now.ms : Infinity, clock, signal);
        if (signal.aborted) return controller.close();
      }
    },
    cancel: onCancel,
  });
}

function pause(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = ms === Infinity ? () => {} : clock.after(ms, resolve);
    signal.addEventListener("abort", () => {
      cancel();
      resolve();
    }, { once: true });
  });
}
