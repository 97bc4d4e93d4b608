/**
 * `POST /v1/messages/count_tokens`: how many input tokens a call would cost.
 * @module
 */
import { readBetas } from "../anthropic/request.ts";
import { runOnCall } from "../pipeline/before.ts";
import { jsonResponse } from "./headers.ts";
import { readCall } from "./read_call.ts";
import type { Services } from "./services.ts";
import { withExchange } from "./with_exchange.ts";

/**
 * Serves one count. Clients compact a conversation by it, so an estimate errs high; the header
 * `x-outcrop-token-source` says who counted.
 */
export function postCountTokens(services: Services, request: Request): Promise<Response> {
  return withExchange(services, request, "count_tokens", async (exchange, completion) => {
    await readCall(services, request, exchange);
    await runOnCall(services.plugins, exchange);
    const { rawBody: raw, original, body, model, signal, log } = exchange;
    if (raw === undefined || original === undefined || body === undefined || model === undefined) {
      throw new TypeError("Cannot count as the body must be read first: it is not");
    }
    const betas = readBetas(exchange.headers);
    const { tokens, source } = await services.counter.count({
      raw,
      original,
      body,
      betas,
      model,
      signal,
      log,
    });
    exchange.firstByte();
    await completion.end({ outcome: "ok", status: 200 });
    const headers = exchange.answerHeaders;
    headers.set("x-outcrop-token-source", source);
    return jsonResponse(JSON.stringify({ input_tokens: tokens }), {
      requestId: exchange.id,
      headers,
    });
  });
}
