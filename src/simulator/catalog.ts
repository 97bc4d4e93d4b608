/**
 * The control plane: lists of models and inference profiles, with the members that the wire has and the SDK's
 * shapes drop.
 *
 * Source: Bedrock API reference, ListFoundationModels and ListInferenceProfiles; recorded answers.
 * @module
 */
import { CoralError } from "./coral.ts";

const CLAUDE = [
  "claude-opus-5-5",
  "claude-sonnet-5-5",
  "claude-haiku-4-5-20251001-v1:0",
  "claude-sonnet-4-5-20250929-v1:0",
];
const OPEN = [
  "qwen.qwen3-coder-30b-a3b-v1:0",
  "deepseek.v3.2",
  "openai.gpt-oss-120b-1:0",
  "amazon.nova-pro-v1:0",
];

function summary(id: string): Record<string, unknown> {
  const claude = id.startsWith("anthropic.");
  const sees = claude || id.startsWith("amazon.nova-pro");
  const caches = claude || id.startsWith("amazon.nova");
  return {
    modelArn: `arn:aws:bedrock:us-east-1::foundation-model/${id}`,
    modelId: id,
    modelName: id.replace(/^[a-z]+\./, ""),
    providerName: id.split(".")[0],
    inputModalities: ["TEXT", ...(sees ? ["IMAGE"] : [])],
    outputModalities: ["TEXT"],
    responseStreamingSupported: true,
    inferenceTypesSupported: [claude ? "INFERENCE_PROFILE" : "ON_DEMAND"],
    modelLifecycle: { status: "ACTIVE" },
    inferenceAPIsSupported: {
      converse: { sync: true, streaming: true },
      invokeModel: { sync: true, responseStreaming: true, bidirectionalStreaming: false },
    },
    converse: {
      maxTokensMaximum: claude ? 64_000 : 32_000,
      reasoningSupported: claude ? { embedded: false } : null,
      systemRoleSupported: true,
      userImageTypesSupported: sees ? ["png", "jpeg", "gif", "webp"] : [],
    },
    explicitPromptCaching: { isSupported: caches },
    featuresSupported: { promptCaching: caches, countTokens: /-4-5-/.test(id) },
    description: { maxContextWindow: claude ? "200K" : "128K" },
  };
}

const MODELS = [...CLAUDE.map((name) => `anthropic.${name}`), ...OPEN].map(summary);

const APPLICATION = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/";

/** Application profiles, whose ids tell nothing of their models. */
const APPLICATIONS = [["sim0claude", "anthropic.claude-opus-5-5"], ["sim0qwen", OPEN[0]]].map((
  [id, model],
) => ({
  inferenceProfileId: id,
  inferenceProfileArn: `${APPLICATION}${id}`,
  inferenceProfileName: id,
  models: [{ modelArn: `arn:aws:bedrock:us-east-1::foundation-model/${model}` }],
  status: "ACTIVE",
  type: "APPLICATION",
}));

/** The application profile of an ARN: the simulator is every region of every partition. */
function applicationOf(arn: string): typeof APPLICATIONS[number] | undefined {
  const [, id] = /^arn:aws[a-z-]*:bedrock:[a-z0-9-]+:\d+:application-inference-profile\/(.+)$/
    .exec(arn) ?? [];
  return APPLICATIONS.find(({ inferenceProfileId }) => inferenceProfileId === id);
}

/** The foundation model that an id in a path stands for: an application profile's, else the id itself. */
export function foundationOf(modelId: string): string {
  return applicationOf(modelId)?.models[0]?.modelArn.split("/").at(-1) ?? modelId;
}

const SYSTEM_DEFINED = CLAUDE.flatMap((name) =>
  ["global", "us"].map((prefix) => ({
    inferenceProfileId: `${prefix}.anthropic.${name}`,
    inferenceProfileArn:
      `arn:aws:bedrock:us-east-1:123456789012:inference-profile/${prefix}.anthropic.${name}`,
    inferenceProfileName: `${prefix} ${name}`,
    models: [{ modelArn: `arn:aws:bedrock:us-east-1::foundation-model/anthropic.${name}` }],
    status: "ACTIVE",
    type: "SYSTEM_DEFINED",
  }))
);

const PROFILES = [...SYSTEM_DEFINED, ...APPLICATIONS];

function page(query: URLSearchParams): unknown {
  const wanted = query.get("typeEquals") ?? query.get("type");
  const all = PROFILES.filter(({ type }) => wanted === null || type === wanted);
  const from = Number(query.get("nextToken") ?? 0);
  const size = Number(query.get("maxResults") ?? 100);
  const nextToken = from + size < all.length ? { nextToken: String(from + size) } : {};
  return { inferenceProfileSummaries: all.slice(from, from + size), ...nextToken };
}

/**
 * Answers a request of the control plane; undefined if the path is none of it.
 *
 * @throws {CoralError} `ResourceNotFoundException` for a model or profile it does not have
 */
export function controlPlane(path: string, query: URLSearchParams): unknown {
  const [, collection, id] = /^\/(foundation-models|inference-profiles)(?:\/(.+))?$/.exec(path) ??
    [];
  if (collection === undefined) return undefined;
  if (collection === "foundation-models") {
    if (id === undefined) return { modelSummaries: MODELS };
    const found = MODELS.find(({ modelId, modelArn }) => modelId === id || modelArn === id);
    if (found !== undefined) return { modelDetails: found };
  } else {
    if (id === undefined) return page(query);
    const found = applicationOf(id) ??
      PROFILES.find((profile) =>
        profile.inferenceProfileId === id || profile.inferenceProfileArn === id
      );
    if (found !== undefined) return found;
  }
  throw new CoralError("ResourceNotFoundException", `The requested resource ${id} is not found`);
}
