/**
 * `GET /v1/models` and `GET /v1/models/{id}`: what can be asked for.
 * @module
 */
import { ApiError } from "../anthropic/error.ts";
import { pageModels } from "../bedrock/models.ts";
import { jsonResponse } from "./headers.ts";
import type { Services } from "./services.ts";
import { withExchange } from "./with_exchange.ts";

/** Lists models: aliases first, then the built-in table; `limit`, `after_id` and `before_id` page it. */
export function getModels(services: Services, request: Request): Promise<Response> {
  return withExchange(services, request, "models", async (exchange, completion) => {
    const query = new URL(request.url).searchParams;
    const page = pageModels(services.models.list(), {
      limit: query.get("limit") ?? undefined,
      after_id: query.get("after_id") ?? undefined,
      before_id: query.get("before_id") ?? undefined,
      lifecycle: [...query.getAll("lifecycle"), ...query.getAll("lifecycle[]")],
    });
    await completion.end({ outcome: "ok", status: 200 });
    return jsonResponse(JSON.stringify(page), {
      requestId: exchange.id,
      headers: exchange.answerHeaders,
    });
  });
}

/** Tells of one model, by any name that would be served. */
export function getModel(services: Services, request: Request, id: string): Promise<Response> {
  return withExchange(services, request, "models", async (exchange, completion) => {
    const model = services.models.find(id);
    if (model === undefined) {
      services.models.resolve(id); // throws the 404 that names the nearest
      throw new ApiError("not_found_error", `model: ${id} has no entry in the list of models`);
    }
    await completion.end({ outcome: "ok", status: 200 });
    return jsonResponse(JSON.stringify(model), {
      requestId: exchange.id,
      headers: exchange.answerHeaders,
    });
  });
}
