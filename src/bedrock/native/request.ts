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
import { type BetaDecisions, betasOf } from "../betas.ts";
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
/** Refused by InvokeModel only. */
const DROPPED_ON_INVOKE = ["user_profile_id", "workspace_id"];

function withLegalUserId(body: MessagesRequest): MessagesRequest {
  const userId = body.metadata?.user_id;
  if (typeof userId !== "string") return body;
  const legal = legalUserId(userId);
  return legal === userId ? body : { ...body, metadata: { ...body.metadata, user_id: legal } };
}

/** Fields left out of the body: those of the table, and those whose beta was left out. */
function withoutFields(
  body: MessagesRequest,
  fields: readonly string[],
): { body: Record<string, unknown>; dropped: string[] } {
  const copy: Record<string, unknown> = { ...body };
  const dropped: string[] = [];
  for (const field of fields) {
    if (!(field in copy)) continue;
    if (copy[field] !== null) dropped.push(field); // of null nothing is lost
    delete copy[field];
  }
  return { body: copy, dropped };
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
  const stripped = withoutFields(
    route === "invoke" ? rewritten.body : withLegalUserId(rewritten.body),
    [...DROPPED_FIELDS, ...route === "invoke" ? DROPPED_ON_INVOKE : [], ...betas.fields],
  );
  const dropped = [...rewritten.dropped, ...stripped.dropped, ...betas.dropped];
  const tierAllowed = input.body.service_tier !== "standard_only" && tier !== undefined &&
    tier !== "default";
  const parts = { input, body: stripped.body, betas: betas.send, dropped };
  const tierHeader: Record<string, string> = tierAllowed && route !== "mantle"
    ? { "x-amzn-bedrock-service-tier": tier }
    : {};
  return route === "invoke" ? buildInvoke(parts, tierHeader) : buildMessages(parts, tierHeader);
}

interface Parts {
  readonly input: NativeInput;
  readonly body: Record<string, unknown>;
  readonly betas: readonly string[];
  readonly dropped: readonly string[];
}

function edit({ input }: Parts, wanted: Record<string, unknown>): Uint8Array<ArrayBuffer> {
  const edits: JsonEdit[] = diffJson(input.original, wanted);
  return editJson(input.raw, edits);
}

function buildInvoke(parts: Parts, tier: Record<string, string>): NativeBuilt {
  const { input, betas, dropped } = parts;
  const { model: _model, stream: _stream, anthropic_beta: _beta, ...rest } = parts.body;
  const body = edit(parts, {
    ...rest,
    anthropic_version: INVOKE_VERSION,
    ...(betas.length === 0 ? {} : { anthropic_beta: betas }),
  });
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
    betas,
    dropped,
  };
}

function buildMessages(parts: Parts, tier: Record<string, string>): NativeBuilt {
  const { input, betas, dropped } = parts;
  const { anthropic_beta: _beta, stream: _stream, ...rest } = parts.body;
  const mantle = input.target.route === "mantle";
  const body = edit(parts, {
    ...rest,
    model: input.target.modelId,
    ...(input.stream ? { stream: true } : {}),
  });
  return {
    host: mantle ? "mantle" : "runtime",
    service: mantle ? "bedrock-mantle" : "bedrock",
    path: "/anthropic/v1/messages",
    headers: {
      "content-type": "application/json",
      accept: input.stream ? "text/event-stream" : "application/json",
      "anthropic-version": MESSAGES_VERSION,
      ...(betas.length === 0 ? {} : { "anthropic-beta": betas.join(",") }),
      ...tier,
    },
    body,
    betas,
    dropped,
  };
}
