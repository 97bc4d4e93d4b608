/**
 * Which hosts Bedrock answers at.
 *
 * Source: AWS General Reference, Amazon Bedrock endpoints and quotas ([D]); partitions as in the SDK's
 * endpoint rules ([T]).
 * @module
 */

/** Base URLs, without a trailing slash. */
export interface BedrockHosts {
  /** Inference: converse, invoke, messages, count-tokens. */
  readonly runtime: string;
  /** Inference with Anthropic's ids and a quota of its own. */
  readonly mantle: string;
  /** Lists of models and inference profiles. */
  readonly control: string;
}

/** What config.yaml may put in their place: one base URL for all, or some by name. */
export type EndpointOverride =
  | string
  | {
    readonly runtime?: string | undefined;
    readonly mantle?: string | undefined;
    readonly control?: string | undefined;
  }
  | null;

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}

/** By the beginning of a region, first match: suffixes of a partition's hosts, and of those on both IP versions. */
const PARTITIONS: readonly (readonly [region: string, suffix: string, dual: string])[] = [
  ["cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"],
  ["us-isob-", "sc2s.sgov.gov", "api.aws.scloud"],
  ["us-iso-", "c2s.ic.gov", "api.aws.ic.gov"],
  ["eusc-", "amazonaws.eu", "api.amazonwebservices.eu"],
  ["", "amazonaws.com", "api.aws"],
];

/** What a region may be: part of a host's name, and nothing that would end it. */
const REGION = /^[a-z0-9-]{1,63}$/;

/**
 * Base URLs for `region`, e.g. `us-east-1`.
 *
 * @param fips Whether the hosts must be those with cryptography by FIPS 140, as `AWS_USE_FIPS_ENDPOINT` asks
 * @throws {TypeError} If the region could lead to another host
 */
export function bedrockHosts(
  region: string,
  override: EndpointOverride,
  fips: boolean = false,
): BedrockHosts {
  if (!REGION.test(region)) {
    throw new TypeError(`Cannot make a host of region '${region}' as it must match ${REGION}`);
  }
  const [, suffix, dual] = PARTITIONS.find(([start]) => region.startsWith(start)) ??
    ["", "amazonaws.com", "api.aws"];
  const kind = fips ? "-fips" : "";
  const usual: BedrockHosts = {
    runtime: `https://bedrock-runtime${kind}.${region}.${suffix}`,
    mantle: `https://bedrock-mantle.${region}.${dual}`,
    control: `https://bedrock${kind}.${region}.${suffix}`,
  };
  if (override === null) return usual;
  if (typeof override === "string") {
    const one = withoutSlash(override);
    return { runtime: one, mantle: one, control: one };
  }
  return {
    runtime: withoutSlash(override.runtime ?? usual.runtime),
    mantle: withoutSlash(override.mantle ?? usual.mantle),
    control: withoutSlash(override.control ?? usual.control),
  };
}
