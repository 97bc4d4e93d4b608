/** What the client sends: one request each, as it is. */
import assert from "node:assert/strict";
import { Http1Client } from "../../src/net/http1_client.ts";
import { readAll } from "../../src/net/http_client.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A server that nobody may reach; it counts connections. */
async function withServer(
  test: (url: URL, connections: () => number) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let connections = 0;
  const accepting = (async () => {
    for await (const connection of listener) {
      connections++;
      connection.close();
    }
  })();
  try {
    await test(new URL(`http://127.0.0.1:${listener.addr.port}/x`), () => connections);
  } finally {
    listener.close();
    await accepting;
  }
}

Deno.test("Http1Client sends no header that would be two", () =>
  withServer(async (url, connections) => {
    const client = new Http1Client();
    for (const value of ["a\r\nx-evil: 1", "a\nb", "a\0", "日本"]) {
      await assert.rejects(
        client.send({
          url,
          method: "POST",
          headers: { "anthropic-beta": value },
          body: new Uint8Array(),
          signal: new AbortController().signal,
        }),
        TypeError,
      );
    }
    assert.equal(connections(), 0);
    client.close();
  }));

Deno.test("Http1Client sends no path that would be more than one", () =>
  withServer(async (url, connections) => {
    const client = new Http1Client();
    for (const pathname of ["/a b", "/a HTTP/1.1\r\nx: 1", "/\u010d\u010a", "/é"]) {
      const { protocol, host, hostname, port } = url;
      await assert.rejects(
        client.send({
          url: { protocol, host, hostname, port, pathname, search: "" },
          method: "POST",
          headers: {},
          body: new Uint8Array(),
          signal: AbortSignal.timeout(5_000), // whoever sends it waits for an answer
        }),
        TypeError,
      );
    }
    assert.equal(connections(), 0);
    client.close();
  }));

Deno.test("Http1Client sends each of many requests as it is, whatever others are on their way", async () => {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => new Response(`${request.headers.get("x-n")} ${await request.text()}`),
  );
  const client = new Http1Client();
  const url = new URL(`http://127.0.0.1:${server.addr.port}/`);
  const signal = AbortSignal.timeout(20_000); // a request that is not whole is waited for for ever
  const ask = async (n: number) => {
    const text = `${n}`.repeat(1 + n * n % 20_000);
    // Some values are no ASCII: such a head goes another way.
    const headers = { "x-n": n % 7 === 0 ? `${n} ü` : `${n}` };
    const body = encoder.encode(text);
    const answer = await client.send({ url, method: "POST", headers, body, signal });
    assert.equal(decoder.decode(await readAll(answer.body)), `${headers["x-n"]} ${text}`);
  };
  try {
    for (let round = 0; round < 3; round++) {
      await Promise.all(Array.from({ length: 60 }, (_, n) => ask(60 * round + n)));
    }
  } finally {
    client.close();
    await server.shutdown();
  }
});
