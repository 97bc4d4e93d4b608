/**
 * Which route was asked, and its answer.
 * @module
 */
import { anthropicAnswer, anthropicEvents } from "./anthropic_wire.ts";
import { planFor } from "./behaviours.ts";
import { controlPlane, foundationOf } from "./catalog.ts";
import {
  type Conversation,
  countTokens,
  type Json,
  object,
  ofAnthropic,
  ofConverse,
  words,
} from "./conversation.ts";
import { converseAnswer, converseEvents } from "./converse_wire.ts";
import { CoralError, validation } from "./coral.ts";
import type { Plan } from "./plan.ts";
import type { RecordedRequest } from "./recorder.ts";
import type { SimulatorState } from "./state.ts";
import {
  bodyOf,
  CONVERSE_WIRE,
  type Happening,
  happenings,
  invokeWire,
  SSE_WIRE,
  type Wire,
} from "./stream.ts";
import { checkConverse } from "./strict.ts";
import { checkId } from "./strict_families.ts";
import { checkNative, type NativeRoute } from "./strict_native.ts";

/** A request to be answered. */
export interface Asked {
  /** The request; its body is read. */
  readonly request: Request;
  /** What is kept of it. */
  readonly recorded: RecordedRequest;
  /** `x-amzn-requestid` of the answer. */
  readonly requestId: string;
  /** The simulator's state. */
  readonly state: SimulatorState;
  /** The client left. */
  readonly gone: () => void;
  /** The answer was sent. */
  readonly done: () => void;
}

/** A route of the data plane, once its model is known. */
interface Route {
  /** As it was asked for. */
  readonly asked: string;
  /** Of the foundation model, where the id was an application profile's. */
  readonly modelId: string;
  readonly kind: "converse" | "invoke" | "sse";
  readonly streamed: boolean;
  readonly native: NativeRoute | undefined;
}

const MODEL_PATH =
  /^\/model\/([^/]+)\/(converse|converse-stream|invoke|invoke-with-response-stream|count-tokens)$/;

function headersOf(asked: Asked, contentType: string): Headers {
  return new Headers({ "content-type": contentType, "x-amzn-requestid": asked.requestId });
}

function json(asked: Asked, value: unknown, status: number = 200): Response {
  asked.done();
  return new Response(JSON.stringify(value), {
    status,
    headers: headersOf(asked, "application/json"),
  });
}

function routeOf(asked: Asked, body: Json): Route | undefined {
  const [, encoded, operation] = MODEL_PATH.exec(asked.recorded.path) ?? [];
  if (encoded !== undefined && operation !== undefined && operation !== "count-tokens") {
    const kind = operation.startsWith("converse") ? "converse" : "invoke";
    const id = decodeURIComponent(encoded);
    return {
      asked: id,
      modelId: foundationOf(id),
      kind,
      streamed: operation.endsWith("stream"),
      native: kind === "invoke" ? "invoke" : undefined,
    };
  }
  if (asked.recorded.path !== "/anthropic/v1/messages") return undefined;
  const native = asked.recorded.service === "bedrock-mantle" ? "mantle" : "messages";
  const id = String(body.model);
  return {
    asked: id,
    modelId: foundationOf(id),
    kind: "sse",
    streamed: body.stream === true,
    native,
  };
}

function betasOf(asked: Asked, body: Json): string[] {
  const header = asked.request.headers.get("anthropic-beta")?.split(",") ?? [];
  const listed = Array.isArray(body.anthropic_beta) ? body.anthropic_beta.map(words) : [];
  return [...header, ...listed].map((beta) => beta.trim()).filter((beta) => beta !== "");
}

function check(asked: Asked, route: Route, body: Json, conversation: Conversation): void {
  if (!asked.state.strict) return;
  checkId(route.asked, route.native === "mantle");
  if (route.native === undefined) {
    return checkConverse(body, route.modelId, conversation, route.streamed);
  }
  checkNative(body, {
    modelId: route.modelId,
    route: route.native,
    betas: betasOf(asked, body),
    conversation,
  });
}

function planOf(asked: Asked, { modelId }: Route, conversation: Conversation): Plan {
  const { counts } = asked.state;
  const key = `${modelId}\n${conversation.lastUserText}`;
  const earlier = counts.get(key) ?? 0;
  counts.set(key, earlier + 1);
  return { ...planFor(modelId, conversation, earlier), serial: ++asked.state.answers };
}

function wireOf({ kind }: Pick<Route, "kind">, asked: Asked): Wire {
  return kind === "converse"
    ? CONVERSE_WIRE
    : kind === "invoke"
    ? invokeWire(asked.state.random)
    : SSE_WIRE;
}

function eventsOf(
  route: Route,
  plan: Plan,
  conversation: Conversation,
  asked: Asked,
): { type: string; payload: unknown }[] {
  if (route.kind === "converse") return converseEvents(plan, conversation, asked.state.random);
  const metrics = route.kind === "invoke";
  return anthropicEvents(route.modelId, plan, { conversation, metrics })
    .map((payload) => ({ type: String(payload.type), payload }));
}

function stream(
  asked: Asked,
  happening: readonly Happening[],
  headers: Headers,
  status: number,
): Response {
  const { random, clock } = asked.state;
  const body = bodyOf(happening, {
    random,
    clock,
    signal: asked.request.signal,
    onCancel: asked.gone,
    onEnd: asked.done,
  });
  return new Response(body, { status, headers });
}

function scripted(asked: Asked, route: Pick<Route, "kind">): Response | undefined {
  const script = asked.state.scripts.shift();
  if (script === undefined) return undefined;
  const wire = wireOf(route, asked);
  const headers = headersOf(
    asked,
    script.stream === undefined ? "application/json" : wire.contentType,
  );
  for (const [name, value] of Object.entries(script.headers)) headers.set(name, value);
  if (script.stream !== undefined) {
    return stream(asked, script.stream(route.kind, asked.state.random), headers, script.status);
  }
  asked.done();
  return new Response(script.body, { status: script.status, headers });
}

/** Waits before an answer that does not stream, as it would before its first event. */
async function quiet(plan: Plan, asked: Asked): Promise<void> {
  const { clock } = asked.state;
  const stalls = plan.fault?.what.kind === "stall";
  if (!stalls && plan.silentMs === undefined) return;
  await new Promise<void>((resolve) => {
    asked.request.signal.addEventListener("abort", () => resolve(), { once: true });
    if (!stalls) clock.after(plan.silentMs ?? 0, resolve);
  });
}

function wholeFault({ fault }: Plan): void {
  if (fault?.what.kind !== "exception") return;
  const name = fault.what.name;
  throw new CoralError(name.charAt(0).toUpperCase() + name.slice(1), fault.what.message);
}

async function infer(asked: Asked, route: Route, body: Json): Promise<Response> {
  const conversation = route.kind === "converse" ? ofConverse(body) : ofAnthropic(body);
  check(asked, route, body, conversation);
  const ready = scripted(asked, route);
  if (ready !== undefined) return ready;
  const plan = planOf(asked, route, conversation);
  if (!route.streamed) {
    await quiet(plan, asked);
    wholeFault(plan);
    const whole = route.kind === "converse"
      ? converseAnswer(plan, conversation)
      : anthropicAnswer(route.modelId, plan, conversation);
    return json(asked, whole);
  }
  const wire = wireOf(route, asked);
  const happening = happenings(plan, eventsOf(route, plan, conversation, asked), wire);
  return stream(asked, happening, headersOf(asked, wire.contentType), 200);
}

/** Models whose tokens CountTokens counts, by their own ids alone. */
const COUNTED = /^anthropic\.(claude-(3|[a-z]+-4-(2025|1-|5))|sim[.-])/;

/** A count, or what was said in advance. */
function count(asked: Asked, value: () => unknown): Response {
  return scripted(asked, { kind: "sse" }) ?? json(asked, value());
}

function countTokensOf(body: Json, modelId: string): unknown {
  if (!COUNTED.test(modelId)) {
    throw validation("This action doesn't support the model that you provided.");
  }
  const { converse, invokeModel } = object(body.input);
  if (converse !== undefined) {
    return { inputTokens: countTokens(ofConverse(object(converse)).size) };
  }
  const inner = new TextDecoder().decode(Uint8Array.fromBase64(String(object(invokeModel).body)));
  return { inputTokens: countTokens(ofAnthropic(JSON.parse(inner)).size) };
}

/**
 * Answers a request.
 *
 * @throws {CoralError} As Bedrock answers
 * @throws {SyntaxError} If the body is no JSON
 */
export async function answer(asked: Asked): Promise<Response> {
  const { request, recorded } = asked;
  if (request.method === "GET") {
    const found = controlPlane(
      decodeURIComponent(recorded.path),
      new URL(request.url).searchParams,
    );
    if (found !== undefined) return json(asked, found);
    throw new CoralError("UnknownOperationException", "The requested operation is not known");
  }
  const body = object(JSON.parse(recorded.text));
  if (recorded.path.endsWith("/count-tokens")) {
    return count(asked, () => countTokensOf(body, recorded.modelId));
  }
  if (
    recorded.path === "/anthropic/v1/messages/count_tokens" && recorded.service === "bedrock-mantle"
  ) {
    return count(asked, () => ({ input_tokens: countTokens(ofAnthropic(body).size) }));
  }
  const route = routeOf(asked, body);
  if (route === undefined) {
    throw new CoralError("UnknownOperationException", "The requested operation is not known");
  }
  return await infer(asked, route, body);
}
