/**
 * Bedrock's side of a fault, byte by byte on a TCP connection: what a well-behaved server cannot be made to do.
 * @module
 */
import { Buffer } from "node:buffer";
import net from "node:net";
import type { Act, Route } from "./fault.ts";
import { Player } from "./player.ts";

/** The other side. */
export interface RawBedrock {
  /** Base URL. */
  readonly url: string;
  /** Requests so far. */
  readonly requests: number;
  /** Connections whose client waits for an answer, or for the rest of it. */
  readonly open: number;
  /** Whether the act of the moment is to do nothing more. */
  readonly stalled: boolean;
  /** Stops. */
  close(): Promise<void>;
}

/** What it does. */
export interface RawOptions {
  /** The route that is asked. */
  readonly route: Route;
  /** Acts for each request; the last ones again and again. */
  readonly tries: readonly (readonly Act[])[];
  /** Acts for each connection, before a request is read. */
  readonly onConnect?: readonly Act[] | undefined;
}

interface Heard {
  readonly path: string;
  readonly body: string;
}

/** A request whose head and body are there, or undefined. */
function heard(text: string): { request: Heard; length: number } | undefined {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const head = text.slice(0, headEnd);
  const length = headEnd + 4 + Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
  if (text.length < length) return undefined;
  const path = /^\w+ (\S+)/.exec(head)?.[1] ?? "";
  return { request: { path, body: text.slice(headEnd + 4, length) }, length };
}

/** Starts to listen. */
export async function startRawBedrock(options: RawOptions): Promise<RawBedrock> {
  const sockets = new Set<net.Socket>();
  const answering = new Set<net.Socket>();
  const state = { requests: 0, stalled: false };
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true); // what is written in two parts leaves at once
    socket.on("close", () => {
      sockets.delete(socket);
      if (answering.delete(socket)) state.stalled = false;
    });
    socket.on("error", () => socket.destroy()); // the gateway hung up, as it may
    let text = "";
    const perform = async (acts: readonly Act[], request: Heard) => {
      answering.add(socket);
      const player = new Player({ socket, route: options.route, request });
      state.stalled = await player.perform(acts) === "stalled";
      if (!state.stalled) answering.delete(socket);
    };
    if (options.onConnect !== undefined) {
      const { onConnect } = options;
      socket.once("data", () => {
        state.requests++;
        void perform(onConnect, { path: "", body: "{}" });
      });
      return;
    }
    socket.on("data", (bytes: Uint8Array) => {
      text += Buffer.from(bytes).toString("latin1");
      const whole = heard(text);
      if (whole === undefined) return;
      text = text.slice(whole.length);
      const acts = options.tries[Math.min(state.requests, options.tries.length - 1)] ?? [];
      state.requests++;
      void perform(acts, whole.request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const { port } = server.address() as net.AddressInfo;
  return {
    url: `${options.onConnect === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    get requests() {
      return state.requests;
    },
    get open() {
      return answering.size;
    },
    get stalled() {
      return state.stalled;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
