/**
 * Data cases: a folder each under `tests/cases/<area>/<case>`.
 *
 * - `request.json`: `{ method?, path?, headers?, body? | text? | size? }`; `POST /v1/messages` with a valid key in
 *   `x-api-key` unless it says other (`"key": null` for none, `"auth": "bearer"` or `"both"` for where it stands).
 * - `bedrock.json`: what Bedrock must receive (`request` or `requests`) and what it answers (`answer` or
 *   `answers`: scripts of the simulator). Without the file nothing may reach Bedrock.
 * - `expected.json`: what the client must get: `{ status, headers?, json? | events? | text? }`.
 * - `config.yaml`: the gateway's configuration, without `aws` and `store`.
 *
 * In what is expected, `{ "$re": "…" }` stands for any text that matches, `{ "$any": true }` for anything; `null`
 * among headers for a header that must not be there.
 */
import assert from "node:assert/strict";
import { parseScript, type RecordedRequest } from "../src/simulator/simulator.ts";
import { type Harness, parseSse, withHarness } from "./harness.ts";

type Json = Record<string, unknown>;

const CASES = new URL("./cases/", import.meta.url);

async function readJson(folder: URL, name: string): Promise<Json | undefined> {
  try {
    return JSON.parse(await Deno.readTextFile(new URL(name, folder)));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new Error(`Cannot read ${name} of ${folder.pathname}`, { cause: error });
  }
}

async function readText(folder: URL, name: string): Promise<string> {
  try {
    return await Deno.readTextFile(new URL(name, folder));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Puts what came in the place of each matcher that it satisfies, so that the rest compares as a whole. */
function settle(wanted: unknown, actual: unknown): unknown {
  if (isObject(wanted)) {
    if (wanted.$any === true && actual !== undefined) return actual;
    if (typeof wanted.$re === "string") {
      return typeof actual === "string" && new RegExp(wanted.$re).test(actual) ? actual : wanted;
    }
    const members = Object.entries(wanted).map((
      [key, value],
    ) => [key, settle(value, isObject(actual) ? actual[key] : undefined)]);
    return Object.fromEntries(members);
  }
  if (Array.isArray(wanted)) {
    return wanted.map((item, index) =>
      settle(item, Array.isArray(actual) ? actual[index] : undefined)
    );
  }
  return wanted;
}

function assertMatches(actual: unknown, wanted: unknown, what: string): void {
  assert.deepEqual(actual, settle(wanted, actual), what);
}

function assertHeaders(actual: Headers, wanted: unknown, what: string): void {
  for (const [name, value] of Object.entries((wanted ?? {}) as Json)) {
    assertMatches(actual.get(name), value, `${what} header ${name}`);
  }
}

function list(one: unknown, many: unknown): unknown[] {
  return Array.isArray(many) ? many : one === undefined ? [] : [one];
}

async function send({ url, key }: Harness, request: Json): Promise<Response> {
  const headers = new Headers({
    "content-type": "application/json",
    ...(request.headers as Record<string, string>),
  });
  const presented = typeof request.key === "string" ? request.key : key;
  if (request.key !== null && request.auth !== "bearer") headers.set("x-api-key", presented);
  if (request.auth !== undefined) headers.set("authorization", `Bearer ${presented}`);
  const method = typeof request.method === "string" ? request.method : "POST";
  const body = typeof request.size === "number"
    ? `{"model":"claude-opus-5-5","max_tokens":1,"messages":[{"role":"user","content":"${
      "x".repeat(request.size)
    }"}]}`
    : typeof request.text === "string"
    ? request.text
    : request.body === undefined
    ? undefined
    : JSON.stringify(request.body);
  const path = typeof request.path === "string" ? request.path : "/v1/messages";
  return await fetch(url + path, {
    method,
    headers,
    redirect: "manual",
    ...(body === undefined ? {} : { body }),
  });
}

function assertReceived(received: RecordedRequest, wanted: Json, what: string): void {
  if (wanted.path !== undefined) assertMatches(received.path, wanted.path, `${what} path`);
  if (wanted.service !== undefined) {
    assert.equal(received.service, wanted.service, `${what} service`);
  }
  assertHeaders(received.headers, wanted.headers, what);
  if (wanted.text !== undefined) assert.equal(received.text, wanted.text, `${what} text`);
  if (wanted.body !== undefined) {
    assertMatches(JSON.parse(received.text), wanted.body, `${what} body`);
  }
}

async function assertAnswer(response: Response, wanted: Json): Promise<void> {
  const text = await response.text();
  assert.equal(response.status, wanted.status ?? 200, text.slice(0, 500));
  assertHeaders(response.headers, wanted.headers, "answer");
  assert.match(response.headers.get("request-id") ?? "", /^req_[0-9a-f]{32}$/);
  if (wanted.json !== undefined) assertMatches(JSON.parse(text), wanted.json, "answer");
  if (wanted.text !== undefined) assertMatches(text, wanted.text, "answer");
  if (wanted.events !== undefined) {
    const events = parseSse(text);
    assertMatches(events.map(({ data }) => data), wanted.events, "events");
    for (const { event, data } of events) assert.equal(event, data.type);
  }
}

async function runCase(folder: URL): Promise<void> {
  const request = await readJson(folder, "request.json") ?? {};
  const bedrock = await readJson(folder, "bedrock.json");
  const expected = await readJson(folder, "expected.json");
  if (expected === undefined) {
    throw new Error(`Cannot run ${folder.pathname} as expected.json must be there`);
  }
  await withHarness(
    { config: await readText(folder, "config.yaml"), base: folder.pathname },
    async (harness) => {
      for (const answer of list(bedrock?.answer, bedrock?.answers)) {
        harness.simulator.script(
          parseScript(answer),
        );
      }
      await assertAnswer(await harness.secrets.answer(await send(harness, request)), expected);
      const received = harness.simulator.requests;
      const wanted = list(bedrock?.request, bedrock?.requests) as Json[];
      const count = bedrock === undefined ? 0 : Math.max(wanted.length, 1);
      assert.equal(
        received.length,
        count,
        `requests that reached Bedrock: ${received.map(({ path }) => path)}`,
      );
      wanted.forEach((one, index) =>
        assertReceived(received[index] as RecordedRequest, one, `request ${index + 1}`)
      );
    },
  );
}

for (const area of [...Deno.readDirSync(CASES)].map(({ name }) => name).sort()) {
  const cases = [...Deno.readDirSync(new URL(`${area}/`, CASES))].map(({ name }) => name).sort();
  for (const name of cases) {
    Deno.test(`case ${area}/${name}`, () => runCase(new URL(`${area}/${name}/`, CASES)));
  }
}
