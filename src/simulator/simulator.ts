/**
 * Bedrock on loopback: its wire protocol, with scripted models behind it. For the demo, the tests and the
 * benchmarks. Imports nothing of the converters it is there to test.
 * @module
 */
import { type Clock, systemClock } from "../clock.ts";
import { answer } from "./answer.ts";
import {
  authenticate,
  SIMULATOR_BEARER_TOKEN,
  SIMULATOR_CREDENTIALS,
  type SimulatorCredentials,
} from "./auth.ts";
import { CoralError, validation } from "./coral.ts";
import { type RecordedRequest, Recorder } from "./recorder.ts";
import { seededRandom } from "./random.ts";
import type { Script } from "./script.ts";
import type { SimulatorState } from "./state.ts";

export { SIMULATOR_BEARER_TOKEN, SIMULATOR_CREDENTIALS, type SimulatorCredentials };
export type { RecordedRequest, Script };
export { parseScript } from "./script.ts";
export { BEHAVIOUR_NAMES } from "./behaviours.ts";

/** How the simulator runs. */
export interface SimulatorOptions {
  /** Port; 0, the default, takes any free one. */
  port?: number;
  /** Address. @default "127.0.0.1" */
  hostname?: string;
  /** Keys it knows. @default SIMULATOR_CREDENTIALS */
  credentials?: SimulatorCredentials;
  /** API key it knows. @default SIMULATOR_BEARER_TOKEN */
  bearerToken?: string;
  /** Seed of cuts and padding. */
  seed?: number;
  /** Whether it refuses what Bedrock refuses. @default true */
  strict?: boolean;
  /** Time. */
  clock?: Clock;
}

/** A running simulator. */
export interface Simulator {
  /** Base URL, for every host of Bedrock. */
  readonly url: string;
  /** Port. */
  readonly port: number;
  /** The newest requests, newest last. */
  readonly requests: readonly RecordedRequest[];
  /** Requests whose answer is under way. */
  readonly open: number;
  /** The next request to a model is answered by this script, the one after by the next. */
  script(answer: Script): void;
  /** Resolves with the first request, of those kept or those to come, that is wanted. */
  waitFor(wanted: (request: RecordedRequest) => boolean): Promise<RecordedRequest>;
  /** Forgets requests, scripts and counts. */
  reset(): void;
  /** Stops; answers under way are cut. */
  close(): Promise<void>;
}

async function handle(
  request: Request,
  options: Required<Omit<SimulatorOptions, "port" | "hostname" | "seed">>,
  { state, recorder }: { state: SimulatorState; recorder: Recorder },
): Promise<Response> {
  const requestId = crypto.randomUUID();
  const bytes = new Uint8Array(await request.arrayBuffer());
  const rawPath = request.url.replace(/^https?:\/\/[^/]+/, "").split("?", 1)[0] ?? "/";
  const recorded: RecordedRequest = {
    method: request.method,
    path: rawPath,
    headers: new Headers(request.headers), // the request's own cannot be read once it is answered
    text: new TextDecoder().decode(bytes),
    modelId: decodeURIComponent(/^\/model\/([^/]+)\//.exec(rawPath)?.[1] ?? ""),
    service: undefined,
    aborted: false,
    finished: false,
  };
  recorder.add(recorded);
  const gone = () => {
    if (recorded.finished) return;
    recorded.aborted = true;
    recorder.changed(recorded);
  };
  request.signal.addEventListener("abort", gone, { once: true });
  const done = () => {
    recorded.finished = true;
    recorder.changed(recorded);
  };
  try {
    const { credentials, bearerToken, clock } = options;
    recorded.service =
      authenticate(request, bytes, { credentials, bearerToken, now: clock.now() }).service;
    return await answer({ request, recorded, requestId, state, gone, done });
  } catch (error) {
    done();
    const told = error instanceof CoralError
      ? error
      : error instanceof SyntaxError
      ? validation("Malformed input request, please reformat your input and try again.")
      : new CoralError(
        "InternalServerException",
        error instanceof Error ? error.message : String(error),
      );
    return told.response(requestId);
  }
}

/** Starts a simulator. */
export function startSimulator(options: SimulatorOptions = {}): Simulator {
  const clock = options.clock ?? systemClock;
  const settings = {
    credentials: options.credentials ?? SIMULATOR_CREDENTIALS,
    bearerToken: options.bearerToken ?? SIMULATOR_BEARER_TOKEN,
    strict: options.strict ?? true,
    clock,
  };
  const state: SimulatorState = {
    random: seededRandom(options.seed ?? 1),
    clock,
    strict: settings.strict,
    scripts: [],
    counts: new Map(),
    answers: 0,
  };
  const recorder = new Recorder();
  const stop = new AbortController();
  const hostname = options.hostname ?? "127.0.0.1";
  const server = Deno.serve(
    { hostname, port: options.port ?? 0, signal: stop.signal, onListen: () => {} },
    (request) => handle(request, settings, { state, recorder }),
  );
  const { port } = server.addr as Deno.NetAddr;
  return {
    url: `http://${hostname}:${port}`,
    port,
    get requests() {
      return recorder.requests;
    },
    get open() {
      return recorder.open;
    },
    script: (one) => void state.scripts.push(one),
    waitFor: (wanted) => recorder.waitFor(wanted),
    reset() {
      recorder.clear();
      state.scripts.length = 0;
      state.counts.clear();
    },
    async close() {
      stop.abort();
      await server.finished;
    },
  };
}
