/**
 * Several gateways, each a process of its own, on one table of DynamoDB Local: what they let through together.
 * @module
 */
import { SIMULATOR_CREDENTIALS, startSimulator } from "../../src/simulator/simulator.ts";
import { freshTable } from "../dynamodb_local.ts";
import { outcrop, serve, type Served } from "../security/program.ts";

/** How large, and for how long. */
export interface FleetOptions {
  readonly processes: number;
  /** Of each part of the campaign. */
  readonly seconds: number;
  /** Requests a minute of a key. */
  readonly limit: number;
  /** Budget of a key for a day. */
  readonly budgetUsd: number;
}

/** Requests of one key to some processes, and what became of them. */
export interface Traffic {
  readonly asked: number;
  /** By process. */
  readonly admitted: readonly number[];
  /** What the limit lets through from the first request to the last answer: a full bucket and what refills. */
  readonly allowed: number;
  /** Answers that are neither 200 nor 429, by status. */
  readonly other: Readonly<Record<string, number>>;
}

/** What a campaign came to. */
export interface FleetResult extends FleetOptions {
  /** All processes at ten times the limit. */
  readonly together: Traffic;
  /** One process at ten times the limit of a key that only it sees. */
  readonly lone: Traffic;
  /** Milliseconds from the end of `keys revoke` to the sending of the last request that was admitted after it. */
  readonly revoked_ms: number;
  /** Requests that were refused after that, of all processes. */
  readonly revoked_refused: number;
  /** What a key with a budget spent in all processes, and what each of its requests, which are alike, cost. */
  readonly spent_usd: number;
  readonly request_usd: number;
}

const ENV = {
  AWS_ACCESS_KEY_ID: SIMULATOR_CREDENTIALS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: SIMULATOR_CREDENTIALS.secretAccessKey,
};
/** Requests under way to one process: more would measure the machine. */
const MOST_UNDER_WAY = 40;

class Fleet {
  readonly #folders: readonly string[];
  readonly #served: readonly Served[];
  readonly #close: () => Promise<void>;

  constructor(folders: readonly string[], served: readonly Served[], close: () => Promise<void>) {
    this.#folders = folders;
    this.#served = served;
    this.#close = close;
  }

  static async open(processes: number): Promise<Fleet> {
    const simulator = startSimulator();
    const { table, endpoint } = await freshTable();
    const folders: string[] = [];
    const served: Served[] = [];
    const close = async () => {
      await Promise.all(served.map((one) => one.stop()));
      await simulator.close();
      for (const folder of folders) await Deno.remove(folder, { recursive: true });
    };
    try {
      for (let at = 0; at < processes; at++) {
        const folder = await Deno.makeTempDir();
        folders.push(folder);
        await Deno.writeTextFile(
          `${folder}/config.yaml`,
          `listen: { port: 0 }
store: { use: dynamodb, table: ${table}, endpoint: "${endpoint}" }
aws: { endpoint: "${simulator.url}" }
plugins: [ { use: auth }, { use: rate_limit }, { use: budget }, { use: usage } ]
`,
        );
      }
      served.push(
        ...await Promise.all(
          folders.map((folder) => serve([], { folder, env: ENV, flags: ["-A"] })),
        ),
      );
    } catch (error) {
      await close();
      throw error;
    }
    return new Fleet(folders, served, close);
  }

  get urls(): readonly string[] {
    return this.#served.map(({ url }) => url);
  }

  /** What a command prints as JSON. */
  async command(args: readonly string[]) {
    const folder = this.#folders[0] ?? "";
    const { code, out, err } = await outcrop([...args, "--json"], {
      folder,
      env: ENV,
      flags: ["-A"],
    });
    if (code !== 0) throw new Error(`Cannot run ${args.join(" ")}: ${err}`);
    return JSON.parse(out);
  }

  close(): Promise<void> {
    return this.#close();
  }
}

const BODY = JSON.stringify({
  model: "claude-haiku-4-5",
  max_tokens: 100,
  messages: [{ role: "user", content: "[[sim:echo]] hello" }],
});

/** The answer's status; 402 for the 429 that says that a budget is spent. */
async function ask(url: string, key: string): Promise<number> {
  const response = await fetch(`${url}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": key },
    body: BODY,
  });
  await response.body?.cancel();
  return response.headers.get("x-should-retry") === "false" ? 402 : response.status;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(ms, 0)));
}

/** Sends requests at ten times the limit, evenly to each process. */
async function traffic(
  urls: readonly string[],
  key: string,
  { limit, seconds }: FleetOptions,
): Promise<Traffic> {
  const apart = 60_000 * urls.length / (10 * limit);
  const startedAt = performance.now();
  const admitted = urls.map(() => 0);
  const other: Record<string, number> = {};
  let asked = 0;
  let endedAt = startedAt;
  await Promise.all(urls.map(async (url, at) => {
    const underWay = new Set<Promise<void>>();
    const send = async () => {
      asked++;
      const status = await ask(url, key);
      if (status === 200) {
        admitted[at] = (admitted[at] ?? 0) + 1;
        endedAt = performance.now();
      } else if (status !== 429) other[status] = (other[status] ?? 0) + 1;
    };
    await pause(apart * at / urls.length);
    for (let due = performance.now(); due - startedAt < 1_000 * seconds; due += apart) {
      await pause(due - performance.now());
      if (underWay.size >= MOST_UNDER_WAY) continue;
      const work: Promise<void> = send().finally(() => underWay.delete(work));
      underWay.add(work);
    }
    await Promise.all(underWay);
  }));
  return { asked, admitted, allowed: limit * (1 + (endedAt - startedAt) / 60_000), other };
}

/** Uses a key everywhere while it is revoked. */
async function revoke(fleet: Fleet): Promise<{ revoked_ms: number; revoked_refused: number }> {
  const { id, key } = await fleet.command(["keys", "create", "--name", "revoked"]);
  let isOver = false;
  let revokedAt = Infinity;
  let last = -Infinity;
  let refused = 0;
  const clients = fleet.urls.map(async (url) => {
    while (!isOver) {
      const sentAt = performance.now();
      const status = await ask(url, key);
      if (status === 200) last = Math.max(last, sentAt);
      else if (sentAt > revokedAt) refused++;
      await pause(20);
    }
  });
  await pause(1_000);
  await fleet.command(["keys", "revoke", id]);
  revokedAt = performance.now();
  await pause(3_500);
  isOver = true;
  await Promise.all(clients);
  return { revoked_ms: Math.round(last - revokedAt), revoked_refused: refused };
}

/** Spends the budget of a key in all processes, until all say that it is spent. */
async function spend(
  fleet: Fleet,
  budgetUsd: number,
): Promise<{ spent_usd: number; request_usd: number }> {
  const budget = ["--budget", String(budgetUsd)];
  const { id, key } = await fleet.command(["keys", "create", "--name", "spender", ...budget]);
  const deadline = performance.now() + 120_000;
  let admitted = 0;
  await Promise.all(fleet.urls.map(async (url) => {
    while (performance.now() < deadline) {
      const statuses = await Promise.all([ask(url, key), ask(url, key), ask(url, key)]);
      admitted += statuses.filter((status) => status === 200).length;
      if (statuses.includes(402)) return;
      if (!statuses.includes(200)) await pause(100);
    }
  }));
  // What was used is in the store some moments later.
  for (let before = -1;;) {
    const { data } = await fleet.command(["usage", "--by", "key", "--since", "1d"]);
    const row = data.find((one: { key?: string; key_id?: string }) =>
      [one.key, one.key_id].includes(id)
    );
    const { requests = 0, cost_usd = 0 } = row ?? {};
    if (requests === before) return { spent_usd: cost_usd, request_usd: cost_usd / admitted };
    before = requests;
    await pause(1_500);
  }
}

/** Runs all parts of the campaign. */
export async function runFleet(options: FleetOptions): Promise<FleetResult> {
  const fleet = await Fleet.open(options.processes);
  try {
    const limited = ["--rpm", String(options.limit)];
    const shared = await fleet.command(["keys", "create", "--name", "shared", ...limited]);
    const single = await fleet.command(["keys", "create", "--name", "single", ...limited]);
    const together = await traffic(fleet.urls, shared.key, options);
    const lone = await traffic(fleet.urls.slice(0, 1), single.key, options);
    return {
      ...options,
      together,
      lone,
      ...await revoke(fleet),
      ...await spend(fleet, options.budgetUsd),
    };
  } finally {
    await fleet.close();
  }
}
