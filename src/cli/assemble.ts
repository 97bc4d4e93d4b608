/**
 * Puts together what the handlers stand on, from one configuration: at the start, and again at each reload.
 * @module
 */
import { builtins } from "../../plugins/mod.ts";
import pricing from "../../plugins/pricing.yaml" with { type: "text" };
import { ApiError } from "../anthropic/error.ts";
import { Bedrock } from "../bedrock/bedrock.ts";
import { TokenCounter } from "../bedrock/count_tokens.ts";
import type { Lessons } from "../bedrock/lessons.ts";
import { Models } from "../bedrock/models.ts";
import { betaRules } from "../bedrock/betas.ts";
import { Profiles } from "../bedrock/profiles.ts";
import type { Sender } from "../bedrock/send.ts";
import type { UrlFetcher } from "../bedrock/url_sources.ts";
import type { Clock } from "../clock.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Log } from "../log.ts";
import { loadPlugins } from "../pipeline/load.ts";
import { Billing, type PricedModel } from "../pricing/billing.ts";
import { Prices } from "../pricing/prices.ts";
import type { FaultCounts } from "../server/fault_counts.ts";
import type { Admission } from "../server/overload.ts";
import { type Background, type ReadyCheck, type Services, Uses } from "../server/services.ts";
import type { Sharing } from "../sharing/shared.ts";
import type { Keys } from "../storage/keys.ts";
import type { Store } from "../storage/store.ts";

/** What outlives a reload. */
export interface Foundation {
  /** The store. */
  readonly store: Store;
  /** Takes what must not be lost. */
  readonly ledger: Ledger;
  /** What plugins share with themselves in other replicas. */
  readonly sharing: Sharing;
  /** API keys. */
  readonly keys: Keys;
  /** Signs and sends. */
  readonly sender: Sender;
  /** What models were found to refuse. */
  readonly lessons: Lessons;
  /** Fetches what a client names by URL. */
  readonly fetchUrl: UrlFetcher;
  /** What plugins keep in memory. */
  readonly memory: Map<string, Map<string, unknown>>;
  /** The log. */
  readonly log: Log;
  /** Time. */
  readonly clock: Clock;
  /** Whether store and credentials answer. */
  readonly ready: ReadyCheck;
  /** Work that goes on after its answer has left. */
  readonly background: Background;
  /** How much is served at a time. */
  readonly admission: Admission;
  /** Ended requests, by fault and status. */
  readonly counts: FaultCounts;
}

/**
 * Makes the services of a configuration.
 *
 * @throws {ConfigError} If a plugin cannot be loaded, with its place in the file
 * @throws {Error} If an alias cannot mean anything, or the prices cannot be read
 */
export async function assemble(loaded: LoadedConfig, on: Foundation): Promise<Services> {
  const { config } = loaded;
  const { sender, lessons, clock, log, store, ledger, sharing, keys, memory } = on;
  const models = new Models(config);
  const prices = await openPrices(config.pricing);
  const profiles = new Profiles({ models, sender, clock, region: config.aws.region, log });
  const rules = betaRules(config.models.betas);
  const bedrock = new Bedrock({
    betaRules: rules,
    fetchUrl: on.fetchUrl,
    profiles,
    sender,
    lessons,
    clock,
    retries: config.limits.retries,
    retryForMs: config.limits.retry_for_s * 1_000,
  });
  return {
    config,
    plugins: await loadPlugins({
      loaded,
      builtins,
      store,
      ledger,
      sharing,
      keys,
      log,
      clock,
      memory,
    }),
    models,
    bedrock,
    billing: new Billing({ prices, resolve: (model) => pricedModels(models, model) }),
    counter: new TokenCounter({ profiles, sender, betaRules: rules, clock }),
    log,
    clock,
    ready: on.ready,
    background: on.background,
    uses: new Uses(),
    admission: on.admission,
    counts: on.counts,
  };
}

/** What a name's price goes by: its model and the fallbacks; none where only Bedrock could tell. */
function pricedModels(models: Models, name: string): readonly PricedModel[] {
  if (models.unknownProfiles(name).length > 0) return [];
  try {
    const { target, fallbacks } = models.resolve(name);
    return [target, ...fallbacks];
  } catch (error) {
    if (error instanceof ApiError) return []; // the request will end by it
    throw error;
  }
}

/**
 * The prices of a file, or the built-in ones.
 *
 * @throws {Error} If the file cannot be read, or holds no prices
 */
export async function openPrices(file: string | null): Promise<Prices> {
  if (file === null) return Prices.parse(pricing, "the built-in prices");
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    throw new Error(`Cannot read ${file}, which 'pricing' names: see that it is there`, {
      cause: error,
    });
  }
  return Prices.parse(text, file);
}
