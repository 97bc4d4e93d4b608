/** The client of the request path, over real connections: what is sent once arrives once, whatever becomes of it. */
import assert from "node:assert/strict";
import { FetchHttpClient } from "../../src/net/fetch_client.ts";
import { Http1Client } from "../../src/net/http1_client.ts";
import { type HttpAnswer, type HttpClient, readAll } from "../../src/net/http_client.ts";
import { openHttpClient } from "../../src/net/open_http_client.ts";

const CLIENTS: Record<string, () => HttpClient> = {
  Http1Client: () => new Http1Client(),
  FetchHttpClient: () => new FetchHttpClient(),
};

interface Upstream {
  readonly url: URL;
  /** Bodies that arrived. */
  readonly got: string[];
  /** Resolves when a request whose body is `text` was ended by its client. */
  left(text: string): Promise<void>;
  stop(): Promise<void>;
}

function startUpstream(): Upstream {
  const got: string[] = [];
  const gone = new Map<string, PromiseWithResolvers<void>>();
  const leaving = (text: string) => {
    const known = gone.get(text) ?? Promise.withResolvers<void>();
    gone.set(text, known);
    return known;
  };
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const text = await request.text();
      got.push(text);
      request.signal.addEventListener("abort", () => leaving(text).resolve());
      if (text === "stall") await leaving(text).promise;
      if (text === "moved") {
        return new Response("", {
          status: 302,
          headers: { location: "/other" },
        });
      }
      if (text !== "stall mid") {
        return new Response(`answer to ${text}`, {
          headers: { "x-mark": "m" },
        });
      }
      return new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode("begin")),
        }),
      );
    },
  );
  return {
    url: new URL(`http://127.0.0.1:${(server.addr as Deno.NetAddr).port}/path?query=1`),
    got,
    left: (text) => leaving(text).promise,
    stop: () => server.shutdown(),
  };
}

function ask(
  client: HttpClient,
  url: URL,
  text: string,
  signal?: AbortSignal,
): Promise<HttpAnswer> {
  return client.send({
    url,
    method: "POST",
    headers: { "content-type": "text/plain" },
    body: new TextEncoder().encode(text),
    signal: signal ?? new AbortController().signal,
  });
}

async function textOf(answer: HttpAnswer): Promise<string> {
  return new TextDecoder().decode(await readAll(answer.body));
}

async function withUpstream(
  make: () => HttpClient,
  test: (client: HttpClient, upstream: Upstream) => Promise<void>,
): Promise<void> {
  const upstream = startUpstream();
  const client = make();
  try {
    await test(client, upstream);
  } finally {
    client.close();
    await upstream.stop();
  }
}

for (const [name, make] of Object.entries(CLIENTS)) {
  Deno.test(`${name} gives status, headers and body, request after request`, () =>
    withUpstream(make, async (client, { url, got }) => {
      for (const text of ["one", "", "two"]) {
        const answer = await ask(client, url, text);
        assert.equal(answer.status, 200);
        assert.equal(answer.header("x-mark"), "m");
        assert.equal(answer.header("x-none"), null);
        assert.equal(await textOf(answer), `answer to ${text}`);
      }
      assert.deepEqual(got, ["one", "", "two"]);
    }));

  Deno.test(`${name} follows no redirect`, () =>
    withUpstream(make, async (client, { url, got }) => {
      const answer = await ask(client, url, "moved");
      assert.equal(answer.status, 302);
      await textOf(answer);
      assert.deepEqual(got, ["moved"]);
    }));

  Deno.test(`${name} ends a request whose signal aborts, on a kept connection too, and sends it once`, () =>
    withUpstream(make, async (client, { url, got, left }) => {
      await textOf(await ask(client, url, "one"));
      const abort = new AbortController();
      const pending = assert.rejects(ask(client, url, "stall", abort.signal), /The client left/);
      while (!got.includes("stall")) await new Promise((resolve) => setTimeout(resolve, 1));
      abort.abort(new Error("The client left"));
      await pending;
      await left("stall");
      assert.equal(await textOf(await ask(client, url, "two")), "answer to two");
      assert.deepEqual(got, ["one", "stall", "two"]);
    }));

  Deno.test(`${name} ends the reading of an answer that is cancelled, and the answer with it`, () =>
    withUpstream(make, async (client, { url, left }) => {
      const answer = await ask(client, url, "stall mid");
      assert.equal(new TextDecoder().decode(await answer.body.read()), "begin");
      answer.body.cancel();
      await left("stall mid");
    }));

  Deno.test(`${name} fails where nobody listens, and where the signal has aborted before`, () =>
    withUpstream(make, async (client, { url, got }) => {
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = listener.addr as Deno.NetAddr;
      listener.close();
      await assert.rejects(ask(client, new URL(`http://127.0.0.1:${port}/`), "x"));
      await assert.rejects(
        ask(client, url, "x", AbortSignal.abort(new Error("Too late"))),
        /Too late/,
      );
      assert.deepEqual(got, []);
    }));
}

Deno.test("Http1Client fails, and sends nothing again, when a kept connection breaks under a request", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const heads: string[] = [];
  const serving = (async () => {
    for await (const connection of listener) {
      const buffer = new Uint8Array(4_096);
      for (;;) {
        const size = await connection.read(buffer).catch(() => null);
        if (size === null) break;
        const text = new TextDecoder().decode(buffer.subarray(0, size));
        if (text.includes("POST")) heads.push(text.includes("first") ? "first" : "second");
        if (!text.includes("first")) break;
        await connection.write(
          new TextEncoder().encode("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
        );
      }
      connection.close();
    }
  })();
  const client = new Http1Client();
  const url = new URL(`http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}/`);
  try {
    assert.equal(await textOf(await ask(client, url, "first")), "ok");
    await assert.rejects(ask(client, url, "again"));
    assert.deepEqual(heads, ["first", "second"]);
  } finally {
    client.close();
    listener.close();
    await serving;
  }
});

Deno.test("Http1Client makes the other side wait when its answer is not read", async () => {
  const chunk = new Uint8Array(64 * 1024);
  let sent = 0;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            sent += chunk.byteLength;
            if (sent > 64 * 1024 * 1024) controller.close();
            else controller.enqueue(chunk);
          },
        }),
      ),
  );
  const client = new Http1Client();
  try {
    const url = new URL(`http://127.0.0.1:${(server.addr as Deno.NetAddr).port}/`);
    const answer = await ask(client, url, "x");
    let before = -1;
    while (sent !== before) { // until nothing more is sent for a while
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.ok(sent < 32 * 1024 * 1024, `${sent} bytes were taken though nobody reads`);
    assert.equal((await readAll(answer.body)).byteLength, 64 * 1024 * 1024);
  } finally {
    client.close();
    await server.shutdown();
  }
});

Deno.test("openHttpClient() takes fetch where the environment names a proxy", () => {
  assert.ok(openHttpClient(() => undefined) instanceof Http1Client);
  const env = (name: string) => name === "HTTPS_PROXY" ? "http://proxy:3128" : undefined;
  assert.ok(openHttpClient(env) instanceof FetchHttpClient);
});

Deno.test("readAll() keeps no body that is larger than any answer is, and ends it", async () => {
  const room = new Uint8Array(8 * 1_048_576);
  for (const length of [undefined, 2 ** 31]) {
    let read = 0;
    let cancelled = 0;
    const endless = {
      length,
      read: () => {
        read++;
        return Promise.resolve(room);
      },
      cancel: () => void cancelled++,
    };
    await assert.rejects(readAll(endless), /must be at most 67108864 bytes/);
    assert.equal(cancelled, 1);
    assert.equal(read, length === undefined ? 9 : 0);
  }
});
