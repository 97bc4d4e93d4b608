/**
 * Which service tier a request asks for: what is not asked for is not billed either.
 *
 * Source: Bedrock User Guide, Service tiers ([D]); Anthropic API reference, `service_tier` ([T]).
 * @module
 */
import type { MessagesRequest } from "../anthropic/types.ts";
import type { ServiceTier } from "../config/schema.ts";
import type { Target } from "./models.ts";
import type { OtherMeans } from "./other_means.ts";

/** What decides on a tier beside the target. */
export interface TierQuestion {
  /** The body. */
  readonly body: MessagesRequest;
  /** What the model was found to refuse. */
  readonly refused: readonly OtherMeans[];
}

/** The tier to ask for, and what was left out for that. */
export interface AskedTier {
  /** Undefined asks for none. */
  readonly tier: ServiceTier | undefined;
  /** `service_tier`, where one is wanted that the route or the model does not have. */
  readonly dropped: readonly string[];
}

/** The tier of a target, unless the client wants the standard one, or the route or the model has no other. */
export function tierToAsk(
  { tier, route }: Pick<Target, "tier" | "route">,
  { body, refused }: TierQuestion,
): AskedTier {
  if (tier === undefined || tier === "default" || body.service_tier === "standard_only") {
    return { tier: undefined, dropped: [] };
  }
  const taken = route !== "mantle" && !refused.includes("service_tier");
  return taken ? { tier, dropped: [] } : { tier: undefined, dropped: ["service_tier"] };
}
