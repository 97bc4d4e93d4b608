/**
 * What load balancers, probes and curious people ask, without a key.
 * @module
 */
import { newRequestId } from "../pipeline/exchange.ts";
import { jsonResponse } from "./headers.ts";
import type { Services } from "./services.ts";

/** `GET /health`: the process is alive. Asks nothing else, so that a store outage restarts no machine. */
export function getHealth(): Response {
  return jsonResponse(JSON.stringify({ status: "ok" }), { requestId: newRequestId() });
}

/** `GET /ready`: the server can serve, `degraded` if without its store for now. 503 names what it waits for. */
export async function getReady(services: Services): Promise<Response> {
  const { missing, degraded } = await services.ready();
  const status = missing.length === 0 ? 200 : 503;
  const body = missing.length > 0
    ? { status: "not_ready", reasons: missing }
    : degraded.length > 0
    ? { status: "degraded", reasons: degraded }
    : { status: "ready" };
  return jsonResponse(JSON.stringify(body), { requestId: newRequestId(), status });
}

/** `GET /` and `HEAD /`: what this is. Claude Code sends a `HEAD` before its first call. */
export function getRoot(): Response {
  const body = {
    name: "outcrop",
    api: "Anthropic Messages",
    endpoints: ["/v1/messages", "/v1/models"],
  };
  return jsonResponse(JSON.stringify(body), { requestId: newRequestId() });
}
