/**
 * The `fuzz` task: 1,000,000 streams as from Bedrock and 100,000 requests to all endpoints. Prints the seed, and
 * writes what came of it to `bench/fuzz.json`.
 *
 * `deno task fuzz [--streams N] [--requests N]`; `FC_SEED=…` repeats a run.
 * @module
 */
import { parseArgs } from "node:util";
import fc from "fast-check";
import { checkAsyncProperty, SEED } from "../seed.ts";
import { fuzzRequest, gatewayOf } from "./requests.ts";
import { type Outcome, readStream, type Route, streamOf } from "./streams.ts";
import { FuzzTarget } from "./target.ts";

const FIGURES = new URL("../../bench/fuzz.json", import.meta.url);
const TOLD_EVERY = 10;

function write(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

/** Tells how far a count has come, ten times. */
function progress(what: string, total: number): (done: number) => void {
  const step = Math.ceil(total / TOLD_EVERY);
  return (done) => {
    if (done % step === 0) write(`${what}: ${done} of ${total}\n`);
  };
}

function fuzzStreams(total: number): Record<Route, Record<Outcome, number>> {
  const told = progress("streams", total);
  const outcomes = {
    converse: { whole: 0, failed: 0 },
    invoke: { whole: 0, failed: 0 },
    sse: { whole: 0, failed: 0 },
  };
  for (let index = 0; index < total; index++) {
    const seed = (SEED + index) % 2 ** 32;
    const stream = streamOf(seed);
    try {
      outcomes[stream.route][readStream(stream)]++;
    } catch (error) {
      throw new Error(`Cannot read the stream of seed ${seed} as it must be`, { cause: error });
    }
    told(index + 1);
  }
  return outcomes;
}

interface RequestFigures {
  /** Answers by status, as clients saw them. */
  readonly statuses: Record<string, number>;
  /** The same requests as the gateways counted them: by whose fault it was, and status. */
  readonly by_fault: Record<string, number>;
}

async function fuzzRequests(total: number): Promise<RequestFigures> {
  const told = progress("requests", total);
  const target = await FuzzTarget.open();
  let sent = 0;
  try {
    await checkAsyncProperty(
      fc.asyncProperty(fuzzRequest, async (request) => {
        await target.send(request, gatewayOf(request));
        told(++sent);
      }),
      total,
    );
  } finally {
    await target.close();
  }
  return {
    statuses: Object.fromEntries(target.statuses),
    by_fault: Object.fromEntries([...target.faults].sort(([a], [b]) => a < b ? -1 : 1)),
  };
}

function sumOf(counts: Record<string, number>, wanted: RegExp): number {
  return Object.entries(counts).reduce((sum, [name, n]) => wanted.test(name) ? sum + n : sum, 0);
}

const { values } = parseArgs({
  options: {
    streams: { type: "string", default: "1000000" },
    requests: { type: "string", default: "100000" },
  },
});
const [streams, requests] = [Number(values.streams), Number(values.requests)];
write(`FC_SEED=${SEED}\n`);
const outcomes = fuzzStreams(streams);
const { statuses, by_fault } = await fuzzRequests(requests);
const figures = {
  measured: new Date().toISOString().slice(0, 10),
  runtime: `deno ${Deno.version.deno}`,
  seed: SEED,
  streams: { total: streams, outcomes },
  // 0: the connection ended without an answer, as one whose head says that more comes than does.
  // A 500 is what clients are told where Bedrock's stream was broken: a broken one was sent, or the run had failed.
  requests: { total: requests, statuses, by_fault },
  crashes: 0,
  faults_of_the_gateway: sumOf(by_fault, /^us /),
  unhandled_rejections: 0,
  canaries_told: 0,
};
await Deno.writeTextFile(FIGURES, `${JSON.stringify(figures, null, 2)}\n`);
write(
  `${streams} streams and ${requests} requests: no crash, no fault of the gateway, no canary told\n`,
);
