/**
 * Clients of a soak: many kinds of question on every route, faults of Bedrock's among them, and clients that leave.
 * @module
 */
import { type Clock, systemClock } from "../../src/clock.ts";
import { parseSse } from "../harness.ts";

/** What the load goes by. */
export interface LoadOptions {
  /** Base URL of the gateway. */
  readonly url: string;
  /** API keys. */
  readonly keys: readonly string[];
  /** A number in [0, 1). */
  readonly random: () => number;
  /** Requests a second, at most. */
  readonly rate: number;
  /** Requests at a time. */
  readonly concurrency: number;
  /** When to ask no more, by the clock's {@link Clock.monotonic}. */
  readonly until: number;
  /** Time that clients go by. @default the machine's */
  readonly clock?: Clock;
}

/** What clients saw. */
export class Seen {
  /** Requests that were sent. */
  sent = 0;
  /** Requests for messages whose answer began, by id: the output tokens of those that came whole, else undefined. */
  readonly answered: Map<string, number | undefined> = new Map();
  /** Requests for messages that were left before an answer began. */
  left = 0;
  /** By what became of them. */
  readonly outcomes: Map<string, number> = new Map();
  /** What must never be seen, in words. */
  readonly wrong: string[] = [];

  /** Counts one. */
  count(outcome: string): void {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
  }
}

interface Question {
  readonly mark: string;
  readonly stream?: boolean;
  /** Whether the client may get an error in place of a whole answer. */
  readonly mayFail?: boolean;
  /** Whether the client leaves, if its answer does not come first. */
  readonly leaves?: boolean;
  readonly size?: number;
  readonly text?: string;
  readonly status?: number;
  readonly path?: string;
  readonly key?: string;
}

/** How many of a hundred. */
const QUESTIONS: readonly (readonly [weight: number, question: Question])[] = [
  [22, { mark: "echo", stream: true }],
  [14, { mark: "count 60", stream: true }],
  [14, { mark: "echo" }],
  [4, { mark: "slow 20", stream: true }],
  [4, { mark: "echo", stream: true, size: 300_000 }],
  [4, { mark: "throttle-1", stream: true, mayFail: true }],
  [2, { mark: "unready-1", mayFail: true }],
  [3, { mark: "cut-mid", stream: true, mayFail: true }],
  [3, { mark: "crc-mid", stream: true, mayFail: true }],
  [2, { mark: "cut-before-stop", stream: true, mayFail: true }],
  [2, { mark: "fail-mid", stream: true, mayFail: true }],
  [2, { mark: "fail-first", stream: true, mayFail: true }],
  [2, { mark: "error-500-InternalServerException", mayFail: true }],
  [1, { mark: "stall", stream: true, mayFail: true }],
  [1, { mark: "stall-mid", stream: true, mayFail: true }],
  [1, { mark: "stall", mayFail: true }],
  [4, { mark: "count 200", stream: true, leaves: true }],
  [3, { mark: "stall-mid", stream: true, leaves: true }],
  [2, { mark: "stall", leaves: true }],
  [2, { mark: "throttle-9", leaves: true }],
  [2, { mark: "", text: "no JSON", status: 400 }],
  [1, { mark: "", text: '{"model":"invoke","max_tokens":"x","messages":[]}', status: 400 }],
  [1, { mark: "echo", key: "sk-oc-nobody", status: 401 }],
  [2, { mark: "echo", path: "/v1/messages/count_tokens", mayFail: true }],
  [1, { mark: "", path: "/v1/models" }],
  [1, { mark: "", path: "/health" }],
];

const TOTAL = QUESTIONS.reduce((sum, [weight]) => sum + weight, 0);
/** Aliases of the soak's configuration. */
const MODELS = ["converse", "invoke", "messages", "mantle", "guarded"];

function pick<T>(of: readonly T[], random: () => number): T {
  return of[Math.floor(random() * of.length)] as T;
}

function choose(random: () => number): Question {
  let left = random() * TOTAL;
  for (const [weight, question] of QUESTIONS) if ((left -= weight) < 0) return question;
  return { mark: "echo" };
}

function bodyOf(question: Question, random: () => number): string {
  if (question.text !== undefined) return question.text;
  const filling = question.size === undefined ? {} : { system: "x".repeat(question.size) };
  return JSON.stringify({
    model: pick(MODELS, random),
    max_tokens: 500,
    ...(question.stream ? { stream: true } : {}),
    ...filling,
    messages: [{ role: "user", content: `[[sim:${question.mark}]] ${crypto.randomUUID()}` }],
  });
}

/** Output tokens of an answer that came whole; undefined of one that did not. */
function tokensOf(text: string, streamed: boolean): number | undefined {
  if (!streamed) return JSON.parse(text).usage.output_tokens;
  const events = parseSse(text);
  if (events.at(-1)?.event !== "message_stop") return undefined;
  return events.findLast(({ event }) => event === "message_delta")?.data.usage?.output_tokens;
}

async function readAnswer(
  response: Response,
  question: Question,
  seen: Seen,
): Promise<void> {
  const text = await response.text();
  const id = response.headers.get("request-id") ?? "";
  const isMessage = question.path === undefined;
  const streamed = response.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
  const tokens = response.status === 200 && isMessage ? tokensOf(text, streamed) : undefined;
  if (isMessage && response.status !== 401) seen.answered.set(id, tokens);
  const whole = response.status === 200 && (tokens !== undefined || !isMessage);
  seen.count(whole ? "whole" : streamed ? "error event" : String(response.status));
  const wanted = question.status === undefined
    ? whole || question.mayFail === true || question.leaves === true || response.status === 529
    : response.status === question.status;
  if (!wanted) seen.wrong.push(`${question.mark}: ${response.status} ${text.slice(-200)}`);
}

async function ask(question: Question, options: LoadOptions, seen: Seen): Promise<void> {
  const { url, keys, random, clock = systemClock } = options;
  const gone = new AbortController();
  const path = question.path ?? "/v1/messages";
  const get = path === "/v1/models" || path === "/health";
  seen.sent++;
  const stay = question.leaves
    ? clock.after(Math.floor(random() * 150), () => gone.abort())
    : undefined;
  let response: Response | undefined;
  try {
    response = await fetch(url + path, {
      method: get ? "GET" : "POST",
      headers: {
        "content-type": "application/json",
        "x-api-key": question.key ?? pick(keys, random),
      },
      ...(get ? {} : { body: bodyOf(question, random) }),
      signal: gone.signal,
    });
    await readAnswer(response, question, seen);
  } catch (error) {
    if (!gone.signal.aborted) {
      seen.wrong.push(`${question.mark}: ${error}`);
    } else if (response === undefined) {
      seen.left++;
    } else {
      seen.answered.set(response.headers.get("request-id") ?? "", undefined);
    }
    seen.count(gone.signal.aborted ? "left" : "cut");
  } finally {
    stay?.();
  }
}

/** Asks until the time is over; resolves when the last has its answer. */
export async function load(options: LoadOptions, seen: Seen): Promise<void> {
  const { rate, concurrency, random, until, clock = systemClock } = options;
  const start = clock.monotonic();
  let begun = 0;
  const client = async () => {
    while (clock.monotonic() < until) {
      const due = start + begun++ * 1_000 / rate;
      if (due >= until) return;
      const wait = due - clock.monotonic();
      if (wait > 0) await new Promise<void>((resolve) => clock.after(wait, resolve));
      await ask(choose(random), options, seen);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, client));
}
