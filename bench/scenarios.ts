/**
 * What is measured request by request: CPU time of the server, throughput and latency, alternated between servers.
 * @module
 */
import { STREAM_EVENTS } from "./answers.ts";
import { load, type Shot } from "./load.ts";
import { median, percentile } from "./processes.ts";
import { CLAUDE_CODE_BETAS, claudeCodeBody, smallBody } from "./requests.ts";

/** A request that is repeated. */
export interface Scenario {
  /** Its name in the table. */
  readonly name: string;
  /** Requests a round. */
  readonly requests: number;
  /** Events of an answer; 0 for one that is no stream. */
  readonly events: number;
  /** Path at Bedrock, which the raw hop is asked for. */
  readonly path: string;
  /** Body. */
  readonly body: string;
  /** Headers beside the key. */
  readonly headers?: Readonly<Record<string, string>>;
}

const CLAUDE = "claude-haiku-4-5";
const OTHER = "qwen.bench";
const INVOKE = "/model/m/invoke";
const INVOKE_STREAM = "/model/m/invoke-with-response-stream";
const MESSAGES = "/anthropic/v1/messages";
const CONVERSE = "/model/m/converse";
const CONVERSE_STREAM = "/model/m/converse-stream";
/** Bytes of the large request. */
export const LARGE = 150_000;

function small(route: string, path: string, model: string): Scenario {
  return {
    name: `small, ${route}`,
    requests: 2_000,
    events: 0,
    path,
    body: smallBody(model, false),
  };
}

function stream(route: string, path: string, model: string, perChunk: 1 | 10): Scenario {
  return {
    name: `200 events, ${perChunk} a chunk, ${route}`,
    requests: perChunk === 1 ? 150 : 400,
    events: STREAM_EVENTS,
    path,
    body: smallBody(model, true),
  };
}

/** Every scenario. */
export const SCENARIOS: readonly Scenario[] = [
  small("invoke", INVOKE, CLAUDE),
  small("messages", MESSAGES, "over-messages"),
  small("converse", CONVERSE, OTHER),
  stream("invoke", INVOKE_STREAM, CLAUDE, 10),
  stream("messages", MESSAGES, "over-messages", 10),
  stream("converse", CONVERSE_STREAM, OTHER, 10),
  stream("invoke", "/model/one-by-one/invoke-with-response-stream", "one-by-one", 1),
  stream("messages", MESSAGES, "over-messages-one-by-one", 1),
  stream("converse", "/model/one-by-one/converse-stream", "converse-one-by-one", 1),
  {
    name: "150 KB, 24 tools, 200 events",
    requests: 200,
    events: STREAM_EVENTS,
    path: INVOKE_STREAM,
    body: claudeCodeBody(CLAUDE, LARGE),
    headers: { "anthropic-beta": CLAUDE_CODE_BETAS, "anthropic-version": "2023-06-01" },
  },
];

/** A server under load. */
export interface Contestant {
  /** What it is called in the results. */
  readonly name: string;
  /** Where a scenario is sent. */
  readonly shot: (scenario: Scenario) => Shot;
  /** CPU time so far, in microseconds; undefined where it cannot be read. */
  readonly cpu: () => number | undefined;
}

/** What one server made of one scenario: medians over the rounds. */
export interface Measured {
  /** Microseconds of CPU time a request. */
  readonly cpuUs: number | undefined;
  /** Requests a second. */
  readonly perSecond: number;
  /** Milliseconds of a request. */
  readonly p50: number;
  /** Milliseconds of a slow request. */
  readonly p99: number;
}

/** Connections that load at the same time. */
export const CONNECTIONS = 16;

/** How to measure. */
export interface MeasureOptions {
  /** Rounds, of which medians are taken. */
  readonly rounds: number;
  /**
   * Rounds' worth of requests before them. The engine goes on compiling for some 25,000 requests of a small size: a
   * gateway costs half as much again until then, the raw hop, which has hardly any code, does not.
   */
  readonly warmth: number;
}

/** Sends a scenario to each in turn, after it has warmed them up. */
export async function measure(
  scenario: Scenario,
  contestants: readonly Contestant[],
  { rounds, warmth }: MeasureOptions,
): Promise<ReadonlyMap<string, Measured>> {
  const cpu = new Map<string, number[]>();
  const speed = new Map<string, number[]>();
  const latencies = new Map<string, number[]>();
  for (const { shot } of contestants) {
    await load(shot(scenario), warmth * scenario.requests, CONNECTIONS);
  }
  for (let round = 0; round < rounds; round++) {
    for (const { name, shot, cpu: read } of contestants) {
      const before = read();
      const loaded = await load(shot(scenario), scenario.requests, CONNECTIONS);
      const after = read();
      if (before !== undefined && after !== undefined) {
        (cpu.get(name) ?? cpu.set(name, []).get(name))?.push((after - before) / scenario.requests);
      }
      (speed.get(name) ?? speed.set(name, []).get(name))?.push(scenario.requests / loaded.seconds);
      latencies.set(name, (latencies.get(name) ?? []).concat(loaded.latencies));
    }
  }
  return new Map(contestants.map(({ name }) => {
    const of = cpu.get(name);
    const ms = latencies.get(name) ?? [];
    return [name, {
      cpuUs: of === undefined ? undefined : median(of),
      perSecond: median(speed.get(name) ?? []),
      p50: percentile(ms, 50),
      p99: percentile(ms, 99),
    }];
  }));
}
