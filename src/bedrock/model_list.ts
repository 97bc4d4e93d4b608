/**
 * The list of models in Anthropic's shape, and its pages.
 *
 * Source: Anthropic API reference, List models ([T]).
 * @module
 */
import { ApiError } from "../anthropic/error.ts";
import { checkOneOf } from "../anthropic/field.ts";
import type { Capabilities } from "./capabilities.ts";
import type { CatalogModel } from "./catalog_read.ts";
import type { ModelRow } from "./model_table.ts";

/** One model, as Anthropic's API tells of it. */
export interface ModelInfo {
  /** Name to ask for. */
  readonly id: string;
  /** Always `model`. */
  readonly type: "model";
  /** What people call it. */
  readonly display_name: string;
  /** ISO time of its release; the epoch when it is not known, as Anthropic does. */
  readonly created_at: string;
  /** `active` or `deprecated`. */
  readonly lifecycle: string;
  /** Always null here: Bedrock ends models by account. */
  readonly deprecated_at: string | null;
  /** Always null here. */
  readonly retires_at: string | null;
  /** haiku, sonnet, opus, fable, mythos; null for others. */
  readonly line: string | null;
  /** Tokens of context; null when not known. */
  readonly max_input_tokens: number | null;
  /** Tokens of an answer at most; null when not known. */
  readonly max_tokens: number | null;
  /** What it can do; null when not known. */
  readonly capabilities: Capabilities | null;
}

/** A page of the list. */
export interface ModelPage {
  /** The models. */
  readonly data: readonly ModelInfo[];
  /** Whether more follow in the direction asked for. */
  readonly has_more: boolean;
  /** First id of the page. */
  readonly first_id: string | null;
  /** Last id of the page. */
  readonly last_id: string | null;
}

/** What is known of the model that a name stands for. */
export interface ListedModel {
  /** Its row in the built-in table. */
  readonly row: ModelRow | undefined;
  /** Its entry in the account's catalog. */
  readonly model: CatalogModel | undefined;
  /** What it can do. */
  readonly capabilities: Capabilities | null;
}

function infoOf(id: string, { row, model, capabilities }: ListedModel): ModelInfo {
  const called = row?.displayName ?? model?.name;
  const itsOwn = row?.names.includes(id) ?? model?.id.includes(id) ?? false;
  return {
    id,
    type: "model",
    display_name: called === undefined ? id : itsOwn ? called : `${id} (${called})`,
    created_at: row?.createdAt ?? "1970-01-01T00:00:00Z",
    lifecycle: row?.deprecated || model?.legacy ? "deprecated" : "active",
    deprecated_at: null,
    retires_at: null,
    line: row?.line ?? null,
    max_input_tokens: row?.context ?? model?.context ?? null,
    max_tokens: row?.output ?? model?.facts.mostTokens ?? null,
    capabilities,
  };
}

/** Tells of names, each once, by the model it stands for. */
export function listModels(
  names: readonly string[],
  modelOf: (name: string) => ListedModel,
): ModelInfo[] {
  return [...new Set(names)].map((name) => infoOf(name, modelOf(name)));
}

const DEFAULT_LIMIT = 20;
const LARGEST_LIMIT = 1_000;

/** The query of `GET /v1/models`. */
export interface PageQuery {
  /** 1 to 1,000; 20 when absent. */
  limit?: string | undefined;
  /** Page of what follows this id. */
  after_id?: string | undefined;
  /** Page of what stands before this id. */
  before_id?: string | undefined;
  /** Only models in these stages; all when empty. */
  lifecycle?: readonly string[];
}

const STAGES = ["active", "deprecated", "retired"];

function readLimit(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT;
  const limit = Number(text);
  if (/^\d+$/.test(text) && limit >= 1 && limit <= LARGEST_LIMIT) return limit;
  throw new ApiError(
    "invalid_request_error",
    `limit: Input should be a whole number from 1 to ${LARGEST_LIMIT}`,
  );
}

function positionOf(models: readonly ModelInfo[], id: string, field: string): number {
  const position = models.findIndex((model) => model.id === id);
  if (position >= 0) return position;
  throw new ApiError("invalid_request_error", `${field}: Input should be the id of a listed model`);
}

/**
 * One page.
 *
 * @throws {ApiError} `invalid_request_error` that names the field
 */
export function pageModels(models: readonly ModelInfo[], query: PageQuery): ModelPage {
  const limit = readLimit(query.limit);
  const { after_id, before_id, lifecycle = [] } = query;
  for (const stage of lifecycle) checkOneOf(stage, "lifecycle", STAGES);
  const from = after_id === undefined ? 0 : positionOf(models, after_id, "after_id") + 1;
  const to = before_id === undefined ? models.length : positionOf(models, before_id, "before_id");
  const rest = models.slice(from, Math.max(from, to))
    .filter((model) => lifecycle.length === 0 || lifecycle.includes(model.lifecycle));
  const data = before_id !== undefined ? rest.slice(-limit) : rest.slice(0, limit);
  return {
    data,
    has_more: rest.length > data.length,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
  };
}
