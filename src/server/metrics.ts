/**
 * `GET /metrics`: how many requests ended, by whose fault and with which status. For the master key alone.
 * @module
 */
import { ApiError } from "../anthropic/error.ts";
import type { FaultCounts } from "./fault_counts.ts";
import { answer } from "./headers.ts";
import type { Services } from "./services.ts";
import { withExchange } from "./with_exchange.ts";

const NAME = "outcrop_requests_total";
const HELP =
  "Requests that ended, by whose fault (none, client, policy, bedrock, us) and HTTP status.";

/** Prometheus's text format, version 0.0.4 (Prometheus, Exposition formats); labels hold nothing to be escaped. */
const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

function exposition(counts: FaultCounts): string {
  const lines = [`# HELP ${NAME} ${HELP}`, `# TYPE ${NAME} counter`];
  for (const { fault, status, count } of counts.all()) {
    lines.push(`${NAME}{fault="${fault}",status="${status}"} ${count}`);
  }
  return `${lines.join("\n")}\n`;
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
    const text = exposition(services.counts);
    await completion.end({ outcome: "ok", status: 200 });
    const headers = exchange.answerHeaders;
    return answer(text, { requestId: exchange.id, contentType: CONTENT_TYPE, headers });
  });
}
