/**
 * Gateways that requests are fuzzed at, and what must hold for each request.
 * @module
 */
import assert from "node:assert/strict";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { seededRandom } from "../../src/simulator/random.ts";
import type { Script } from "../../src/simulator/script.ts";
import { SIMULATOR_CREDENTIALS } from "../../src/simulator/simulator.ts";
import { type Harness, startHarness } from "../harness.ts";
import { raw } from "../security/raw.ts";
import { mutateBytes } from "./mutate.ts";
import type { FuzzRequest } from "./requests.ts";
import { streamOf } from "./streams.ts";

const encoder = new TextEncoder();

/** What must be seen by nobody, and stands where the gateway keeps its own. */
const CANARIES = {
  master: "canary-master-key-7f3a9c1e5b",
  secret: SIMULATOR_CREDENTIALS.secretAccessKey,
};

const PLUGINS = `
  - { use: auth, with: { master_key: ${CANARIES.master} } }
  - { use: rate_limit, with: { requests_per_minute: 100000000, concurrency: 10000 } }
  - use: usage
  - { use: ./watcher.ts }
`;

/** Looks at every body and event, so that nothing goes the short way alone. */
const WATCHER = `export default ({ define, z }) => define({
  name: "watcher", schema: z.unknown(), collectMessage: true,
  setup: () => ({
    onCall(ctx) { JSON.stringify(ctx.body); },
    onEvent(event) { return event.type === "ping" ? undefined : event; },
    onComplete(ctx) { JSON.stringify([ctx.message, ctx.usage, ctx.billed, ctx.outcome]); },
  }),
});`;

/** Gateways that fuzzing sends to: one for each way to Claude, the second with a plugin that sees everything. */
export class FuzzTarget {
  /** Answers by status, as clients saw them. */
  readonly statuses: Map<number, number> = new Map();
  /** What the gateways counted, by whose fault and status; there when it is closed. */
  readonly faults: Map<string, number> = new Map();
  readonly #harnesses: Harness[] = [];
  readonly #folder: string;
  /** Whether Bedrock answered the request at hand with a stream of a seed. */
  #streamed = false;
  #rejections: unknown[] = [];
  readonly #onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    this.#rejections.push(event.reason);
  };

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Starts them. */
  static async open(): Promise<FuzzTarget> {
    const folder = await Deno.makeTempDir();
    await Deno.writeTextFile(`${folder}/watcher.ts`, WATCHER);
    const target = new FuzzTarget(folder);
    globalThis.addEventListener("unhandledrejection", target.#onRejection);
    for (const route of ["invoke", "messages", "converse"]) {
      const plugins = route === "messages" ? PLUGINS.replace(/.*watcher.*\n/, "") : PLUGINS;
      const config = `models:
  claude_route: ${route}
  aliases: { mine: { model: qwen.qwen3-32b-v1:0, tier: flex, fallback: [claude-haiku-4-5] } }
limits: { retries: 0 }
plugins:${plugins}`;
      target.#harnesses.push(await startHarness({ config, base: folder }));
    }
    return target;
  }

  /**
   * Sends one request, to the gateway that `which` says.
   *
   * @throws {AssertionError} If it is not answered, the gateway fails by its own fault, or tells a secret
   */
  async send(request: FuzzRequest, which: number): Promise<void> {
    const harness = this.#harnesses[which % this.#harnesses.length] as Harness;
    if (request.stream !== undefined) harness.simulator.script(this.#scriptOf(request.stream));
    this.#streamed = false;
    const { status, text } = await answerOf(request, harness);
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    // Nothing else here gives a cause for one: it is Bedrock's, or it is ours.
    assert.ok(status < 500 || this.#streamed, `a ${status} without a broken stream: ${text}`);
    this.#assertQuiet(harness, text);
  }

  #assertQuiet(harness: Harness, text: string): void {
    const log = harness.log as string[];
    for (const line of log) {
      // The gateway has no AWS account here that could refuse it: what is its fault is a fault of its code.
      assert.ok(!/"fault":"us"|"level":"ERROR"/.test(line), line.slice(0, 2_000));
    }
    const told = text + log.join("");
    for (const canary of [...Object.values(CANARIES), harness.key]) {
      assert.ok(!told.includes(canary), `a canary was told: ${told.slice(0, 500)}`);
    }
    log.length = 0;
    assert.deepEqual(this.#rejections, []);
    assert.deepEqual(Object.getOwnPropertyNames(Object.prototype).sort(), PROTOTYPE);
  }

  #scriptOf(seed: number): Script {
    const { chunks } = streamOf(seed);
    const stream = () => {
      this.#streamed = true;
      return chunks.map((bytes) => ({ kind: "bytes" as const, bytes }));
    };
    return { status: 200, headers: {}, stream };
  }

  /** Adds up what a gateway counted; of its own fault must be nothing, and every 5xx must be told as Bedrock's. */
  #count({ gateway }: Harness): void {
    for (const { fault, status, count } of gateway.services.counts.all()) {
      assert.ok(fault !== "us" && (status < 500 || fault === "bedrock"), `${fault} ${status}`);
      const name = `${fault} ${status}`;
      this.faults.set(name, (this.faults.get(name) ?? 0) + count);
    }
  }

  /** Closes all; nothing may be open any more. */
  async close(): Promise<void> {
    for (const harness of this.#harnesses) {
      assert.equal((await fetch(`${harness.url}/health`)).status, 200);
      await harness.gateway.services.background.settled();
      assert.equal(harness.gateway.services.admission.inFlight, 0);
      await harness.close();
      this.#count(harness);
      assert.equal(harness.simulator.open, 0);
    }
    globalThis.removeEventListener("unhandledrejection", this.#onRejection);
    assert.deepEqual(this.#rejections, []);
    await Deno.remove(this.#folder, { recursive: true });
  }
}

const PROTOTYPE = Object.getOwnPropertyNames(Object.prototype).sort();

/** A client that waits so long for an answer waits for nothing. */
const HUNG_MS = 60_000;

const COMPRESS: Record<string, (bytes: Uint8Array) => Uint8Array> = {
  gzip: gzipSync,
  br: brotliCompressSync,
  zstd: zstdCompressSync,
};

async function answerOf(
  request: FuzzRequest,
  { url, key }: Harness,
): Promise<{ status: number; text: string }> {
  const keys = { valid: key, master: CANARIES.master, "made up": "sk-oc-made-up" };
  const headers: Record<string, string> = { ...request.headers };
  if (request.key !== "none") headers["x-api-key"] = keys[request.key];
  const encoding = headers["content-encoding"] ?? "";
  // Half of what says that it is compressed is.
  const compress = request.body.byteLength % 2 === 0 ? COMPRESS[encoding] : undefined;
  const body = compress === undefined ? request.body : compress(request.body);
  if (request.raw !== undefined || request.method === "toString") {
    return await rawAnswer({ ...request, headers, body }, url);
  }
  const hasBody = !["GET", "HEAD"].includes(request.method);
  const response = await fetch(url + request.path, {
    method: request.method,
    headers,
    redirect: "manual",
    signal: AbortSignal.timeout(HUNG_MS),
    ...(hasBody ? { body: body as BodyInit } : {}),
  });
  assert.match(response.headers.get("request-id") ?? "", /^req_[0-9a-f]{32}$/);
  const { status } = response;
  const text = await response.text();
  if (status >= 400) assertErrorShape(status, text, request);
  return { status, text };
}

async function rawAnswer(
  { method, path, headers, body, raw: seed }: FuzzRequest,
  url: string,
): Promise<{ status: number; text: string }> {
  const fields = Object.entries(headers).map(([name, text]) => `${name}: ${text}\r\n`).join("");
  const head = encoder.encode(
    `${method} ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n` +
      `content-length: ${body.byteLength}\r\n${fields}\r\n`,
  );
  const whole = new Uint8Array([...head, ...body.subarray(0, 10_000)]);
  const bytes = seed === undefined ? whole : mutateBytes(whole, seededRandom(seed));
  const answer = await raw(url, bytes, { half: true });
  return { status: answer.status, text: answer.head + answer.body };
}

function assertErrorShape(status: number, text: string, { method }: FuzzRequest): void {
  if (method === "HEAD") return;
  const { type, error, request_id } = JSON.parse(text);
  assert.equal(type, "error", text);
  assert.equal(typeof error.type, "string", text);
  assert.ok(typeof error.message === "string" && error.message !== "", text);
  assert.match(request_id, /^req_/, String(status));
}
