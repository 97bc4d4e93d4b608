/**
 * What a request may cost before it is sent, and what it did cost after.
 * @module
 */
import type { Usage } from "../anthropic/types.ts";
import { type BilledTokens, type Cost, NANO_PER_USD, type Prices } from "./prices.ts";

/** What a request may come to. */
export interface CallEstimate {
  /** Input tokens, estimated: 5 % low to 15 % high. */
  readonly input_tokens: number;
  /** Most output tokens: `max_tokens`. */
  readonly output_tokens: number;
  /** US dollars at most: see `nano_usd`. */
  readonly cost_usd: number;
  /**
   * Nano-dollars at most: all input written to the cache for the longest life, all of `max_tokens` used, and the
   * dearest of the model and its fallbacks.
   */
  readonly nano_usd: number;
  /** The part of them that is output. */
  readonly output_nano_usd: number;
}

/** What a request is billed. */
export interface Billed {
  /** Tokens: what Bedrock reported, or the floor that stands for it. */
  readonly usage: Usage;
  /** Whether Bedrock's final figure never came, and the least that can have been used stands for it. */
  readonly estimated: boolean;
  /** US dollars. */
  readonly cost_usd: number;
  /** The same in nano-dollars: for sums. */
  readonly nano_usd: number;
  /** Whether the model has a price of its own; else the default price was taken. */
  readonly listed: boolean;
}

/** What a name resolves to, as far as its price goes by it. */
export interface PricedModel {
  /** Foundation model id. */
  readonly baseId: string;
  /** Service tier that will be asked for. */
  readonly tier: string | undefined;
}

/** What an estimate goes by. */
export interface CallSize {
  /** Public name of the model. */
  readonly model: string;
  /** Service tier that overrides the model's own. */
  readonly tier: string | undefined;
  /** Input tokens, estimated. */
  readonly input_tokens: number;
  /** Most output tokens. */
  readonly output_tokens: number;
}

/** Of what a request has of input tokens, the estimate may tell this share at worst. */
const LOWEST = 0.95;

/** What billing needs. */
export interface BillingOptions {
  /** The prices. */
  prices: Prices;
  /** What a public name resolves to, and its fallbacks; none if it is not served, or not yet known. */
  resolve: (model: string) => readonly PricedModel[];
}

function count(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? value : 0;
}

/** Tokens by kind. Cache writes that are not told by life count as those of five minutes. */
export function tokensOf(usage: Usage): BilledTokens {
  const written = count(usage.cache_creation_input_tokens);
  const hour = Math.min(count(usage.cache_creation?.ephemeral_1h_input_tokens), written);
  return {
    input: count(usage.input_tokens),
    output: count(usage.output_tokens),
    cacheRead: count(usage.cache_read_input_tokens),
    cacheWrite5m: written - hour,
    cacheWrite1h: hour,
  };
}

/** Prices requests. */
export class Billing {
  readonly #options: BillingOptions;

  /** By prices, and by what names resolve to. */
  constructor(options: BillingOptions) {
    this.#options = options;
  }

  /** What a request may come to. */
  estimate({ model, tier, input_tokens, output_tokens }: CallSize): CallEstimate {
    const resolved = this.#options.resolve(model);
    const most = (resolved.length > 0 ? resolved : [{ baseId: model, tier: undefined }])
      .map((each) => this.#options.prices.most(each.baseId, tier ?? each.tier));
    const dearest = (kind: "input" | "output") => Math.max(...most.map((price) => price[kind]));
    const output_nano_usd = Math.ceil(output_tokens * dearest("output"));
    const nano_usd = Math.ceil(input_tokens / LOWEST * dearest("input")) + output_nano_usd;
    return {
      input_tokens,
      output_tokens,
      cost_usd: nano_usd / NANO_PER_USD,
      nano_usd,
      output_nano_usd,
    };
  }

  /** What an answer is billed. */
  bill(usage: Usage, model: PricedModel, estimated: boolean): Billed {
    const { nanoUsd, listed }: Cost = this.#options.prices.cost(
      tokensOf(usage),
      model.baseId,
      model.tier,
    );
    return { usage, estimated, cost_usd: nanoUsd / NANO_PER_USD, nano_usd: nanoUsd, listed };
  }
}
