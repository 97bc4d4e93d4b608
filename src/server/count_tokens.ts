/**
 * `POST /v1/messages/count_tokens`: how many input tokens a call would cost.
 * @module
 */
import { estimateTokens } from "../anthropic/estimate.ts";
import { runOnCall } from "../pipeline/before.ts";
import { jsonResponse } from "./headers.ts";
import { readCall } from "./read_call.ts";
import type { Services } from "./services.ts";
import { withExchange } from "./with_exchange.ts";

/**
 * Serves one count, by a local estimate: clients compact a conversation by it, so it errs high. The header
 * `x-outcrop-token-source` says where the number is from.
 */
export function postCountTokens(services: Services, request: Request): Promise<Response> {
  return withExchange(services, request, "count_tokens", async (exchange, completion) => {
    await readCall(services, request, exchange);
    await runOnCall(services.plugins, exchange);
    const { body, model } = exchange;
    if (body === undefined || model === undefined) {
      throw new TypeError("Cannot count as no body was read");
    }
    services.models.resolve(model);
    const input_tokens = estimateTokens(body);
    exchange.firstByte();
    await completion.end({ outcome: "ok", status: 200 });
    const headers = exchange.responseHeaders;
    headers.set("x-outcrop-token-source", "estimate");
    return jsonResponse(JSON.stringify({ input_tokens }), { requestId: exchange.id, headers });
  });
}
