/**
 * Plays the acts of a fault on one connection.
 * @module
 */
import { Buffer } from "node:buffer";
import type net from "node:net";
import { concatBytes } from "../../../src/bytes.ts";
import { anthropicAnswer, anthropicEvents } from "../../../src/simulator/anthropic_wire.ts";
import { type Json, ofAnthropic, ofConverse } from "../../../src/simulator/conversation.ts";
import { converseAnswer, converseEvents } from "../../../src/simulator/converse_wire.ts";
import {
  corrupt,
  encodeFrame,
  errorFrame,
  eventFrame,
  exceptionFrame,
} from "../../../src/simulator/frames.ts";
import { say } from "../../../src/simulator/plan.ts";
import { seededRandom } from "../../../src/simulator/random.ts";
import { CONVERSE_WIRE, invokeWire, SSE_WIRE, type Wire } from "../../../src/simulator/stream.ts";
import type { Act, ByteClass, Route } from "./fault.ts";

/** What the model says when all is well. */
export const TEXT = "Eight words that are said one by one.";

/** What a player plays on. */
export interface Stage {
  /** The connection. */
  readonly socket: net.Socket;
  /** The route that was asked. */
  readonly route: Route;
  /** The request. */
  readonly request: { readonly path: string; readonly body: string };
}

const MODEL = "anthropic.claude-haiku-4-5-20251001-v1:0";

function latin(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}

/** The usual answer, as records of a stream. */
function recordsOf(route: Route, body: Json): Uint8Array[] {
  const random = seededRandom(7);
  if (route === "converse") {
    return converseEvents(say(TEXT), ofConverse(body), random)
      .map((event) => CONVERSE_WIRE.event(event));
  }
  const wire: Wire = route === "invoke" ? invokeWire(random) : SSE_WIRE;
  const conversation = ofAnthropic(body);
  return anthropicEvents(MODEL, say(TEXT), { conversation, metrics: route === "invoke" })
    .map((payload) => wire.event({ type: String(payload.type), payload }));
}

/** The usual answer, whole. */
function wholeOf(route: Route, body: Json): Uint8Array {
  const answer = route === "converse"
    ? converseAnswer(say(TEXT), ofConverse(body))
    : anthropicAnswer(MODEL, say(TEXT), ofAnthropic(body));
  return new TextEncoder().encode(JSON.stringify(answer));
}

/** How many bytes of a record are sent. */
function cutAt(record: Uint8Array, where: ByteClass, frames: boolean): number {
  const size = record.byteLength;
  if (where === "first byte") return 1;
  if (where === "all but the last byte") return size - 1;
  if (!frames) {
    const colon = record.indexOf(0x3a);
    const line = record.indexOf(0x0a);
    const places: Record<typeof where, number> = {
      "length": 3,
      "prelude checksum": colon + 1,
      "headers": colon + 4,
      "payload": Math.floor((line + size) / 2),
      "checksum": size - 2,
    };
    return places[where];
  }
  const headers = new DataView(record.buffer, record.byteOffset).getUint32(4);
  const places: Record<typeof where, number> = {
    "length": 3,
    "prelude checksum": 10,
    "headers": 12 + Math.floor(headers / 2),
    "payload": 12 + headers + Math.floor((size - 16 - headers) / 2),
    "checksum": size - 2,
  };
  return places[where];
}

/** Plays acts, one after another. */
export class Player {
  readonly #stage: Stage;
  readonly #frames: boolean;
  readonly #body: Json;
  readonly #records: Uint8Array[];
  #next = 0;
  #chunked = false;

  /** Nothing is sent yet. */
  constructor(stage: Stage) {
    this.#stage = stage;
    this.#frames = stage.route === "converse" || stage.route === "invoke";
    this.#body = JSON.parse(stage.request.body) as Json;
    this.#records = stage.request.path === "" ? [] : recordsOf(stage.route, this.#body);
  }

  /** Plays. */
  async perform(acts: readonly Act[]): Promise<"done" | "stalled"> {
    for (const act of acts) {
      if ("then" in act) return this.#finish(act.then);
      await this.#play(act);
    }
    return "done";
  }

  #finish(how: "close" | "reset" | "stall"): "done" | "stalled" {
    if (how === "stall") return "stalled";
    if (how === "close") this.#stage.socket.end();
    else this.#stage.socket.resetAndDestroy();
    return "done";
  }

  async #play(act: Exclude<Act, { readonly then: string }>): Promise<void> {
    if ("refuse" in act) return await this.#refuse(act);
    if ("whole" in act) return await this.#whole(act);
    if ("begin" in act) return await this.#begin(act.type);
    if ("records" in act) return await this.#sendRecords(act.records);
    if ("raw" in act) return await this.#write(latin(act.raw));
    if ("text" in act) return await this.#part(latin(act.text));
    if ("drip" in act) return await this.#drip();
    if ("end" in act) return await this.#write(latin("0\r\n\r\n"));
    if ("exception" in act) return await this.#part(this.#exception(act.exception));
    if ("errorFrame" in act) {
      return await this.#part(errorFrame(act.errorFrame, "An error frame"));
    }
    if ("frame" in act) return await this.#part(frameOf(act.frame, act.payload));
    const record = this.#records[this.#next++] ?? new Uint8Array();
    if ("cutIn" in act) {
      return await this.#part(record.subarray(0, cutAt(record, act.cutIn, this.#frames)));
    }
    const broken = act.corrupt === "json"
      ? latin(Buffer.from(record).toString("latin1").replace(/data: \{"/, "data: {"))
      : corrupt(record, act.corrupt);
    return await this.#part(broken);
  }

  /** Waits for the bytes to leave, so that what comes next cannot overtake them. */
  #write(bytes: Uint8Array): Promise<void> {
    const { socket } = this.#stage;
    if (socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => void socket.write(bytes, () => resolve()));
  }

  #part(bytes: Uint8Array): Promise<void> {
    if (!this.#chunked) return this.#write(bytes);
    if (bytes.byteLength === 0) return Promise.resolve();
    const size = bytes.byteLength.toString(16);
    return this.#write(concatBytes([latin(`${size}\r\n`), bytes, latin("\r\n")]));
  }

  #exception(name: string): Uint8Array {
    const message = `The model failed: ${name}`;
    return this.#frames ? exceptionFrame(name, message) : SSE_WIRE.exception(name, message);
  }

  async #refuse(act: Extract<Act, { readonly refuse: string }>): Promise<void> {
    const body = act.refuse.startsWith("{")
      ? act.refuse
      : JSON.stringify({ message: `Bedrock says ${act.refuse}` });
    const exception = act.refuse.startsWith("{") ? "" : `x-amzn-errortype: ${act.refuse}:x\r\n`;
    const more = Object.entries(act.headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`);
    await this.#write(latin(
      `HTTP/1.1 ${act.status} No\r\ncontent-type: application/json\r\n${exception}${
        more.join("")
      }content-length: ${body.length}\r\n\r\n${body}`,
    ));
  }

  async #whole(act: Extract<Act, { readonly whole: unknown }>): Promise<void> {
    const bytes = act.whole === "usual"
      ? wholeOf(this.#stage.route, this.#body)
      : latin(act.whole.text);
    const told = bytes.byteLength + (act.told ?? 0);
    await this.#write(latin(
      `HTTP/1.1 ${act.status ?? 200} OK\r\ncontent-type: ${
        act.type ?? "application/json"
      }\r\ncontent-length: ${told}\r\n\r\n`,
    ));
    const sent = bytes.subarray(0, Math.floor(bytes.byteLength * (act.share ?? 1)));
    if (act.drip) { for (const byte of sent) await this.#write(Uint8Array.of(byte)); }
    else await this.#write(sent);
  }

  async #begin(type?: string): Promise<void> {
    this.#chunked = true;
    const usual = this.#frames ? "application/vnd.amazon.eventstream" : "text/event-stream";
    await this.#write(latin(
      `HTTP/1.1 200 OK\r\ncontent-type: ${type ?? usual}\r\ntransfer-encoding: chunked\r\n\r\n`,
    ));
  }

  async #sendRecords(records: number | "rest" | { readonly allBut: number }): Promise<void> {
    const left = this.#records.length - this.#next;
    const count = records === "rest"
      ? left
      : typeof records === "number"
      ? records
      : left - records.allBut;
    for (let at = 0; at < count; at++) {
      await this.#part(this.#records[this.#next++] ?? new Uint8Array());
    }
  }

  async #drip(): Promise<void> {
    const rest = concatBytes(this.#records.slice(this.#next));
    this.#next = this.#records.length;
    for (const byte of rest) await this.#part(Uint8Array.of(byte));
  }
}

function frameOf(type: string, payload: string): Uint8Array {
  const headers = { ":event-type": type, ":content-type": "application/json" };
  return payload === "usual"
    ? eventFrame(type, {})
    : encodeFrame({ ...headers, ":message-type": "event" }, latin(payload));
}
