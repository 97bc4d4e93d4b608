/**
 * A gateway in front of a simulated Bedrock, both on loopback and in this process: what tests talk to.
 * @module
 */
import { type Gateway, openGateway } from "../src/cli/gateway.ts";
import type { UrlFetcher } from "../src/bedrock/url_sources.ts";
import { type Clock, systemClock } from "../src/clock.ts";
import { parseConfig } from "../src/config/load.ts";
import { openLog } from "../src/log.ts";
import { type Server, startServer } from "../src/server/server.ts";
import {
  type Simulator,
  SIMULATOR_CREDENTIALS,
  startSimulator,
} from "../src/simulator/simulator.ts";
import { SecretWatch } from "./secret_watch.ts";
import { openMemoryStore } from "../src/storage/memory.ts";
import type { Store } from "../src/storage/store.ts";

/** What a test may want other than usual. */
export interface HarnessOptions {
  /** config.yaml, without `aws` and `store`, which the harness gives. */
  config?: string;
  /** The gateway's clock. */
  clock?: Clock;
  /** The simulator's clock. @default the machine's */
  simulatorClock?: Clock;
  /** The store. */
  store?: Store;
  /** Where relative paths of the configuration begin. */
  base?: string;
  /** AWS credentials of the gateway. */
  credentials?: { accessKeyId: string; secretAccessKey: string } | Error | "silent";
  /** Bedrock API key of the gateway, in place of credentials. */
  bearer?: string;
  /** Base URL of Bedrock, instead of the simulator's. */
  endpoint?: string;
  /** Fetches what a client names by URL. @default over https, from public addresses */
  fetchUrl?: UrlFetcher;
}

/** What a test talks to. */
export interface Harness {
  /** Base URL of the gateway. */
  readonly url: string;
  /** An API key of the gateway. */
  readonly key: string;
  /** Bedrock. */
  readonly simulator: Simulator;
  /** The gateway. */
  readonly gateway: Gateway;
  /** The server. */
  readonly server: Server;
  /** Lines of the gateway's log. */
  readonly log: readonly string[];
  /** Looks for secrets in what leaves the gateway; further keys of a test are added to it. */
  readonly secrets: SecretWatch;
  /** Takes another configuration, without `aws` and `store`, while it runs. */
  reload(config: string): Promise<readonly string[]>;
  /** Calls `POST /v1/messages` with the key. */
  post(body: unknown, headers?: Record<string, string>): Promise<Response>;
  /** Stops both. */
  close(): Promise<void>;
}

/** Starts both. */
export async function startHarness(options: HarnessOptions = {}): Promise<Harness> {
  const clock = options.clock ?? systemClock;
  const simulator = startSimulator({ clock: options.simulatorClock ?? systemClock });
  const log: string[] = [];
  const secrets = new SecretWatch();
  secrets.add(options.bearer);
  const env = (name: string) => name === "AWS_BEARER_TOKEN_BEDROCK" ? options.bearer : undefined;
  const file = `${options.base ?? Deno.cwd()}/config.yaml`;
  const endpoint = options.endpoint ?? simulator.url;
  const load = (config: string) =>
    parseConfig(
      `aws: { region: us-east-1, endpoint: "${endpoint}" }\nstore: { use: memory }\n${config}`,
      { file, env },
    );
  const loaded = load(options.config ?? "");
  const credentials = options.credentials ?? SIMULATOR_CREDENTIALS;
  if (typeof credentials === "object" && !(credentials instanceof Error)) {
    secrets.add(credentials.secretAccessKey);
  }
  const gateway = await openGateway({
    loaded,
    clock,
    env,
    log: openLog({ level: "debug", format: "json", write: (line) => log.push(line) }),
    store: secrets.watched(options.store ?? openMemoryStore({ clock })),
    ...(options.fetchUrl === undefined ? {} : { fetchUrl: options.fetchUrl }),
    provider: () =>
      credentials === "silent"
        ? new Promise(() => {})
        : credentials instanceof Error
        ? Promise.reject(credentials)
        : Promise.resolve(credentials),
  });
  const server = startServer(gateway, { hostname: "127.0.0.1", port: 0 });
  const { key } = await gateway.keys.create({ name: "test" });
  secrets.add(key);
  return {
    url: server.url,
    key,
    simulator,
    gateway,
    server,
    log,
    reload: (config) => gateway.reload(load(config)),
    secrets,
    post: async (body, headers = {}) =>
      await secrets.answer(
        await fetch(`${server.url}/v1/messages`, {
          method: "POST",
          headers: { "content-type": "application/json", "x-api-key": key, ...headers },
          body: typeof body === "string" ? body : JSON.stringify(body),
        }),
      ),
    async close() {
      await server.stop();
      await gateway.close();
      await simulator.close();
      for (const line of log) secrets.show("the log", line);
      secrets.assertNone();
    },
  };
}

/** Runs `test` against a gateway, and stops it whatever happens. */
export async function withHarness(
  options: HarnessOptions,
  test: (harness: Harness) => Promise<void>,
): Promise<void> {
  const harness = await startHarness(options);
  try {
    await test(harness);
  } catch (error) {
    harness.gateway.services.admission.endAll(); // what a failed test has left open would be waited for
    throw error;
  } finally {
    await harness.close();
  }
}

/** One server-sent event. */
export interface SseEvent {
  /** `event:`. */
  readonly event: string;
  /** `data:`, parsed: what tests look into. */
  readonly data: {
    readonly type: string;
    readonly delta?: { readonly text?: string };
    readonly usage?: { readonly output_tokens?: number };
    readonly error?: { readonly type: string; readonly message: string };
  };
}

/** Server-sent events of a whole body. */
export function parseSse(text: string): SseEvent[] {
  return text.split("\n\n").filter((record) => record.trim() !== "").map((record) => {
    const lines = record.split("\n");
    const field = (name: string) =>
      lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? "";
    return { event: field("event"), data: JSON.parse(field("data")) };
  });
}
