/**
 * The `bench` task: CPU time of the server process per request, of Outcrop and of the raw hop, alternated in one
 * run; medians of several rounds, and their ratio. Linux only: CPU time is read from /proc.
 *
 * `deno task bench [ROUNDS]` prints a table and writes bench/results.json. Single times mean nothing on a shared
 * machine; ratios of one run do.
 * @module
 */
import { table } from "../src/cli/terminal.ts";

const HERE = new URL(".", import.meta.url).pathname;
const ROUNDS = Number(Deno.args[0] ?? 5);
const CONNECTIONS = 16;
const TICK_US = 10_000; // USER_HZ is 100 on Linux

interface Scenario {
  readonly name: string;
  readonly requests: number;
  readonly events: number;
  readonly path: string;
  readonly body: string;
}

function bodyOf(model: string, stream: boolean, size: number = 0): string {
  const content = `hello ${"x".repeat(size)}`;
  return JSON.stringify({ model, max_tokens: 10, stream, messages: [{ role: "user", content }] });
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: "small invoke",
    requests: 3_000,
    events: 0,
    path: "/m/invoke",
    body: bodyOf("claude-haiku-4-5", false),
  },
  {
    name: "small converse",
    requests: 3_000,
    events: 0,
    path: "/m/converse",
    body: bodyOf("qwen.bench", false),
  },
  {
    name: "stream invoke, 10 a chunk",
    requests: 500,
    events: 205,
    path: "/m/invoke-with-response-stream",
    body: bodyOf("claude-haiku-4-5", true),
  },
  {
    name: "stream converse, 10 a chunk",
    requests: 500,
    events: 205,
    path: "/m/converse-stream",
    body: bodyOf("qwen.bench", true),
  },
  {
    name: "stream invoke, 1 a chunk",
    requests: 200,
    events: 205,
    path: "/one-by-one/invoke-with-response-stream",
    body: bodyOf("one-by-one", true),
  },
  {
    name: "150 KB request, streamed",
    requests: 300,
    events: 205,
    path: "/m/invoke-with-response-stream",
    body: bodyOf("claude-haiku-4-5", true, 150_000),
  },
];

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}

function start(script: string, args: readonly string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", `${HERE}${script}`, ...args],
    stdin: "null",
    stdout: "piped",
  }).spawn();
}

async function listening(port: number): Promise<void> {
  for (let tries = 0;; tries++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (tries > 200) {
        throw new Error(`Cannot reach the server that must listen on ${port}`, { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** User and system time of a process, in microseconds. */
function cpu({ pid }: Deno.ChildProcess): number {
  const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

async function load(
  url: string,
  { body, requests }: Scenario,
  headers: Record<string, string>,
): Promise<void> {
  let left = requests;
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    while (left-- > 0) {
      const response = await fetch(url, { method: "POST", body, headers });
      const bytes = await response.arrayBuffer();
      if (response.status !== 200 || bytes.byteLength === 0) {
        throw new Error(`Cannot measure an answer of ${response.status}`);
      }
    }
  }));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

async function firstLine(child: Deno.ChildProcess): Promise<string> {
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) return text.trim();
  throw new Error("Cannot read the key: the gateway ended");
}

const [upstreamPort, hopPort, gatewayPort] = [freePort(), freePort(), freePort()];
const upstream = `http://127.0.0.1:${upstreamPort}`;
const children = [
  start("upstream.ts", [String(upstreamPort)]),
  start("hop.ts", [String(hopPort), upstream]),
  start("gateway.ts", [String(gatewayPort), upstream]),
] as const;
try {
  const [, hop, gateway] = children;
  const key = await firstLine(gateway);
  await Promise.all([upstreamPort, hopPort, gatewayPort].map(listening));
  const rows = [];
  for (const scenario of SCENARIOS) {
    const hops: number[] = [];
    const gateways: number[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      const before = [cpu(hop), cpu(gateway)] as const;
      await load(`http://127.0.0.1:${hopPort}/model${scenario.path}`, scenario, {});
      await load(`http://127.0.0.1:${gatewayPort}/v1/messages`, scenario, { "x-api-key": key });
      if (round === 0) continue; // warms up
      hops.push((cpu(hop) - before[0]) / scenario.requests);
      gateways.push((cpu(gateway) - before[1]) / scenario.requests);
    }
    const ours = median(gateways);
    rows.push({
      scenario: scenario.name,
      "hop us": Math.round(median(hops)),
      "outcrop us": Math.round(ours),
      ratio: (ours / median(hops)).toFixed(2),
      "us an event": scenario.events === 0 ? "" : (ours / scenario.events).toFixed(1),
    });
    Deno.stderr.writeSync(new TextEncoder().encode(`${scenario.name} measured\n`));
  }
  Deno.stdout.writeSync(new TextEncoder().encode(`${table(rows)}\n`));
  const results = {
    deno: Deno.version.deno,
    cores: navigator.hardwareConcurrency,
    rounds: ROUNDS,
    connections: CONNECTIONS,
    rows,
  };
  await Deno.writeTextFile(`${HERE}results.json`, `${JSON.stringify(results, null, 2)}\n`);
} finally {
  for (const child of children) child.kill("SIGKILL");
}
