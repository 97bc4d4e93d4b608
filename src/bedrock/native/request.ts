/**
 * Step 7 for Claude: Anthropic's own body over InvokeModel, Bedrock's Messages endpoint, or mantle.
 *
 * Source: Bedrock API reference, InvokeModel; Bedrock User Guide, Anthropic Claude Messages API ([T], [D]).
 * @module
 */
import type { MessagesRequest } from "../../anthropic/types.ts";
import type { ServiceTier } from "../../config/schema.ts";
import { diffJson, editJson, type JsonEdit } from "../../json/edit.ts";
import { encodeModelPath } from "../sign.ts";
import { legalUserId, refuseUnsupported } from "../unsupported.ts";
import { type BetaDecisions, betasOf, type FilteredBetas } from "../betas.ts";
import { rewriteNative } from "./rewrite.ts";

/** What is to be sent, and where. */
export interface NativeInput {
  /** The body as received. */
  readonly raw: Uint8Array;
  /** What {@link raw} parses to. */
  readonly original: MessagesRequest;
  /** The body after plugins; shares with {@link original} what did not change. */
  readonly body: MessagesRequest;
  /** The model. */
  readonly target: {
    readonly modelId: string;
    readonly baseId: string;
    readonly route: "invoke" | "messages" | "mantle";
    readonly tier: ServiceTier | undefined;
  };
  /** `anthropic-beta` values of the request. */
  readonly betas: readonly string[];
  /** What else than the table decides on them. */
  readonly decisions: BetaDecisions;
  /** Whether the model was found to refuse messages of role `system`. */
  readonly systemRefused: boolean;
  /** Whether a stream is wanted. */
  readonly stream: boolean;
}

/** A request to Bedrock. */
export interface NativeBuilt {
  /** Which host. */
  readonly host: "runtime" | "mantle";
  /** SigV4 service. */
  readonly service: "bedrock" | "bedrock-mantle";
  /** Percent-encoded path. */
  readonly path: string;
  /** Headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** Body. */
  readonly body: Uint8Array<ArrayBuffer>;
  /** Betas that are sent. */
  readonly betas: readonly string[];
  /** What was left out, by name. */
  readonly dropped: readonly string[];
}

/** The version InvokeModel wants in the body; newer ones are refused by older models. */
const INVOKE_VERSION = "bedrock-2023-05-31";
/** The version the Messages endpoints want in the header. */
const MESSAGES_VERSION = "2023-06-01";

/** Fields that Bedrock refuses and a model can do without; some are null here, or were refused before. */
const DROPPED_FIELDS = [
  "billing_policy",
  "container",
  "diagnostics",
  "fallback_credit_token",
  "fallbacks",
  "inference_geo",
  "mcp_servers",
  "service_tier",
  "speed",
  "thread",
];
/** Refused by InvokeModel too. */
const DROPPED_ON_INVOKE = [...DROPPED_FIELDS, "user_profile_id", "workspace_id"];
/** Said by InvokeModel's path. */
const PATH_FIELDS = ["model", "stream", "anthropic_beta"];
/** Said by a header, or again where it is so. */
const HEADER_FIELDS = ["stream", "anthropic_beta"];

function withLegalUserId(body: MessagesRequest): MessagesRequest {
  const userId = body.metadata?.user_id;
  if (typeof userId !== "string") return body;
  const legal = legalUserId(userId);
  return legal === userId ? body : { ...body, metadata: { ...body.metadata, user_id: legal } };
}

/** Adds to `dropped` what is lost of a body by leaving fields out: of null nothing is. */
function noteDropped(body: MessagesRequest, fields: readonly string[], dropped: string[]): void {
  for (const field of fields) {
    if (field in body && body[field] !== null && !dropped.includes(field)) dropped.push(field);
  }
}

/**
 * Builds the request. The body sent is the one received, edited in place.
 *
 * @throws {ApiError} `invalid_request_error` that names what Bedrock does not have
 */
export function buildNativeRequest(input: NativeInput): NativeBuilt {
  refuseUnsupported(input.body);
  const { route, baseId, tier } = input.target;
  const betas = betasOf(input.body, input.betas, { route, baseId }, input.decisions);
  const { systemRefused, stream: streamed } = input;
  const options = { baseId, route, betas: betas.send, systemRefused, streamed };
  const rewritten = rewriteNative(input.body, options);
  const body = route === "invoke" ? rewritten.body : withLegalUserId(rewritten.body);
  const dropped = [...rewritten.dropped];
  noteDropped(body, route === "invoke" ? DROPPED_ON_INVOKE : DROPPED_FIELDS, dropped);
  noteDropped(body, betas.fields, dropped);
  dropped.push(...betas.dropped);
  const parts = { input, body, betas, dropped };
  const tierHeader: Record<string, string> = tier === undefined
    ? {}
    : { "x-amzn-bedrock-service-tier": tier };
  return route === "invoke" ? buildInvoke(parts, tierHeader) : buildMessages(parts, tierHeader);
}

interface Parts {
  readonly input: NativeInput;
  /** Rewritten; fields are still to be left out of it. */
  readonly body: MessagesRequest;
  readonly betas: FilteredBetas;
  readonly dropped: readonly string[];
}

/** The body received, become {@link Parts.body} less `without` and with what is set: nothing is written that stays. */
function edit(
  { input: { raw, original }, body }: Parts,
  without: readonly (readonly string[])[],
  set: Readonly<Record<string, unknown>>,
): Uint8Array<ArrayBuffer> {
  const given: Readonly<Record<string, unknown>> = original;
  const isLeftOut = (name: unknown) => without.some((names) => names.includes(String(name)));
  const edits: JsonEdit[] = [];
  for (const one of diffJson(original, body)) {
    const [name] = one.path;
    if (!isLeftOut(name) && !Object.hasOwn(set, String(name))) edits.push(one);
  }
  for (const name of Object.keys(given)) {
    if (isLeftOut(name) && !Object.hasOwn(set, name)) edits.push({ path: [name], remove: true });
  }
  for (const name of Object.keys(set)) {
    if (given[name] !== set[name]) edits.push({ path: [name], value: set[name] });
  }
  return editJson(raw, edits);
}

function buildInvoke(parts: Parts, tier: Record<string, string>): NativeBuilt {
  const { input, betas, dropped } = parts;
  const set: Record<string, unknown> = { anthropic_version: INVOKE_VERSION };
  if (betas.send.length > 0) set.anthropic_beta = betas.send;
  const body = edit(parts, [PATH_FIELDS, DROPPED_ON_INVOKE, betas.fields], set);
  const operation = input.stream ? "invoke-with-response-stream" : "invoke";
  return {
    host: "runtime",
    service: "bedrock",
    path: `/model/${encodeModelPath(input.target.modelId)}/${operation}`,
    headers: {
      "content-type": "application/json",
      accept: input.stream ? "application/vnd.amazon.eventstream" : "application/json",
      ...(input.stream ? { "x-amzn-bedrock-accept": "application/json" } : {}),
      ...tier,
    },
    body,
    betas: betas.send,
    dropped,
  };
}

function buildMessages(parts: Parts, tier: Record<string, string>): NativeBuilt {
  const { input, betas, dropped } = parts;
  const mantle = input.target.route === "mantle";
  const set: Record<string, unknown> = { model: input.target.modelId };
  if (input.stream) set.stream = true;
  const body = edit(parts, [HEADER_FIELDS, DROPPED_FIELDS, betas.fields], set);
  return {
    host: mantle ? "mantle" : "runtime",
    service: mantle ? "bedrock-mantle" : "bedrock",
    path: "/anthropic/v1/messages",
    headers: {
      "content-type": "application/json",
      accept: input.stream ? "text/event-stream" : "application/json",
      "anthropic-version": MESSAGES_VERSION,
      ...(betas.send.length === 0 ? {} : { "anthropic-beta": betas.send.join(",") }),
      ...tier,
    },
    body,
    betas: betas.send,
    dropped,
  };
}
