/**
 * What really went between a client and the gateway: a proxy between them that changes nothing.
 * @module
 */
import assert from "node:assert/strict";

/** One request of the client and its answer. */
export interface Exchanged {
  /** HTTP method. */
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** Body sent. */
  readonly sent: string;
  /** Status the client got. */
  readonly status: number;
  /** Body the client got, as far as it has come. */
  answer: string;
}

/** A running witness. */
export interface Witness {
  /** Base URL for the client. */
  readonly url: string;
  /** Everything so far, in the order of answers. */
  readonly exchanged: readonly Exchanged[];
  /** Stops. */
  close(): Promise<void>;
}

/** Headers that hold for one connection only, or are the fetch's own. */
const HOP_BY_HOP = ["connection", "host", "content-length", "accept-encoding", "transfer-encoding"];

async function pass(request: Request, base: string, exchanged: Exchanged[]): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const headers = new Headers(request.headers);
  for (const name of HOP_BY_HOP) headers.delete(name);
  const sent = await request.text();
  const answer = await fetch(`${base}${pathname}${search}`, {
    method: request.method,
    headers,
    ...(sent === "" ? {} : { body: sent }),
    signal: request.signal,
  });
  const { status } = answer;
  const seen = { method: request.method, path: `${pathname}${search}`, sent, status, answer: "" };
  exchanged.push(seen);
  const decoder = new TextDecoder();
  const body = answer.body?.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(part, controller) {
        seen.answer += decoder.decode(part, { stream: true });
        controller.enqueue(part);
      },
    }),
  );
  return new Response(body ?? null, { status, headers: answer.headers });
}

/** Stands between a client and the gateway at `base`. */
export function startWitness(base: string): Witness {
  const exchanged: Exchanged[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => pass(request, base, exchanged),
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    exchanged,
    close: () => server.shutdown(),
  };
}

/** Fails if the client was ever refused, by a status or inside a stream. */
export function assertNeverRefused(exchanged: readonly Exchanged[]): void {
  const refused = exchanged.filter(({ status, answer }) =>
    status >= 400 || answer.includes("event: error\n")
  );
  assert.deepEqual(
    refused.map(({ method, path, status, answer }) => ({ method, path, status, answer })),
    [],
  );
}
