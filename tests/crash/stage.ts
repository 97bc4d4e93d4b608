/**
 * What a campaign runs: a simulated Bedrock, a gateway as a process of its own that is killed and started again, and
 * clients as another.
 * @module
 */
import { systemClock } from "../../src/clock.ts";
import { openConfiguredStore } from "../../src/cli/open_store.ts";
import { loadConfig } from "../../src/config/load.ts";
import {
  type Simulator,
  SIMULATOR_CREDENTIALS,
  startSimulator,
} from "../../src/simulator/simulator.ts";
import { command, outcrop, Output, ROOT } from "../cli/outcrop.ts";
import { freshTable } from "../dynamodb_local.ts";
import type { Seen } from "./load.ts";
import { type Tally, tallyOf } from "./tally.ts";

/** Which stores there are campaigns on. */
export type StoreName = "deno_kv" | "dynamodb";

/** What is to be run. */
export interface StageOptions {
  readonly store: StoreName;
  readonly workers: number;
  readonly seed: number;
  readonly clients?: number;
  /** Base URL of DynamoDB. @default the run's own DynamoDB Local */
  readonly dynamodb?: string;
}

const ENV = {
  AWS_ACCESS_KEY_ID: SIMULATOR_CREDENTIALS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: SIMULATOR_CREDENTIALS.secretAccessKey,
};

/** A plugin that crashes its worker when it is asked to, as a forgotten callback does. */
const CRASH = `export default ({ define, z }) => define({
  name: "crash",
  schema: z.strictObject({}).prefault({}),
  setup: () => ({
    onRequest(ctx) {
      if (ctx.headers.has("x-crash")) setTimeout(() => { throw new Error("A forgotten callback"); }, 0);
    },
  }),
});
`;

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}

/** The stand-in for DynamoDB makes a transaction of a hundred calls: what has waited takes its time. */
const SENT_MS = 120_000;

/** One gateway process. */
class GatewayProcess {
  readonly #child: Deno.ChildProcess;
  readonly #told: Output;
  readonly #stdout: Promise<void>;

  constructor(folder: string) {
    this.#child = command(["serve"], folder, ENV).spawn();
    this.#told = new Output(this.#child.stderr);
    this.#stdout = this.#child.stdout.cancel();
  }

  /** The next text of its log that matches. */
  async told(wanted: RegExp): Promise<void> {
    await this.#told.next(wanted);
  }

  /** Ends it; the rest of its log. */
  async end(signal: Deno.Signal): Promise<string> {
    this.#child.kill(signal);
    const rest = await this.#told.rest();
    await this.#child.status;
    await this.#stdout;
    return rest;
  }
}

/** The stage of one campaign. */
export class Stage {
  readonly folder: string;
  readonly url: string;
  readonly key: string;
  readonly #simulator: Simulator;
  readonly #load: Deno.ChildProcess;
  readonly #seen: Promise<Seen[]>;
  #gateway: GatewayProcess | undefined;

  private constructor(
    place: { folder: string; url: string; key: string },
    simulator: Simulator,
    load: Deno.ChildProcess,
  ) {
    this.folder = place.folder;
    this.url = place.url;
    this.key = place.key;
    this.#simulator = simulator;
    this.#load = load;
    this.#seen = seenBy(load);
  }

  /** Sets all up, with the gateway running. */
  static async open(options: StageOptions): Promise<Stage> {
    const folder = await Deno.makeTempDir();
    const simulator = startSimulator();
    const port = freePort();
    const store = options.store === "deno_kv"
      ? "use: deno_kv, path: keys.db"
      : await tableConfig(options.dynamodb);
    await Deno.writeTextFile(`${folder}/crash.ts`, CRASH);
    await Deno.writeTextFile(
      `${folder}/config.yaml`,
      `listen: { port: ${port}, workers: ${options.workers} }
store: { ${store} }
aws: { endpoint: "${simulator.url}" }
plugins:
  - { use: auth }
  - { use: ./crash.ts }
  - { use: rate_limit, with: { requests_per_minute: 1000000 } }
  - { use: budget, with: { overall: { monthly_usd: 1000 }, store_down: open } }
  - { use: usage }
`,
    );
    const made = await outcrop(["keys", "create", "--name", "k", "--json"], folder, ENV);
    if (made.code !== 0) throw new Error(`Cannot make a key: ${made.err}`);
    const { key } = JSON.parse(made.out);
    const url = `http://127.0.0.1:${port}`;
    const { clients = 8, seed } = options;
    const load = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", "-A", "--config", `${ROOT}deno.json`]
        .concat(`${ROOT}tests/crash/load.ts`, url, key, String(clients), String(seed)),
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const stage = new Stage({ folder, url, key }, simulator, load);
    await stage.start();
    return stage;
  }

  /** Starts the gateway. */
  async start(): Promise<void> {
    this.#gateway = new GatewayProcess(this.folder);
    await this.#gateway.told(/Listening on http/);
  }

  /** Kills the gateway. */
  async kill(): Promise<void> {
    await this.#gateway?.end("SIGKILL");
    this.#gateway = undefined;
  }

  /** Crashes the worker that takes the request, and waits until another has taken its place. */
  async crashWorker(): Promise<void> {
    const headers = { "x-api-key": this.key, "x-crash": "1" };
    await fetch(`${this.url}/v1/messages`, { method: "POST", headers, body: "{" })
      .then((response) => response.body?.cancel(), () => undefined); // the answer may be cut by it
    await this.#gateway?.told(/Worker \d+ listens again/);
  }

  /** Stops clients and gateway, has all that is in the journal sent, and compares. `log` is the gateway's last. */
  async end(): Promise<{ tally: Tally; seen: readonly Seen[]; log: string }> {
    this.#load.kill("SIGTERM");
    const seen = await this.#seen;
    let log = "";
    for (const deadline = performance.now() + SENT_MS;;) {
      if (this.#gateway === undefined) await this.start();
      await new Promise((resolve) => setTimeout(resolve, 1_000)); // to send, and to take a signal for what it is
      log += await this.#gateway?.end("SIGTERM");
      this.#gateway = undefined;
      if (!this.#journalHolds()) break;
      if (performance.now() > deadline) {
        throw new Error(`Cannot count what the journal must have sent by now:\n${log}`);
      }
    }
    await this.#simulator.close();
    for (const [name, value] of Object.entries(ENV)) Deno.env.set(name, value);
    const { config } = loadConfig(`${this.folder}/config.yaml`, { env: () => undefined });
    const store = await openConfiguredStore(config, systemClock);
    const tally = await tallyOf(store, seen);
    await store.close();
    await Deno.remove(this.folder, { recursive: true });
    return { tally, seen, log };
  }

  #journalHolds(): boolean {
    const journals = [...Deno.readDirSync(this.folder)].filter(({ name }) =>
      name.endsWith(".journal")
    );
    return journals.some(({ name }) =>
      [...Deno.readDirSync(`${this.folder}/${name}`)].some((file) => file.name.endsWith(".journal"))
    );
  }
}

async function tableConfig(url: string | undefined): Promise<string> {
  const { table, endpoint } = await freshTable(url);
  return `use: dynamodb, table: ${table}, endpoint: "${endpoint}"`;
}

async function seenBy(load: Deno.ChildProcess): Promise<Seen[]> {
  const text = await new Response(load.stdout).text();
  await load.status;
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}
