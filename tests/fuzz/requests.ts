/**
 * Requests of every kind to every endpoint: the bodies of the data cases and what fast-check makes up, mutated as
 * values and as bytes, under odd heads.
 * @module
 */
import fc from "fast-check";
import { seededRandom } from "../../src/simulator/random.ts";
import { mutateBytes, mutateJson, pick } from "./mutate.ts";

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

/** A random pick of gateways by a request's own bytes, so that a request repeats where it was sent. */
export function gatewayOf({ body, path }: FuzzRequest): number {
  return pick(seededRandom(body.byteLength * 31 + path.length), [0, 1, 2]);
}
