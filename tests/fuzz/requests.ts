/**
 * Requests of every kind to every endpoint: the bodies of the data cases and what fast-check makes up, mutated as
 * values and as bytes, under odd heads; and what must hold for each.
 * @module
 */
import assert from "node:assert/strict";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import type { Script } from "../../src/simulator/script.ts";
import { SIMULATOR_CREDENTIALS } from "../../src/simulator/simulator.ts";
import { seededRandom } from "../../src/simulator/random.ts";
import { type Harness, startHarness } from "../harness.ts";
import { raw } from "../security/raw.ts";
import { mutateBytes, mutateJson, pick } from "./mutate.ts";
import { streamOf } from "./streams.ts";

/** A request. */
export interface FuzzRequest {
  /** Method. */
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** Headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** Which key it shows. */
  readonly key: "valid" | "master" | "none" | "made up";
  /** Body. */
  readonly body: Uint8Array;
  /** Whether it goes as bytes on a connection, mutated with its head by this seed; else over `fetch`. */
  readonly raw?: number;
  /** Seed of the stream that Bedrock answers with; else the simulator's own answer. */
  readonly stream?: number;
}

const CASES = new URL("../cases/", import.meta.url);
const encoder = new TextEncoder();
const MODELS = [
  "claude-haiku-4-5",
  "claude-opus-5-5",
  "claude-sonnet-4-5[1m]",
  "qwen.qwen3-32b-v1:0",
  "us.amazon.nova-pro-v1:0",
  "openai.gpt-oss-120b-1:0",
  "deepseek.v3.2",
  "mine",
];

/** Bodies of the data cases; none that names a URL, which would be fetched. */
function corpus(): unknown[] {
  const bodies: unknown[] = [];
  for (const area of Deno.readDirSync(CASES)) {
    for (const { name } of Deno.readDirSync(new URL(`${area.name}/`, CASES))) {
      const file = new URL(`${area.name}/${name}/request.json`, CASES);
      const text = Deno.readTextFileSync(file);
      const { body } = JSON.parse(text) as { body?: unknown };
      const times = area.name === "bad_input" ? 1 : 4; // most should come far
      if (body !== undefined && !/"(url|https?:)/.test(text)) {
        bodies.push(...Array(times).fill(body));
      }
    }
  }
  return bodies;
}

const CORPUS = corpus();

/** How a body of the corpus is changed. */
interface Change {
  readonly base: number;
  readonly seed: number;
  readonly how: "none" | "values" | "bytes" | "both";
  readonly model: string | undefined;
  readonly stream: boolean | undefined;
}

function changed({ base, seed, how, model, stream }: Change): Uint8Array {
  const random = seededRandom(seed);
  let value = CORPUS[base % CORPUS.length];
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    value = {
      ...value,
      ...(model === undefined ? {} : { model }),
      ...(stream === undefined ? {} : { stream }),
    };
  }
  if (how === "values" || how === "both") {
    for (let times = pick(random, [1, 1, 1, 2, 3]); times > 0; times--) {
      value = mutateJson(value, random);
    }
  }
  const bytes = encoder.encode(JSON.stringify(value) ?? "");
  return how === "bytes" || how === "both" ? mutateBytes(bytes, random) : bytes;
}

const fromCorpus = fc.record<Change>({
  base: fc.nat(CORPUS.length - 1),
  seed: fc.nat(),
  how: fc.constantFrom(
    "none",
    ..."values ".repeat(8).trim().split(" ") as ["values"],
    "bytes",
    "both",
  ),
  model: fc.oneof(fc.constant(undefined), fc.constantFrom(...MODELS)),
  stream: fc.oneof(fc.constant(undefined), fc.boolean()),
}).map(changed);

const body = fc.oneof(
  { weight: 12, arbitrary: fromCorpus },
  { weight: 1, arbitrary: fc.json().map((text) => encoder.encode(text)) },
  { weight: 1, arbitrary: fc.string({ unit: "binary" }).map((text) => encoder.encode(text)) },
  { weight: 1, arbitrary: fc.uint8Array() },
);

/** Characters that a header's value may hold. */
const value = fc.string({ unit: fc.constantFrom(...' !"#,;=-_/.azAZ09{}[]:é'.split("")) });

const headers = fc.record({
  "anthropic-version": fc.oneof(fc.constantFrom("2023-06-01", "2026-01-01", "x"), value),
  "anthropic-beta": fc.oneof(
    fc.constantFrom(
      "context-1m-2025-08-07,computer-use-2025-01-24",
      "interleaved-thinking-2025-05-14",
    ),
    value,
  ),
  "content-type": fc.oneof(fc.constant("application/json"), value),
  "content-encoding": fc.constantFrom("gzip", "br", "zstd", "deflate", "snappy", "gzip, br"),
  accept: value,
  authorization: fc.oneof(fc.constant("Bearer sk-oc-nobody"), value),
  "x-claude-code-session-id": value,
  origin: value,
}, { requiredKeys: [] });

const ENDPOINTS = ["/v1/messages", "/v1/messages", "/v1/messages", "/v1/messages/count_tokens"];
const PATHS = [
  ...ENDPOINTS,
  "/v1/messages?beta=true",
  "/v1/models",
  "/v1/models?limit=2&after_id=claude-opus-5-5",
  "/v1/models/claude-opus-5-5",
  "/v1/models/__proto__",
  "/health",
  "/ready",
  "/metrics",
  "/",
  "/api/event_logging/batch",
];
const path = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...PATHS) },
  { weight: 1, arbitrary: fc.webPath() },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom(...PATHS), fc.webQueryParameters())
      .map(([at, query]) => `${at}?${query}`),
  },
);

const odd = fc.record({
  method: fc.oneof(
    { weight: 4, arbitrary: fc.constant("POST") },
    { weight: 3, arbitrary: fc.constant("GET") },
    { weight: 1, arbitrary: fc.constantFrom("HEAD", "OPTIONS", "PUT", "DELETE", "toString") },
  ),
  path,
  headers,
  key: fc.constantFrom("valid", "valid", "master", "none", "made up"),
  body,
}, { noNullPrototype: true });

const plain = fc.record({
  method: fc.constant("POST"),
  path: fc.constantFrom(...ENDPOINTS),
  headers: fc.oneof({ weight: 6, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: headers }),
  key: fc.constant("valid"),
  body: fromCorpus,
}, { noNullPrototype: true });

/** A seed, once in so many times. */
function seldom(times: number): fc.Arbitrary<number | undefined> {
  return fc.oneof(
    { weight: times - 1, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.nat() },
  );
}

/** Requests. */
export const fuzzRequest: fc.Arbitrary<FuzzRequest> = fc.tuple(
  fc.oneof({ weight: 4, arbitrary: plain }, { weight: 1, arbitrary: odd }),
  seldom(12),
  seldom(4),
).map(([request, bytes, stream]) => ({
  ...request,
  ...(bytes === undefined ? {} : { raw: bytes }),
  ...(stream === undefined ? {} : { stream }),
} as FuzzRequest));

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
  /** Answers by status. */
  readonly statuses: Map<number, number> = new Map();
  readonly #harnesses: Harness[] = [];
  readonly #folder: string;
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
    if (request.stream !== undefined) harness.simulator.script(scriptOf(request.stream));
    const { status, text } = await answerOf(request, harness);
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
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

  /** Closes all; nothing may be open any more. */
  async close(): Promise<void> {
    for (const harness of this.#harnesses) {
      assert.equal((await fetch(`${harness.url}/health`)).status, 200);
      await harness.gateway.services.background.settled();
      assert.equal(harness.gateway.services.admission.inFlight, 0);
      await harness.close();
      assert.equal(harness.simulator.open, 0);
    }
    globalThis.removeEventListener("unhandledrejection", this.#onRejection);
    assert.deepEqual(this.#rejections, []);
    await Deno.remove(this.#folder, { recursive: true });
  }
}

const PROTOTYPE = Object.getOwnPropertyNames(Object.prototype).sort();

function scriptOf(seed: number): Script {
  const { chunks } = streamOf(seed);
  const stream = () => chunks.map((bytes) => ({ kind: "bytes" as const, bytes }));
  return { status: 200, headers: {}, stream };
}

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

/** A random pick of gateways by a request's own bytes, so that a request repeats where it was sent. */
export function gatewayOf({ body, path }: FuzzRequest): number {
  return pick(seededRandom(body.byteLength * 31 + path.length), [0, 1, 2]);
}
