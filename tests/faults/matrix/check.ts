/**
 * What must hold of an answer, whatever went wrong; and what a row wants beside.
 * @module
 */
import assert from "node:assert/strict";
import type { Fault } from "../../../src/pipeline/complete.ts";
import type { FaultCounts } from "../../../src/server/fault_counts.ts";
import { parseSse } from "../../harness.ts";
import type { Play, View } from "./fault.ts";
import { TEXT } from "./player.ts";

/** An answer, read to its end. */
export interface Seen {
  /** Status. */
  readonly status: number;
  /** Headers. */
  readonly headers: Headers;
  /** The whole body. */
  readonly text: string;
}

interface Told {
  readonly type: string;
  readonly error?: { readonly type: string; readonly message: string };
  readonly request_id?: string;
  readonly delta?: { readonly text?: string };
  readonly content?: readonly { readonly text?: string }[];
}

/** Nothing of the inside: no address, no system's word, no place in a program. */
const INSIDE = /127\.0\.0\.1|localhost|ECONN|EPIPE|\bos error|\.ts\b|\bat file:|undefined|\[object/;

function assertError(told: Told, { error, says }: { error: string; says?: RegExp }): void {
  assert.equal(told.type, "error");
  assert.equal(told.error?.type, error, told.error?.message);
  const message = told.error?.message ?? "";
  assert.ok(message.length > 5, message);
  assert.ok(!INSIDE.test(message), message);
  if (says !== undefined) assert.match(message, says);
  assert.match(told.request_id ?? "", /^req_[0-9a-f]{32}$/);
}

function assertHttpError(seen: Seen, view: Extract<View, { readonly status: number }>): void {
  assert.equal(seen.status, view.status, seen.text.slice(0, 300));
  assert.equal(seen.headers.get("content-type"), "application/json");
  assertError(JSON.parse(seen.text), view);
  if (view.status === 429 || view.status === 529) {
    const seconds = Number(seen.headers.get("retry-after"));
    assert.ok(seconds >= 1 && seconds <= 60, `retry-after: ${seconds}`);
  }
}

function textOf(events: readonly Told[]): string {
  return events.map(({ delta }) => delta?.text ?? "").join("");
}

/** A stream that a client can read: it ends either with `message_stop` or with one `error`. */
function readStream(seen: Seen): Told[] {
  assert.equal(seen.status, 200, seen.text.slice(0, 300));
  assert.match(seen.headers.get("content-type") ?? "", /^text\/event-stream/);
  assert.ok(seen.text.endsWith("\n\n"), "the last record is whole");
  const events = parseSse(seen.text).map(({ event, data }) => {
    assert.equal(event, data.type);
    return data as unknown as Told;
  }).filter(({ type }) => type !== "ping");
  const ends = events.filter(({ type }) => type === "error" || type === "message_stop");
  assert.equal(ends.length, 1, seen.text.slice(-300));
  assert.equal(events.at(-1), ends[0]);
  assert.ok(TEXT.startsWith(textOf(events)), "what came is the beginning of what was said");
  return events;
}

function assertServed(seen: Seen, streaming: boolean): void {
  if (!streaming) {
    assert.equal(seen.status, 200, seen.text.slice(0, 300));
    assert.equal((JSON.parse(seen.text) as Told).content?.[0]?.text, TEXT);
    return;
  }
  const events = readStream(seen);
  assert.equal(events.at(-1)?.type, "message_stop");
  assert.equal(textOf(events), TEXT);
}

/** Holds an answer against what its row wants. */
export function assertView(seen: Seen, { view }: Play, streaming: boolean): void {
  assert.match(seen.headers.get("request-id") ?? "", /^req_[0-9a-f]{32}$/);
  if ("served" in view) return assertServed(seen, streaming);
  if ("status" in view) return assertHttpError(seen, view);
  const events = readStream(seen);
  assertError(events.at(-1) as Told, view);
  assert.equal(events[0]?.type, "waited" in view ? "error" : "message_start");
}

/** Whose fault an answer of Bedrock's is, by the type that it is told with. */
const FAULTS: Readonly<Record<string, Fault>> = {
  invalid_request_error: "client",
  not_found_error: "client",
  request_too_large: "client",
  permission_error: "us",
};

/** Holds what an operator sees against it: one line under the answer's id, and one count, both with whose fault it is. */
export function assertTold(
  seen: Seen,
  { view, fault }: Play,
  { log, counts }: { log: readonly string[]; counts: FaultCounts },
): void {
  const id = seen.headers.get("request-id") ?? "";
  const faults = log.filter((line) => line.includes(id))
    .map((line) => JSON.parse(line).properties.fault)
    .filter((told) => told !== undefined);
  const served = "served" in view;
  const wanted = fault ?? (served ? undefined : FAULTS[view.error] ?? "bedrock");
  assert.deepEqual(faults, wanted === undefined ? [] : [wanted], "faults in the log");
  assert.deepEqual([...counts.all()], [
    { fault: served ? "none" : wanted, status: seen.status, count: 1 },
  ]);
}
