/**
 * Reads what Bedrock's control plane lists: models, what they take, and inference profiles. Lenient: a field that
 * is missing or of another kind says nothing.
 *
 * Source: Bedrock API reference, ListFoundationModels and ListInferenceProfiles ([T]); members of the raw answer
 * that the SDK's shapes leave out ([L 2026-03 to 2026-10]).
 * @module
 */
import { parseModelId } from "./model_id.ts";

/** What the catalog says of one model, over the built-in tables. */
export interface ModelFacts {
  /** A system prompt of its own. */
  readonly systemRole?: boolean;
  /** Cache points. */
  readonly caching?: boolean;
  /** Tools, and whether they stream. */
  readonly tools?: "stream" | "whole" | "none";
  /** Whether temperature and topP are taken; told only where they are not. */
  readonly sampling?: false;
  /** Most tokens that may be asked for. */
  readonly mostTokens?: number;
  /** Bedrock's CountTokens. */
  readonly countTokens?: boolean;
  /** Pictures in a user's turn. */
  readonly images?: boolean;
  /** PDF documents in a user's turn. */
  readonly pdf?: boolean;
}

/** One model of the catalog. */
export interface CatalogModel {
  /** Foundation model id. */
  readonly id: string;
  /** What people call it. */
  readonly name: string;
  /** Whether it answers with text over Converse. */
  readonly text: boolean;
  /** Whether its bare id may be asked; else a profile must. */
  readonly onDemand: boolean;
  /** Whether its makers are about to end it. */
  readonly legacy: boolean;
  /** Tokens of context, where told. */
  readonly context: number | undefined;
  /** What it takes. */
  readonly facts: ModelFacts;
}

/** A catalog of one region. */
export interface CatalogSnapshot {
  /** The region. */
  readonly region: string;
  /** Models by foundation id. */
  readonly models: ReadonlyMap<string, CatalogModel>;
  /** Prefixes of active profiles, by foundation id. */
  readonly prefixes: ReadonlyMap<string, readonly string[]>;
}

type Json = Readonly<Record<string, unknown>>;

function object(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Json : {};
}

function objects(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map(object) : [];
}

function includes(value: unknown, item: string): boolean {
  return Array.isArray(value) && value.includes(item);
}

/** Whether a list that is told has an item. */
function listed(value: unknown, item: string): boolean | undefined {
  return Array.isArray(value) ? value.includes(item) : undefined;
}

function truth(value: unknown): boolean | undefined {
  return typeof value === "boolean" ? value : undefined;
}

function parsed(text: unknown): Json {
  if (typeof text !== "string") return {};
  try {
    return object(JSON.parse(text));
  } catch {
    return {}; // a member that only some callers get, in a form that is nowhere promised
  }
}

/** `200K` or `1M`, as the console shows it. */
function tokensOf(text: unknown): number | undefined {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([KM])?$/i.exec(String(text ?? "")) ?? [];
  if (digits === undefined) return undefined;
  const factor = { K: 1_000, M: 1_000_000 }[unit?.toUpperCase() ?? ""] ?? 1;
  return Number(digits) * factor;
}

function toolsOf(summary: Json): ModelFacts["tools"] {
  const features = object(object(parsed(summary.consoleIDEMetadata).converse).invokeChatFeatures);
  if (features.functionToolSupported === false) return "none";
  if (features.functionToolStreamSupported === false) return "whole";
  return features.functionToolStreamSupported === true ? "stream" : undefined;
}

function factsOf(summary: Json): ModelFacts {
  const converse = object(summary.converse);
  const most = converse.maxTokensMaximum;
  const given: { [name in keyof ModelFacts]: ModelFacts[name] | undefined } = {
    systemRole: truth(converse.systemRoleSupported),
    caching: truth(object(summary.explicitPromptCaching).isSupported),
    tools: toolsOf(summary),
    sampling: converse.hideSamplingParameter === true ? false : undefined,
    mostTokens: typeof most === "number" && most > 0 ? most : undefined,
    countTokens: truth(object(summary.featuresSupported).countTokens),
    images: listed(summary.inputModalities, "IMAGE"),
    pdf: listed(converse.userDocumentTypesSupported, "pdf"),
  };
  return Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined),
  ) as ModelFacts;
}

function modelOf(summary: Json): CatalogModel | undefined {
  const id = summary.modelId;
  if (typeof id !== "string" || parseModelId(id, true)?.baseId === undefined) return undefined;
  const apis = object(object(summary.inferenceAPIsSupported).converse);
  const types = summary.inferenceTypesSupported;
  return {
    id,
    name: typeof summary.modelName === "string" ? summary.modelName : id,
    text: includes(summary.outputModalities, "TEXT") && apis.sync !== false,
    onDemand: !Array.isArray(types) || types.includes("ON_DEMAND"),
    legacy: object(summary.modelLifecycle).status === "LEGACY",
    context: tokensOf(object(summary.description).maxContextWindow),
    facts: factsOf(summary),
  };
}

function prefixesOf(profiles: readonly Json[]): Map<string, readonly string[]> {
  const prefixes = new Map<string, readonly string[]>();
  for (const { inferenceProfileId, status } of profiles) {
    const { prefix, baseId } = parseModelId(String(inferenceProfileId), true) ?? {};
    if (prefix === undefined || baseId === undefined) continue;
    if (status !== undefined && status !== "ACTIVE") continue;
    prefixes.set(baseId, [...prefixes.get(baseId) ?? [], prefix]);
  }
  return prefixes;
}

/** Reads the answers of both lists. */
export function readCatalog(
  region: string,
  modelSummaries: unknown,
  profileSummaries: unknown,
): CatalogSnapshot {
  const models = objects(modelSummaries).map(modelOf).filter((model) => model !== undefined);
  return {
    region,
    models: new Map(models.map((model) => [model.id, model])),
    prefixes: prefixesOf(objects(profileSummaries)),
  };
}

/** Foundation model id of GetInferenceProfile's answer; undefined if it tells none. */
export function baseOfProfile(answer: unknown): string | undefined {
  const [first] = objects(object(answer).models);
  const arn = String(first?.modelArn ?? "");
  return parseModelId(arn)?.baseId;
}
