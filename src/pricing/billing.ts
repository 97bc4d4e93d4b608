/**
 * What a request may cost before it is sent, and what it did cost after.
 * @module
 */
import { estimateTokens } from "../anthropic/estimate.ts";
import type { MessagesRequest, Usage } from "../anthropic/types.ts";
import { type BilledTokens, type Cost, NANO_PER_USD, type Prices } from "./prices.ts";

/** What a request may come to. */
export interface CallEstimate {
  /** Input tokens, estimated: 5 % low to 15 % high. */
  readonly input_tokens: number;
  /** Most output tokens: `max_tokens`. */
  readonly output_tokens: number;
  /** US dollars at most: all input uncached, all of `max_tokens` used. */
  readonly cost_usd: number;
  /** The same in nano-dollars. */
  readonly nano_usd: number;
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

/** What billing needs. */
export interface BillingOptions {
  /** The prices. */
  prices: Prices;
  /** What a public name resolves to; undefined if it is not served, or not yet known. */
  resolve: (model: string) => PricedModel | undefined;
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

  /** What a request for `model` may come to. */
  estimate(model: string, body: MessagesRequest): CallEstimate {
    const input_tokens = estimateTokens(body);
    const output_tokens = Math.max(body.max_tokens ?? 0, 0);
    const tokens = {
      input: input_tokens,
      output: output_tokens,
      cacheRead: 0,
      cacheWrite5m: 0,
      cacheWrite1h: 0,
    };
    const { baseId, tier } = this.#options.resolve(model) ?? { baseId: model, tier: undefined };
    const { nanoUsd } = this.#options.prices.cost(tokens, baseId, tier);
    return { input_tokens, output_tokens, cost_usd: nanoUsd / NANO_PER_USD, nano_usd: nanoUsd };
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
