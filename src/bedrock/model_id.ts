/**
 * Bedrock's model ids: what can be read off them.
 *
 * Source: Bedrock User Guide, Inference profiles; the ARN formats of the API reference ([T], [D]).
 * @module
 */

/** Vendors whose ids are taken as they are. `sim` is the simulator's. */
const VENDORS: ReadonlySet<string> = new Set(
  ("ai21 amazon anthropic cohere deepseek google luma meta minimax mistral moonshot moonshotai nvidia openai " +
    "qwen sim stability twelvelabs writer xai zai").split(" "),
);

/** Prefixes of inference profiles: geographies, and `global`. */
export const PROFILE_PREFIXES: readonly string[] =
  "global us us-gov eu apac jp au ca in ap sa me af il amer".split(" ");

/** A model id, taken apart. */
export interface ModelIdParts {
  /** Foundation model id, where it can be read off; undefined for an ARN that hides it. */
  readonly baseId: string | undefined;
  /** Prefix of the inference profile. */
  readonly prefix: string | undefined;
}

const ARN = /^arn:aws[a-z-]*:(?:bedrock|sagemaker):[a-z0-9-]*:\d*:([a-z-]+)\/(.+)$/;

function ofPlainId(id: string, anyVendor: boolean): ModelIdParts | undefined {
  const [first = "", ...rest] = id.split(".");
  const prefixed = PROFILE_PREFIXES.includes(first) && rest.length > 1;
  const baseId = prefixed ? rest.join(".") : id;
  const vendor = baseId.split(".", 1)[0] ?? "";
  if (!baseId.includes(".") || !/^[a-z0-9-]+$/.test(vendor)) return undefined;
  if (!anyVendor && !VENDORS.has(vendor)) return undefined;
  return { baseId, prefix: prefixed ? first : undefined };
}

/**
 * Takes a foundation model id, an inference-profile id or an ARN apart; undefined if it is none.
 *
 * @param anyVendor Whether vendors unknown to this version will do: in config.yaml they do
 */
export function parseModelId(id: string, anyVendor: boolean = false): ModelIdParts | undefined {
  if (id.length > 2_048 || /[^A-Za-z0-9._:/-]/.test(id)) return undefined;
  const arn = ARN.exec(id);
  if (arn === null) return ofPlainId(id, anyVendor);
  const [, kind = "", name = ""] = arn;
  if (kind === "foundation-model" || kind === "inference-profile") {
    return ofPlainId(name, true) ?? { baseId: undefined, prefix: undefined };
  }
  return { baseId: undefined, prefix: undefined };
}

/** Region of an ARN; undefined for other ids. It becomes part of a host's name, and ARNs are a client's own words. */
export function regionOfArn(id: string): string | undefined {
  return /^arn:[^:]*:[^:]*:([a-z0-9-]+):/.exec(id)?.[1];
}

/** The family of a foundation model: `claude`, or its vendor. */
export function familyOf(baseId: string): string {
  const vendor = baseId.split(".", 1)[0] ?? baseId;
  return vendor === "anthropic" ? "claude" : vendor;
}

/** Prefixes to try for a region, best first: its own geography, then `global`. */
export function prefixesOfRegion(region: string): readonly string[] {
  const geography = GEOGRAPHIES.find(([pattern]) => pattern.test(region))?.[1] ?? [];
  // GovCloud and China are partitions of their own: nothing global reaches into them.
  return /^(us-gov|cn)-/.test(region) ? geography : [...geography, "global"];
}

/** By region, first match ([D] Bedrock User Guide, Supported Regions for inference profiles). */
const GEOGRAPHIES: readonly [RegExp, readonly string[]][] = [
  [/^us-gov-/, ["us-gov"]],
  [/^us-/, ["us"]],
  [/^ca-/, ["ca", "us"]],
  [/^eu-/, ["eu"]],
  [/^ap-northeast-[13]$/, ["jp", "apac"]],
  [/^ap-southeast-[24]$/, ["au", "apac"]],
  [/^ap-south-/, ["in", "apac"]],
  [/^ap-/, ["apac"]],
  [/^sa-/, ["sa"]],
  [/^me-/, ["me"]],
  [/^af-/, ["af"]],
  [/^il-/, ["il"]],
];
