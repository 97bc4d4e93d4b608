/** HTTP/1.1 by hand, against servers that send exactly the bytes written here. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Http1Client } from "../../src/net/http1_client.ts";
import { readAll } from "../../src/net/http_client.ts";
import { checkAsyncProperty } from "../seed.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface Script {
  /** What is sent for a request, piece by piece; nothing more is read meanwhile. */
  readonly pieces: readonly string[];
  /** Whether the connection is closed behind it. */
  readonly close?: boolean;
}

/** A server that answers each request by the next script; it counts connections. */
class Scripted {
  connections = 0;
  readonly requests: string[] = [];
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #scripts: Script[] = [];
  readonly #open = new Set<Deno.Conn>();
  readonly #serving = this.#serve();

  get url(): URL {
    return new URL(`http://127.0.0.1:${(this.#listener.addr as Deno.NetAddr).port}/x`);
  }

  next(...scripts: readonly Script[]): void {
    this.#scripts.push(...scripts);
  }

  async stop(): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) connection.close();
    await this.#serving;
  }

  async #serve(): Promise<void> {
    const all: Promise<void>[] = [];
    for await (const connection of this.#listener) {
      this.connections++;
      this.#open.add(connection);
      all.push(this.#answer(connection).catch(() => undefined)); // a client that leaves is no failure here
    }
    await Promise.all(all);
  }

  async #answer(connection: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(65_536);
    for (;;) {
      const size = await connection.read(buffer);
      if (size === null) return;
      this.requests.push(decoder.decode(buffer.subarray(0, size)));
      const { pieces = [], close = false } = this.#scripts.shift() ?? {};
      for (const piece of pieces) {
        await connection.write(encoder.encode(piece));
        await new Promise((resolve) => setTimeout(resolve, 0)); // so that pieces arrive apart
      }
      if (!close) continue;
      this.#open.delete(connection);
      connection.close();
      return;
    }
  }
}

async function withScripted(
  test: (server: Scripted, ask: (text?: string) => Promise<string>) => Promise<void>,
): Promise<void> {
  const server = new Scripted();
  const client = new Http1Client();
  const ask = async (text: string = "hello") => {
    const answer = await client.send({
      url: server.url,
      method: "POST",
      headers: { "content-type": "text/plain" },
      body: encoder.encode(text),
      signal: new AbortController().signal,
    });
    return `${answer.status} ${decoder.decode(await readAll(answer.body))}`;
  };
  try {
    await test(server, ask);
  } finally {
    client.close();
    await server.stop();
  }
}

/** Lets the loop turn, so that a client hears of what has happened to its connections. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
}

const OK = "HTTP/1.1 200 OK\r\n";

/** Answers, what is read of them, and whether the connection serves again. */
const ANSWERS: readonly (readonly [name: string, answer: string, read: string, again: boolean])[] =
  [
    ["a length", `${OK}content-length: 5\r\n\r\nhello`, "200 hello", true],
    ["a length of nothing", `${OK}Content-Length: 0\r\n\r\n`, "200 ", true],
    [
      "chunks",
      `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n`,
      "200 hello",
      true,
    ],
    [
      "chunks with extensions and trailers",
      `${OK}transfer-encoding: CHUNKED\r\n\r\nA;x="1"\r\n0123456789\r\n00\r\nx-a: 1\r\nx-b: 2\r\n\r\n`,
      "200 0123456789",
      true,
    ],
    [
      "news before the answer",
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\n${OK}content-length: 1\r\n\r\nx`,
      "200 x",
      true,
    ],
    ["no content", "HTTP/1.1 204 No Content\r\n\r\n", "204 ", true],
    ["no reason", "HTTP/1.1 200\r\ncontent-length: 1\r\n\r\nx", "200 x", true],
    [
      "a connection that is to end",
      `${OK}connection: close\r\ncontent-length: 1\r\n\r\nx`,
      "200 x",
      false,
    ],
    ["HTTP/1.0", "HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx", "200 x", false],
    [
      "HTTP/1.0 that lasts",
      "HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 1\r\n\r\nx",
      "200 x",
      true,
    ],
    [
      "a length beside chunks",
      `${OK}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n`,
      "200 x",
      false,
    ],
  ];

for (const [name, answer, read, again] of ANSWERS) {
  Deno.test(`Http1Client reads ${name}, wherever it is cut`, () =>
    withScripted(async (server, ask) => {
      for (let cut = 0; cut < answer.length; cut += cut < 20 ? 7 : 3) {
        server.next({
          pieces: [answer.slice(0, cut), answer.slice(cut)].filter((part) => part !== ""),
        });
        assert.equal(await ask(), read, `cut at ${cut}`);
      }
      const { connections } = server;
      assert.equal(connections === 1, again, `${connections} connections`);
    }));
}

Deno.test("Http1Client reads a body to the connection's end where nothing else tells it", () =>
  withScripted(async (server, ask) => {
    server.next({ pieces: [`${OK}\r\nhel`, "lo"], close: true });
    assert.equal(await ask(), "200 hello");
  }));

const BROKEN: Readonly<Record<string, string>> = {
  "no HTTP": "SSH-2.0-OpenSSH\r\n\r\n",
  "another version": "HTTP/2 200 OK\r\n\r\n",
  "a header without a colon": `${OK}content-length 5\r\n\r\nhello`,
  "a header that goes on": `${OK}x: 1\r\n content-length: 5\r\n\r\nhello`,
  "two lengths": `${OK}content-length: 5\r\ncontent-length: 6\r\n\r\nhello`,
  "a length below nothing": `${OK}content-length: -5\r\n\r\nhello`,
  "an encoding we do not know": `${OK}transfer-encoding: gzip, chunked\r\n\r\nhello`,
  "a chunk's size that is none": `${OK}transfer-encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n`,
  "a chunk's size beyond all": `${OK}transfer-encoding: chunked\r\n\r\n123456789\r\nhello`,
  "a chunk longer than its size": `${OK}transfer-encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n`,
  "a chunk's line without CR": `${OK}transfer-encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n`,
  "a protocol nobody asked for": "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
  "a head without end": `${OK}x: ${"y".repeat(70_000)}`,
  "an end in the head": `${OK}content-le`,
  "an end in a sized body": `${OK}content-length: 9\r\n\r\nhello`,
  "an end in a chunk": `${OK}transfer-encoding: chunked\r\n\r\n9\r\nhello`,
  "an end before the last chunk": `${OK}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n`,
  "nothing at all": "",
};

for (const [name, answer] of Object.entries(BROKEN)) {
  Deno.test(`Http1Client fails at ${name}, and takes a new connection for the next request`, () =>
    withScripted(async (server, ask) => {
      server.next({ pieces: [answer], close: true });
      await assert.rejects(ask());
      server.next({ pieces: [`${OK}content-length: 2\r\n\r\nok`] });
      assert.equal(await ask(), "200 ok");
      assert.equal(server.connections, 2);
    }));
}

Deno.test("Http1Client reads bodies of any size in chunks of any size, on one connection", () =>
  withScripted((server, ask) =>
    checkAsyncProperty(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 40_000 }), { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 30_000 }), { maxLength: 6 }),
        async (chunks, cuts) => {
          let body = "";
          let text = `${OK}transfer-encoding: chunked\r\n\r\n`;
          chunks.forEach((size, index) => {
            const part = String.fromCharCode(97 + index).repeat(size);
            body += part;
            text += `${size.toString(16)}\r\n${part}\r\n`;
          });
          text += "0\r\n\r\n";
          const pieces: string[] = [];
          for (const size of cuts) {
            pieces.push(text.slice(0, size));
            text = text.slice(size);
          }
          server.next({ pieces: [...pieces, text].filter((piece) => piece !== "") });
          assert.equal(await ask(), `200 ${body}`);
          assert.equal(server.connections, 1);
        },
      ),
      40,
    )
  ));

Deno.test("Http1Client gives an answer that comes before all of the request is sent, and ends the connection", () =>
  withScripted(async (server, ask) => {
    server.next({
      pieces: ["HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig"],
      close: true,
    });
    assert.equal(await ask("x".repeat(30_000_000)), "413 big");
    server.next({ pieces: [`${OK}content-length: 2\r\n\r\nok`] });
    assert.equal(await ask(), "200 ok");
    assert.equal(server.connections, 2);
  }));

Deno.test("Http1Client uses no connection on which something came that nobody asked for, or that was closed", () =>
  withScripted(async (server, ask) => {
    for (const close of [false, true]) {
      const { connections } = server;
      server.next({
        pieces: close
          ? [`${OK}content-length: 2\r\n\r\nok`]
          : [`${OK}content-length: 2\r\n\r\nok${OK}`],
        close,
      });
      assert.equal(await ask(), "200 ok");
      await turns();
      server.next({ pieces: [`${OK}content-length: 3\r\n\r\nnew`], close: true });
      assert.equal(await ask(), "200 new");
      assert.equal(server.connections, connections + 2);
      await turns();
    }
  }));
