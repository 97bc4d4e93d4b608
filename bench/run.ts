/**
 * The `bench` task: Outcrop against a raw hop in the same runtime, alternated in one run. CPU time of the server
 * process a request, throughput, latency, slow streams, starts; prints tables and writes bench/results.json.
 *
 * Single times mean nothing on a shared machine; ratios of one run do. Linux only: figures are read from /proc.
 * @module
 */
import { table } from "../src/cli/terminal.ts";
import { journalCost } from "./journal.ts";
import type { Shot } from "./load.ts";
import { type BenchOptions, readOptions } from "./options.ts";
import { freePort, ServerProcess } from "./processes.ts";
import { smallBody } from "./requests.ts";
import { requestRow, round, slowRow } from "./rows.ts";
import { type Contestant, measure, SCENARIOS } from "./scenarios.ts";
import { type Candidate, checksCost, firstByteAdded, peakMemory } from "./single.ts";
import { slowStreams } from "./slow.ts";
import { starts, throughput } from "./start.ts";
import { type Figures, targetsMarkdown } from "./targets.ts";
import { writeResults } from "./write_results.ts";

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

function progress(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`  ${text}\n`));
}

/** A running benchmark: the upstream, and how servers are started before it. */
class Bench {
  readonly parts: Record<string, Figures[]> = {};
  readonly #options: BenchOptions;
  readonly #upstream: ServerProcess;
  readonly #folder: string;

  constructor(options: BenchOptions, upstream: ServerProcess, folder: string) {
    this.#options = options;
    this.#folder = folder;
    this.#upstream = upstream;
  }

  async run(): Promise<void> {
    await this.#part("requests", () => this.#requests());
    await this.#part("slow streams", () => this.#slow());
    await this.#part("checks", () => this.#checks());
    await this.#part("first byte", () => this.#firstByte());
    await this.#part("memory of a large request", () => this.#memory());
    await this.#part("journal", () => this.#journal());
    await this.#part("start", () => this.#start());
    await this.#part("workers", () => this.#workers());
  }

  async #part(name: string, measured: () => Promise<Figures[]>): Promise<void> {
    const { only } = this.#options;
    const inside = SCENARIOS.some((one) => one.name.includes(only)) && name === "requests";
    if (!name.includes(only) && !inside) return;
    const rows = await measured();
    this.parts[name] = rows;
    say(`\n${name}\n${table(rows.map((row) => ({ ...row })))}`);
  }

  #hop(): Promise<ServerProcess> {
    return ServerProcess.start("hop.ts", this.#upstream.url);
  }

  #floor(): Promise<ServerProcess> {
    return ServerProcess.start("floor.ts", this.#upstream.url);
  }

  get #warmth(): number {
    return this.#options.quick ? 1 : 10;
  }

  #gateway(kind: string = "default"): Promise<ServerProcess> {
    const folder = Deno.makeTempDirSync({ dir: this.#folder });
    return ServerProcess.start("gateway.ts", this.#upstream.url, folder, kind);
  }

  async #requests(): Promise<Figures[]> {
    const { peer, peerPid, headers, rounds, only } = this.#options;
    const [hop, floor, gateway] = [await this.#hop(), await this.#floor(), await this.#gateway()];
    const key = await gateway.line();
    const to = (url: string, auth: Record<string, string>): Contestant["shot"] => (scenario) => ({
      url: `${url}/v1/messages`,
      body: scenario.body,
      headers: { ...scenario.headers, ...auth },
    });
    const contestants: Contestant[] = [
      {
        name: "hop",
        shot: ({ path, body }) => ({ url: hop.url + path, body, headers: {} }),
        cpu: () => hop.cpu(),
      },
      {
        name: "floor",
        shot: ({ path, body }) => ({ url: floor.url + path, body, headers: {} }),
        cpu: () => floor.cpu(),
      },
      { name: "ours", shot: to(gateway.url, { "x-api-key": key }), cpu: () => gateway.cpu() },
    ];
    if (peer !== undefined) {
      const cpu = () => peerPid === undefined ? undefined : ServerProcess.cpuOf(peerPid);
      contestants.push({ name: "peer", shot: to(peer, headers), cpu });
    }
    try {
      const rows: Figures[] = [];
      const chosen = SCENARIOS.filter(({ name }) => name.includes(only));
      for (const scenario of chosen.length === 0 ? SCENARIOS : chosen) {
        const measured = await measure(scenario, contestants, { rounds, warmth: this.#warmth });
        rows.push(requestRow(scenario.name, scenario.events, measured));
        progress(scenario.name);
      }
      return rows;
    } finally {
      await Promise.all([hop.stop(), floor.stop(), gateway.stop()]);
    }
  }

  async #slow(): Promise<Figures[]> {
    const rows: Figures[] = [];
    for (const streams of this.#options.quick ? [200] : [500, 1_000, 2_000]) {
      const plain = {
        path: "/model/slow/invoke-with-response-stream",
        headers: () => Promise.resolve({}),
      };
      const hop = await slowStreams({ ...plain, start: () => this.#hop() }, streams);
      const floor = await slowStreams({ ...plain, start: () => this.#floor() }, streams);
      const ours = await slowStreams({
        start: () => this.#gateway(),
        path: "/v1/messages",
        headers: async (server) => ({ "x-api-key": await server.line() }),
      }, streams);
      rows.push(slowRow({ hop, floor, ours }));
      progress(`${streams} slow streams`);
    }
    return rows;
  }

  async #keyed(kind: string): Promise<Candidate> {
    const server = await this.#gateway(kind);
    const shot = await keyedShot(server, smallBody("claude-haiku-4-5", false));
    return { server, shot };
  }

  async #checks(): Promise<Figures[]> {
    const gateways = {
      none: await this.#keyed("none"),
      off: await this.#keyed("auth,tier,prompt_cache,usage"),
      on: await this.#keyed("limits"),
    };
    try {
      const { rounds } = this.#options;
      const cost = await checksCost(gateways, { rounds, warmth: this.#warmth });
      return [{
        "no plugins us": round(cost.noneUs, 0),
        "off us": round(cost.offUs, 0),
        "on us": round(cost.onUs, 0),
        ratio: round(cost.onUs / cost.offUs),
        "store calls a request": round(cost.storeCalls, 3),
        "a second": round(cost.callsPerSecond, 1),
      }];
    } finally {
      await Promise.all(Object.values(gateways).map(({ server }) => server.stop()));
    }
  }

  async #firstByte(): Promise<Figures[]> {
    const [hop, ours] = [await this.#hop(), await this.#gateway()];
    try {
      const body = smallBody("claude-haiku-4-5", true);
      const path = "/model/m/invoke-with-response-stream";
      const times = this.#options.quick ? 100 : 400;
      const added = await firstByteAdded(
        { url: hop.url + path, body, headers: {} },
        await keyedShot(ours, body),
        { times, warmth: this.#warmth * 1_000 },
      );
      return [{ "added ms, p50": round(added.p50), "added ms, p99": round(added.p99) }];
    } finally {
      await Promise.all([hop.stop(), ours.stop()]);
    }
  }

  async #memory(): Promise<Figures[]> {
    const hop = await peakMemory(() => this.#hop(), (server, body) =>
      Promise.resolve({
        url: `${server.url}/model/${modelOf(body)}/invoke-with-response-stream`,
        body,
        headers: {},
      }));
    const ours = await peakMemory(() => this.#gateway(), keyedShot);
    return [{ "hop, bodies": round(hop), "outcrop, bodies": round(ours) }];
  }

  async #journal(): Promise<Figures[]> {
    await journalCost(16); // warms up
    const costs = [await journalCost(1), await journalCost(16)];
    return costs.map((cost) => ({
      "requests at a time": cost.together,
      "us to note": cost.note_us,
      "us to post": cost.post_us,
      "us the end waits": cost.wait_us,
      bytes: cost.bytes,
    }));
  }

  async #start(): Promise<Figures[]> {
    const { startMs, idleMb } = await starts(this.#options.quick ? 2 : 5);
    return [{ "ms to /health": round(startMs, 0), "idle MB": round(idleMb, 0) }];
  }

  async #workers(): Promise<Figures[]> {
    const shotOf = (url: string): Shot => ({
      url: `${url}/v1/messages`,
      body: smallBody("claude-haiku-4-5", false),
      headers: {},
    });
    const one = await throughput(this.#upstream.url, 1, shotOf);
    const two = await throughput(this.#upstream.url, 2, shotOf);
    return [{
      "1 worker, req/s": round(one.perSecond, 0),
      "2 workers, req/s": round(two.perSecond, 0),
      ratio: round(two.perSecond / one.perSecond),
      "us, 1 worker": round(one.cpuUs, 0),
      "us, 2 workers": round(two.cpuUs, 0),
      "ratio by CPU": round(2 * one.cpuUs / two.cpuUs),
    }];
  }
}

function modelOf(body: string): string {
  return (JSON.parse(body) as { model: string }).model;
}

/** The request with the key that a gateway tells once: asked again it is remembered. */
const keys = new WeakMap<ServerProcess, Promise<string>>();
async function keyedShot(server: ServerProcess, body: string): Promise<Shot> {
  const key = keys.get(server) ?? server.line();
  keys.set(server, key);
  return { url: `${server.url}/v1/messages`, body, headers: { "x-api-key": await key } };
}

function cpuModel(): string {
  const text = Deno.readTextFileSync("/proc/cpuinfo");
  return /model name\s*:\s*(.+)/.exec(text)?.[1]?.trim() ?? "unknown";
}

async function main(): Promise<void> {
  const options = readOptions(Deno.args);
  const upstream = await ServerProcess.startAt(options.upstreamPort ?? freePort(), "upstream.ts");
  const folder = await Deno.makeTempDir();
  const bench = new Bench(options, upstream, folder);
  try {
    await bench.run();
  } finally {
    await upstream.stop();
    await Deno.remove(folder, { recursive: true });
  }
  if (options.quick || options.only !== "") return;
  const results = {
    date: new Date().toISOString().slice(0, 10),
    machine: { cpu: cpuModel(), cores: navigator.hardwareConcurrency },
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    rounds: options.rounds,
    parts: bench.parts,
  };
  await writeResults(results);
  say(`\n${targetsMarkdown(results)}`);
}

await main();
