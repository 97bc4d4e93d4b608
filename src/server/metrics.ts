/**
 * `GET /metrics`: how many requests ended, by whose fault and with which status. For the master key alone.
 * @module
 */
import { ApiError } from "../anthropic/error.ts";
import type { FaultCounts } from "./fault_counts.ts";
import { setCommonHeaders } from "./headers.ts";
import type { Services } from "./services.ts";
import { withExchange } from "./with_exchange.ts";

/** The counts in Prometheus's text format. */
async function exposition(counts: FaultCounts): Promise<{ text: string; type: string }> {
  const { Counter, Registry } = await import("prom-client"); // not for every start to wait for
  const registry = new Registry();
  const requests = new Counter({
    name: "outcrop_requests_total",
    help:
      "Requests that ended, by whose fault (none, client, policy, bedrock, us) and HTTP status.",
    labelNames: ["fault", "status"],
    registers: [registry],
  });
  for (const { fault, status, count } of counts.all()) requests.inc({ fault, status }, count);
  return { text: await registry.metrics(), type: registry.contentType };
}

/** Serves the metrics, to the master key alone: they tell how much others use. */
export function getMetrics(services: Services, request: Request): Promise<Response> {
  return withExchange(services, request, "metrics", async (exchange, completion) => {
    if (exchange.principal?.id !== "master") {
      throw new ApiError(
        "permission_error",
        "GET /metrics is for the master key: set master_key of the auth plugin, and send that",
      );
    }
    const { text, type } = await exposition(services.counts);
    await completion.end({ outcome: "ok", status: 200 });
    const headers = exchange.responseHeaders;
    setCommonHeaders(headers, exchange.id);
    headers.set("content-type", type);
    return new Response(text, { headers });
  });
}
