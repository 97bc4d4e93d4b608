/**
 * What the tests of `budget` stand on. Haiku costs 1,000 nano-dollars a token of input and 5,000 of output; written
 * to the cache for an hour 2,000. A request that says "hi" has nine tokens of input by estimate, so that it may cost
 * 9 / 0.95 × 2,000 = 18,948 nano-dollars of input at most, and 5,000 for each of its `max_tokens`.
 * @module
 */
import assert from "node:assert/strict";
import { openMemoryStore } from "../../src/storage/memory.ts";
import type { KeyFields } from "../../src/storage/key_record.ts";
import type { Store } from "../../src/storage/store.ts";
import { parseScript } from "../../src/simulator/simulator.ts";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, type HarnessOptions, withHarness } from "../harness.ts";

/** The model. */
export const HAIKU = "claude-haiku-4-5";
/** A cent, in nano-dollars. */
export const CENT = 10_000_000;
/** A tenth of a cent: what {@link bill} of 500 and 100 comes to, or 200 tokens of output. */
export const MILL = 1_000_000;

/** A request for a few words. */
export function ask(max_tokens: number = 100): Record<string, unknown> {
  return { model: HAIKU, max_tokens, messages: [{ role: "user", content: "hi" }] };
}

/** An answer of Claude on InvokeModel. */
export function answerOf(usage: Record<string, unknown>): Record<string, unknown> {
  return {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: HAIKU,
    content: [{ type: "text", text: "ok" }],
    stop_reason: "end_turn",
    stop_sequence: null,
    usage,
  };
}

/** What the next request is billed. */
export function bill(
  harness: Harness,
  input_tokens: number,
  output_tokens: number,
  headers: Record<string, string> = {},
): void {
  const json = answerOf({ input_tokens, output_tokens });
  harness.simulator.script(parseScript({ headers, json }));
}

/** What a test of budgets runs on. */
export interface Bench {
  readonly harness: Harness;
  readonly clock: FakeClock;
  readonly store: Store;
}

/** Runs a test on a gateway with these settings of `budget`, on a Monday noon: 2026-11-23T12:00:00Z. */
export async function withBudget(
  settings: string,
  run: (bench: Bench) => Promise<void>,
  { config = "", plugins = "", ...options }: HarnessOptions & { plugins?: string } = {},
): Promise<void> {
  const clock = options.clock as FakeClock | undefined ?? new FakeClock();
  const store = options.store ?? openMemoryStore({ clock });
  const listed = `plugins: [ { use: auth }, { use: budget, with: ${settings} }${plugins} ]\n`;
  await withHarness(
    { ...options, clock, simulatorClock: clock, store, config: listed + config },
    (harness) => run({ harness, clock, store }),
  );
}

/** A new key. */
export async function keyOf(harness: Harness, fields: Partial<KeyFields> = {}): Promise<string> {
  const { key } = await harness.gateway.keys.create({ name: "a key", ...fields });
  harness.secrets.add(key);
  return key;
}

/** What came of a request. */
export interface Sent {
  readonly status: number;
  readonly headers: Headers;
  /** Type of the error, if it is one. */
  readonly type: string | undefined;
  readonly message: string;
}

/** Sends a request to its end. */
export async function send(
  harness: Harness,
  { key, body = ask() }: { key?: string | undefined; body?: unknown } = {},
): Promise<Sent> {
  const response = await harness.post(body, key === undefined ? {} : { "x-api-key": key });
  const { status, headers } = response;
  const text = await response.text();
  const error = status === 200 ? undefined : JSON.parse(text).error;
  return { status, headers, type: error?.type, message: error?.message ?? "" };
}

/** Nano-dollars spent by a scope in a span, as the store holds it. */
export async function spentOf(store: Store, span: string, scope: string): Promise<number> {
  const entry = await store.get<Record<string, number>>([`plugin.budget/${span}`, scope]);
  return entry?.value["spent"] ?? 0;
}

/** Public id of the key that the harness itself uses. */
export async function ownId({ gateway, key }: Harness): Promise<string> {
  const verdict = await gateway.keys.verify(key);
  assert.ok(verdict.ok);
  return verdict.key.id;
}

/** A Bedrock that answers when it is told to: with 200 tokens of output, which are a mill, and none of input. */
export interface HoldingBedrock {
  /** Its base URL. */
  readonly url: string;
  /** Requests that came since it last held. */
  readonly arrived: number;
  /** Answers nobody from now on. */
  hold(): void;
  /** Answers everybody. */
  open(): void;
  /** Ends it. */
  close(): Promise<void>;
}

/** Starts one that holds. */
export function startHoldingBedrock(): HoldingBedrock {
  let arrived = 0;
  let gate = Promise.withResolvers<void>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (ask) => {
    await ask.text();
    arrived++;
    await gate.promise;
    return Response.json(answerOf({ input_tokens: 0, output_tokens: 200 }));
  });
  return {
    url: `http://127.0.0.1:${(server.addr as Deno.NetAddr).port}`,
    get arrived() {
      return arrived;
    },
    hold() {
      arrived = 0;
      gate = Promise.withResolvers();
    },
    open: () => gate.resolve(),
    async close() {
      gate.resolve();
      await server.shutdown();
    },
  };
}
