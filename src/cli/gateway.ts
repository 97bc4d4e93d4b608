/**
 * Puts the gateway together from a configuration: the one place where all parts meet.
 * @module
 */
import { Catalog } from "../bedrock/catalog.ts";
import type { CatalogSnapshot } from "../bedrock/catalog_read.ts";
import {
  type CredentialProvider,
  type CredentialSource,
  openCredentials,
} from "../bedrock/credentials.ts";
import { bedrockHosts } from "../bedrock/endpoint.ts";
import { Lessons } from "../bedrock/lessons.ts";
import { Sender } from "../bedrock/send.ts";
import type { UrlFetcher } from "../bedrock/url_sources.ts";
import { type Clock, systemClock } from "../clock.ts";
import type { LoadedConfig } from "../config/load.ts";
import { type JournalPlace, openLedger } from "../ledger/open.ts";
import type { StoreConfig } from "../config/schema.ts";
import type { Log } from "../log.ts";
import { openHttpClient } from "../net/open_http_client.ts";
import { fetchPublic } from "../net/public_fetch.ts";
import { parseDuration } from "../text/duration.ts";
import { readyCheck } from "./ready.ts";
import { closePlugins } from "../pipeline/load.ts";
import { FaultCounts } from "../server/fault_counts.ts";
import { Admission } from "../server/overload.ts";
import { Background, type Services } from "../server/services.ts";
import { Keys } from "../storage/keys.ts";
import { Sharing } from "../sharing/shared.ts";
import { assemble, type Foundation } from "./assemble.ts";
import { openConfiguredStore } from "./open_store.ts";
import type { Store } from "../storage/store.ts";

/** A gateway that is put together, not yet listening. */
export interface Gateway {
  /** What the server serves with; another after a reload. */
  readonly services: Services;
  /** API keys. */
  readonly keys: Keys;
  /** AWS credentials. */
  readonly credentials: CredentialSource;
  /** The account's list of models, not yet asked for. */
  readonly catalog: Catalog;
  /**
   * Takes a changed configuration: requests that have begun end by the old one.
   *
   * @returns Parts of it that changed and are taken at the next start only
   * @throws {Error} If anything in it cannot be used: the old one goes on whole
   */
  reload(loaded: LoadedConfig): Promise<readonly string[]>;
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
  /** Why the process as a whole cannot serve yet; undefined when it can. */
  waitsFor?: () => string | undefined;
  /** Ended requests of all workers. @default counted anew */
  counts?: FaultCounts;
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
  const { aws } = loaded.config;
  const store = options.store ?? await openConfiguredStore(loaded.config, clock);
  let closeLedger = () => Promise.resolve();
  const closeStore = async () => {
    await closeLedger();
    if (options.store === undefined) await store.close();
  };
  try {
    // A store that is handed in is for a while: nothing of it is to be found again.
    const journal = options.store === undefined ? journalOf(loaded.config.store) : null;
    const { ledger, close } = await openLedger(journal, { store, clock, log });
    closeLedger = close;
    const validWhileDownMs = keysValidWhileDownMs(loaded.config.store);
    const keys = await openKeys(store, { clock, env, validWhileDownMs });
    const credentials = openCredentials({
      region: aws.region,
      clock,
      env,
      ...(options.provider === undefined ? {} : { provider: options.provider }),
      ...(aws.profile === null ? {} : { profile: aws.profile }),
      ...(aws.role_arn === null ? {} : { roleArn: aws.role_arn }),
    });
    const fips = env("AWS_USE_FIPS_ENDPOINT")?.toLowerCase() === "true";
    const http = openHttpClient(env);
    const sender = new Sender({
      credentials,
      clock,
      hosts: (region) => bedrockHosts(region, aws.endpoint, fips),
      http,
    });
    const foundation: Foundation = {
      store,
      ledger,
      sharing: new Sharing(store, clock, { log }),
      keys,
      sender,
      lessons: new Lessons(store, clock),
      fetchUrl: options.fetchUrl ?? fetchPublic,
      memory: new Map(),
      log,
      clock,
      ready: readyCheck({
        store,
        keys,
        validWhileDownMs,
        credentials,
        waitsFor: options.waitsFor,
        log,
        clock,
      }),
      background: new Background(),
      admission: new Admission({ clock, log }),
      counts: options.counts ?? new FaultCounts(),
    };
    return new RunningGateway({
      services: await assemble(loaded, foundation),
      foundation,
      credentials,
      closeStore: async () => {
        http.close();
        await closeStore();
      },
    });
  } catch (error) {
    await closeStore();
    throw error;
  }
}

interface Opened {
  readonly services: Services;
  readonly foundation: Foundation;
  readonly credentials: CredentialSource;
  readonly closeStore: () => Promise<void>;
}

class RunningGateway implements Gateway {
  readonly keys: Keys;
  readonly credentials: CredentialSource;
  readonly catalog: Catalog;
  readonly #foundation: Foundation;
  readonly #closeStore: () => Promise<void>;
  /** Pipelines that were replaced: each closes when its last request has ended. */
  readonly #retired = new Set<Promise<void>>();
  #services: Services;
  #snapshot: CatalogSnapshot | undefined;

  constructor({ services, foundation, credentials, closeStore }: Opened) {
    this.keys = foundation.keys;
    this.credentials = credentials;
    this.#services = services;
    this.#foundation = foundation;
    this.#closeStore = closeStore;
    const { sender, clock, log } = foundation;
    this.catalog = new Catalog({
      sender,
      region: services.config.aws.region,
      clock,
      log,
      onChange: (snapshot) => {
        this.#snapshot = snapshot;
        this.#services.models.learnCatalog(snapshot);
      },
    });
  }

  get services(): Services {
    return this.#services;
  }

  async reload(loaded: LoadedConfig): Promise<readonly string[]> {
    const before = this.#services;
    const kept = UNTIL_RESTART.filter((part) => !same(loaded.config[part], before.config[part]));
    const { aws, listen, log, store } = before.config;
    const config = { ...loaded.config, aws, listen, log, store };
    const after = await assemble({ ...loaded, config }, this.#foundation);
    if (this.#snapshot !== undefined) after.models.learnCatalog(this.#snapshot);
    this.#services = after;
    const retired = before.uses.free.then(() => closePlugins(before.plugins));
    this.#retired.add(retired);
    void retired.finally(() => this.#retired.delete(retired));
    return kept;
  }

  async close(): Promise<void> {
    await this.catalog.close();
    await closePlugins(this.#services.plugins);
    await Promise.all(this.#retired);
    await this.keys.settled();
    await this.#foundation.sharing.close(); // what is not yet posted stays held until it is
    await this.#closeStore();
  }
}

/** Parts of config.yaml that a running server does not take anew. */
const UNTIL_RESTART = ["aws", "listen", "log", "store"] as const;

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function journalOf(store: StoreConfig): JournalPlace | null {
  if (store.use === "memory" || store.journal === null) return null;
  return { path: store.journal, mostBytes: store.journal_mb * 1_000_000 };
}

function keysValidWhileDownMs(store: StoreConfig): number {
  return store.use === "memory" ? 0 : parseDuration(store.keys_valid_while_down);
}

/** Opens the keys of a store, under the secret of the environment if there is one. */
export function openKeys(
  store: Store,
  options: {
    clock: Clock;
    env: (name: string) => string | undefined;
    validWhileDownMs?: number;
  },
): Promise<Keys> {
  const { clock, env, validWhileDownMs = 0 } = options;
  const secret = env("OUTCROP_KEY_SECRET");
  return Keys.open(store, {
    clock,
    validWhileDownMs,
    ...(secret === undefined ? {} : { secret }),
  });
}
