/**
 * Step 7 for every family but Claude: an Anthropic body becomes Converse's.
 *
 * Nothing is lost in silence: each field of the body is said, refused by name, or named in `dropped`.
 *
 * Source: Bedrock API reference, Converse ([T]).
 * @module
 */
import { checkObject } from "../../anthropic/field.ts";
import { foldDeferred } from "../../anthropic/fold_deferred.ts";
import { foldToolChanges } from "../../anthropic/fold_tools.ts";
import type { MessagesRequest } from "../../anthropic/types.ts";
import type { ServiceTier } from "../../config/schema.ts";
import { type BetaDecisions, betasOf, type FilteredBetas } from "../betas.ts";
import { legalUserId, refuseUnsupported } from "../unsupported.ts";
import { nameLeftovers } from "./leftovers.ts";
import { checkCachePoints, markEnd } from "./cache_points.ts";
import { cachePoint, converseMessages, type Translation } from "./messages.ts";
import { ToolNames } from "./names.ts";
import type { Quirks } from "./quirks.ts";
import { reasoningFields } from "./reasoning.ts";
import { foldSystem, systemBlocks } from "./system.ts";
import { converseTools, isThinking } from "./tools.ts";

/** What is to be said. */
export interface ConverseInput {
  /** The body after plugins. */
  readonly body: MessagesRequest;
  /** What the family takes. */
  readonly quirks: Quirks;
  /** Foundation model id. */
  readonly baseId: string;
  /** `anthropic-beta` values. */
  readonly betas: readonly string[];
  /** What else than the table decides on them. */
  readonly decisions: BetaDecisions;
  /** Service tier to ask for. */
  readonly tier: ServiceTier | undefined;
}

/** A Converse body, and what is needed to read the answer. */
export interface ConverseBuilt {
  /** The body. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Names of tools, to be restored. */
  readonly names: ToolNames;
  /** Stop sequences the family does not take: to be watched for. */
  readonly stopSequences: readonly string[];
  /** Whether the answer may be a stream. */
  readonly streamable: boolean;
  /** Betas that are sent. */
  readonly betas: readonly string[];
  /** What was left out, by name. */
  readonly dropped: readonly string[];
}

/** Fields of the body that are said here; every other one is named as dropped. */
const SAID = new Set([
  "model",
  "max_tokens",
  "messages",
  "system",
  "stream",
  "tools",
  "tool_choice",
  "thinking",
  "stop_sequences",
  "temperature",
  "top_p",
  "top_k",
  "metadata",
  "service_tier",
  "output_config",
  "anthropic_beta",
  "cache_control",
]);

function inferenceConfig(
  body: MessagesRequest,
  { quirks, dropped }: Translation,
  bare: boolean,
): Record<string, unknown> {
  const { max_tokens, temperature, top_p } = body;
  const config: Record<string, unknown> = bare
    ? {}
    : { maxTokens: Math.min(Math.max(max_tokens, quirks.leastTokens), quirks.mostTokens) };
  // A client that takes the model for another asks for more than there is.
  if (!bare && max_tokens > quirks.mostTokens) dropped.add(`max_tokens above ${quirks.mostTokens}`);
  const thinking = quirks.thinking === "claude" && isThinking(body);
  const given: [name: string, place: string, value: unknown][] = [
    ["temperature", "temperature", temperature],
    ["top_p", "topP", top_p],
  ];
  for (const [name, place, value] of given) {
    if (value === undefined || value === null) continue;
    const taken = quirks.sampling === "one" && ("temperature" in config);
    if (bare || thinking || taken || quirks.sampling === "none") dropped.add(name);
    else config[place] = value;
  }
  const stops = (body.stop_sequences ?? []).filter((text) => text !== "");
  if (stops.length > 0 && quirks.stopSequences === "native") config.stopSequences = stops;
  return config;
}

function topK(
  body: MessagesRequest,
  { quirks, dropped }: Translation,
): Record<string, unknown> {
  const { top_k } = body;
  if (top_k === undefined || top_k === null) return {};
  if (quirks.topK === "top_k" && !isThinking(body)) return { top_k };
  if (quirks.topK === "nova") return { inferenceConfig: { topK: top_k } };
  dropped.add("top_k");
  return {};
}

/** The format; one that the family does not take has become a tool before. */
function outputFormat(body: MessagesRequest, { dropped }: Translation): Record<string, unknown> {
  const { effort: _, format, ...rest } = body.output_config ?? {};
  for (const field of Object.keys(rest)) dropped.add(`output_config.${field}`);
  if (format === undefined || format === null) return {};
  const { schema } = checkObject(format, "output_config.format");
  checkObject(schema, "output_config.format.schema");
  const jsonSchema = { schema: JSON.stringify(schema), name: "output" };
  return { outputConfig: { textFormat: { type: "json_schema", structure: { jsonSchema } } } };
}

/** Betas that are sent, and the fields that they bring. */
function betaFields(
  { send, brought }: FilteredBetas,
  body: MessagesRequest,
): Record<string, unknown> {
  const fields = brought.filter((field) => body[field] !== undefined && body[field] !== null)
    .map((field) => [field, body[field]]);
  return send.length === 0 ? {} : { ...Object.fromEntries(fields), anthropic_beta: send };
}

function requestMetadata({ metadata }: MessagesRequest): Record<string, unknown> {
  const userId = metadata?.user_id;
  if (typeof userId !== "string" || userId === "") return {};
  return { requestMetadata: { user_id: legalUserId(userId) } };
}

function notEmpty(name: string, value: Record<string, unknown>): Record<string, unknown> {
  return Object.keys(value).length === 0 ? {} : { [name]: value };
}

/**
 * Builds the body.
 *
 * @throws {ApiError} `invalid_request_error` that names what the family cannot be told
 */
export function buildConverseRequest(input: ConverseInput): ConverseBuilt {
  refuseUnsupported(input.body);
  const { quirks, baseId, tier } = input;
  const deferred = foldDeferred(foldToolChanges(input.body));
  const { body } = deferred;
  const names = new ToolNames({ toolUseId: quirks.toolUseId });
  const translation: Translation = {
    quirks,
    names,
    dropped: new Set(deferred.dropped),
    toolsSeen: new Set(),
  };
  const { dropped } = translation;
  const betas = betasOf(body, input.betas, { route: "converse", baseId }, input.decisions);
  const said = (field: string) => SAID.has(field) || betas.brought.includes(field);
  for (const [field, value] of Object.entries(body)) {
    if (!said(field) && value !== null) dropped.add(field); // of null nothing is lost
  }

  const system = systemBlocks(body.system, translation);
  const conversation = converseMessages(body.messages, translation);
  const messages = markEnd(conversation, cachePoint(body.cache_control, "messages", translation));
  const { toolConfig, anthropicTools, anthropicChoice } = converseTools(body, translation);
  nameLeftovers("metadata", body.metadata ?? {}, dropped);
  const reasoning = reasoningFields(body, quirks);
  for (const name of reasoning.dropped) dropped.add(name);
  for (const beta of betas.dropped) dropped.add(beta);
  const stops = (body.stop_sequences ?? []).filter((text) => text !== "");
  const nativeStops = stops.length > 0 && quirks.thinking === "claude";
  const additional = {
    ...reasoning.fields,
    ...topK(body, translation),
    ...betaFields(betas, body),
    ...(anthropicTools.length === 0 ? {} : { tools: anthropicTools }),
    ...(anthropicChoice === undefined ? {} : { tool_choice: anthropicChoice }),
  };
  const fold = quirks.system === "fold";
  checkCachePoints([toolConfig?.tools ?? [], system, ...messages.map(({ content }) => content)]);

  return {
    body: {
      messages: fold ? foldSystem(system, messages) : messages,
      ...(system.length === 0 || fold ? {} : { system }),
      ...notEmpty("inferenceConfig", inferenceConfig(body, translation, reasoning.bare)),
      ...(toolConfig === undefined ? {} : { toolConfig }),
      ...notEmpty("additionalModelRequestFields", additional),
      ...(nativeStops
        ? {
          additionalModelResponseFieldPaths: [
            body.stream === true ? "/delta/stop_sequence" : "/stop_sequence",
          ],
        }
        : {}),
      ...requestMetadata(body),
      ...(tier === undefined ? {} : { serviceTier: { type: tier } }),
      ...outputFormat(body, translation),
    },
    names,
    stopSequences: quirks.stopSequences === "emulate" ? stops : [],
    betas: betas.send,
    streamable: quirks.tools !== "whole" || toolConfig === undefined,
    dropped: [...dropped],
  };
}
