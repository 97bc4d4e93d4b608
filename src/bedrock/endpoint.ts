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

/** Base URLs for `region`, e.g. `us-east-1`. */
export function bedrockHosts(region: string, override: EndpointOverride): BedrockHosts {
  const suffix = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  const usual: BedrockHosts = {
    runtime: `https://bedrock-runtime.${region}.${suffix}`,
    mantle: `https://bedrock-mantle.${region}.api.aws`,
    control: `https://bedrock.${region}.${suffix}`,
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
