/**
 * What tokens cost: read from `pricing.yaml`, by model and by the tier that served.
 *
 * Money is counted in nano-dollars, as whole numbers: sums are exact, and safe up to nine million dollars.
 * @module
 */
import { isNode, LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { compileGlob, type Glob } from "../text/glob.ts";

/** Nano-dollars in a dollar. */
export const NANO_PER_USD = 1_000_000_000;
/** A dollar a million tokens is so many nano-dollars a token. */
const NANO_PER_TOKEN = 1_000;

const dollars = z.number().min(0);
const price = z.strictObject({
  input: dollars,
  output: dollars,
  cache_read: dollars.optional().describe("As input when absent."),
  cache_write_5m: dollars.optional().describe("As input when absent."),
  cache_write_1h: dollars.optional().describe("As cache_write_5m when absent."),
});
const schema = z.strictObject({
  default: price.refine(
    ({ input, output }) => input > 0 && output > 0,
    "must be above 0, as models without a price of their own are not free",
  ),
  tiers: z.record(z.string(), z.number().positive()).default({}),
  models: z.record(z.string().min(1), price).default({}),
});

/** US dollars per million tokens. */
export interface Price {
  /** Input. */
  readonly input: number;
  /** Output. */
  readonly output: number;
  /** Read from the cache; as input when absent. */
  readonly cache_read?: number | undefined;
  /** Written to the cache for five minutes; as input when absent. */
  readonly cache_write_5m?: number | undefined;
  /** Written to the cache for an hour; as the other when absent. */
  readonly cache_write_1h?: number | undefined;
}

/** Tokens by kind, of one answer. */
export interface BilledTokens {
  /** Input neither read from nor written to the cache. */
  readonly input: number;
  /** Output. */
  readonly output: number;
  /** Read from the cache. */
  readonly cacheRead: number;
  /** Written to the cache for five minutes. */
  readonly cacheWrite5m: number;
  /** Written to the cache for an hour. */
  readonly cacheWrite1h: number;
}

/** What an answer costs. */
export interface Cost {
  /** Nano-dollars. */
  readonly nanoUsd: number;
  /** Whether the model has a price of its own; else the default was taken. */
  readonly listed: boolean;
}

/** Prices of models. */
export class Prices {
  readonly #default: Price;
  readonly #tiers: ReadonlyMap<string, number>;
  readonly #models: readonly { readonly glob: Glob; readonly price: Price }[];

  private constructor(data: z.output<typeof schema>) {
    this.#default = data.default;
    this.#tiers = new Map(Object.entries(data.tiers));
    this.#models = Object.entries(data.models)
      .map(([models, price]) => ({ glob: compileGlob(models), price }))
      .sort((a, b) => b.glob.literals - a.glob.literals);
  }

  /**
   * Reads prices.
   *
   * @param file Name for errors
   * @throws {Error} That names the file and the field
   */
  static parse(yaml: string, file: string): Prices {
    const lines = new LineCounter();
    const document = parseDocument(yaml, { lineCounter: lines, prettyErrors: false });
    const placeAt = (offset: number) => {
      const { line, col } = lines.linePos(offset);
      return `${file}:${line}:${col}`;
    };
    const [broken] = document.errors;
    if (broken !== undefined) {
      throw new SyntaxError(
        `Cannot read ${placeAt(broken.pos[0])} as it must be YAML: ${broken.message}`,
        { cause: broken },
      );
    }
    const read = schema.safeParse(document.toJS());
    if (read.success) return new Prices(read.data);
    const [issue] = read.error.issues;
    const path = issue?.code === "unrecognized_keys"
      ? [...issue.path, ...issue.keys.slice(0, 1)]
      : issue?.path ?? [];
    const node = path.map((_, at) => document.getIn(path.slice(0, path.length - at), true))
      .find(isNode);
    throw new Error(
      `Cannot use ${placeAt(node?.range?.[0] ?? 0)} as it must hold prices: ` +
        `${path.join(".")}: ${issue?.message}`,
    );
  }

  /** Price of a foundation model; undefined if it has none of its own. */
  of(baseId: string): Price | undefined {
    return this.#models.find(({ glob }) => glob.matches(baseId))?.price;
  }

  /**
   * What tokens cost.
   *
   * @param baseId Foundation model id
   * @param tier Service tier that served; undefined for the default
   */
  cost(tokens: BilledTokens, baseId: string, tier: string | undefined): Cost {
    const own = this.of(baseId);
    const { input, output, cache_read, cache_write_5m, cache_write_1h } = own ?? this.#default;
    const write = cache_write_5m ?? input;
    const total = tokens.input * input + tokens.output * output +
      tokens.cacheRead * (cache_read ?? input) + tokens.cacheWrite5m * write +
      tokens.cacheWrite1h * (cache_write_1h ?? write);
    const nanoUsd = Math.round(total * NANO_PER_TOKEN * this.#times(tier));
    return { nanoUsd, listed: own !== undefined };
  }

  /**
   * What a token can cost at most, in nano-dollars: input that is written to the cache for the longest life. A model
   * that refuses the tier serves on the default one.
   *
   * @param tier Service tier that will be asked for
   */
  most(baseId: string, tier: string | undefined): { input: number; output: number } {
    const price = this.of(baseId) ?? this.#default;
    const { input, output, cache_write_5m = input, cache_write_1h = cache_write_5m } = price;
    const times = NANO_PER_TOKEN * Math.max(this.#times(tier), this.#times(undefined));
    return {
      input: times * Math.max(input, cache_write_5m, cache_write_1h),
      output: times * output,
    };
  }

  #times(tier: string | undefined): number {
    return this.#tiers.get(tier ?? "default") ?? 1;
  }
}
