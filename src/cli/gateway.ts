/**
 * Puts the gateway together from a configuration: the one place where all parts meet.
 * @module
 */
import { builtins } from "../../plugins/mod.ts";
import pricing from "../../plugins/pricing.yaml" with { type: "text" };
import { ApiError } from "../anthropic/error.ts";
import { TokenCounter } from "../bedrock/count_tokens.ts";
import { Bedrock } from "../bedrock/bedrock.ts";
import { Catalog } from "../bedrock/catalog.ts";
import {
  type CredentialProvider,
  type CredentialSource,
  openCredentials,
} from "../bedrock/credentials.ts";
import { bedrockHosts } from "../bedrock/endpoint.ts";
import { Lessons } from "../bedrock/lessons.ts";
import { Models } from "../bedrock/models.ts";
import { betaRules } from "../bedrock/native/betas.ts";
import { Profiles } from "../bedrock/profiles.ts";
import { Sender } from "../bedrock/send.ts";
import type { UrlFetcher } from "../bedrock/url_sources.ts";
import { type Clock, systemClock } from "../clock.ts";
import type { LoadedConfig } from "../config/load.ts";
import { errorFields, type Log } from "../log.ts";
import { fetchPublic } from "../net/public_fetch.ts";
import { Billing, type PricedModel } from "../pricing/billing.ts";
import { Prices } from "../pricing/prices.ts";
import { closePlugins, loadPlugins } from "../pipeline/load.ts";
import { Background, type ReadyCheck, type Services } from "../server/services.ts";
import { Keys } from "../storage/keys.ts";
import { openStore } from "../storage/open.ts";
import type { Store } from "../storage/store.ts";

/** A gateway that is put together, not yet listening. */
export interface Gateway {
  /** What the server serves with. */
  readonly services: Services;
  /** API keys. */
  readonly keys: Keys;
  /** AWS credentials. */
  readonly credentials: CredentialSource;
  /** The account's list of models, not yet asked for. */
  readonly catalog: Catalog;
  /** Closes plugins and store. Call it when the server has stopped. */
  close(): Promise<void>;
}

/** What a gateway is made from. */
export interface GatewayOptions {
  /** The configuration. */
  loaded: LoadedConfig;
  /** The log. */
  log: Log;
  /** Time. @default the machine's */
  clock?: Clock;
  /** Reads an environment variable. @default the process's */
  env?: (name: string) => string | undefined;
  /** Finds AWS credentials. @default the AWS SDK's chain */
  provider?: CredentialProvider;
  /** Fetches what a client names by URL. @default over https, from public addresses */
  fetchUrl?: UrlFetcher;
  /** A store that is open already, which the caller closes. @default the one the configuration names */
  store?: Store;
}

/**
 * Opens store, keys, credentials and plugins.
 *
 * @throws {ConfigError} If a plugin cannot be loaded, with its place in the file
 * @throws {Error} If the store cannot be opened
 */
export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  const { loaded, log, clock = systemClock, env = (name) => Deno.env.get(name) } = options;
  const { config } = loaded;
  const models = new Models(config);
  const store = options.store ?? await openStore(config.store, { clock });
  const closeStore = () => options.store === undefined ? store.close() : Promise.resolve();
  try {
    const keys = await openKeys(store, { clock, env });
    const memory = new Map<string, Map<string, unknown>>();
    const plugins = await loadPlugins({ loaded, builtins, store, keys, log, clock, memory });
    const billing = new Billing({
      prices: await openPrices(config.pricing),
      resolve: (model) => pricedModel(models, model),
    });
    const credentials = openCredentials({
      region: config.aws.region,
      clock,
      env,
      ...(options.provider === undefined ? {} : { provider: options.provider }),
      ...(config.aws.profile === null ? {} : { profile: config.aws.profile }),
      ...(config.aws.role_arn === null ? {} : { roleArn: config.aws.role_arn }),
    });
    const fips = env("AWS_USE_FIPS_ENDPOINT")?.toLowerCase() === "true";
    const sender = new Sender({
      credentials,
      clock,
      hosts: (region) => bedrockHosts(region, config.aws.endpoint, fips),
    });
    const lessons = new Lessons(store, clock);
    const { region } = config.aws;
    const profiles = new Profiles({ models, sender, clock, region, log });
    const catalog = new Catalog({
      sender,
      region,
      clock,
      log,
      onChange: (snapshot) => models.learnCatalog(snapshot),
    });
    const bedrock = new Bedrock({
      betaRules: betaRules(config.models.betas),
      fetchUrl: options.fetchUrl ?? fetchPublic,
      profiles,
      sender,
      lessons,
      clock,
      retries: config.limits.retries,
    });
    const counter = new TokenCounter({ profiles, sender, clock });
    const ready = readyCheck(store, credentials, log);
    const background = new Background();
    return {
      services: {
        config,
        plugins,
        models,
        bedrock,
        billing,
        counter,
        log,
        clock,
        ready,
        background,
      },
      keys,
      credentials,
      catalog,
      async close() {
        await catalog.close();
        await closePlugins(plugins);
        await keys.settled();
        await closeStore();
      },
    };
  } catch (error) {
    await closeStore();
    throw error;
  }
}

/** What a name's price goes by; undefined where only Bedrock could tell. */
function pricedModel(models: Models, name: string): PricedModel | undefined {
  if (models.unknownProfiles(name).length > 0) return undefined;
  try {
    const { baseId, tier } = models.resolve(name).target;
    return { baseId, tier };
  } catch (error) {
    if (error instanceof ApiError) return undefined; // the request will end by it
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

/** Opens the keys of a store, under the secret of the environment if there is one. */
export function openKeys(
  store: Store,
  options: { clock: Clock; env: (name: string) => string | undefined },
): Promise<Keys> {
  const secret = options.env("OUTCROP_KEY_SECRET");
  return Keys.open(store, { clock: options.clock, ...(secret === undefined ? {} : { secret }) });
}

function readyCheck(store: Store, credentials: CredentialSource, log: Log): ReadyCheck {
  return async () => {
    const parts: [string, () => Promise<unknown>][] = [
      ["store", () => store.ping()],
      ["AWS credentials", async () => await credentials.get()],
    ];
    const missing = await Promise.all(parts.map(async ([name, check]) => {
      try {
        await check();
        return [];
      } catch (error) {
        log.warning("Not ready: {part}", { part: name, cause: errorFields(error) });
        return [`${name}: no answer; see the gateway's log`];
      }
    }));
    return missing.flat();
  };
}
