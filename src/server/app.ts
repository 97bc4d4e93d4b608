/**
 * Step 1: which handler serves a method and path.
 * @module
 */
import { Hono } from "hono";
import { ApiError } from "../anthropic/error.ts";
import { AnswerHeaders } from "../pipeline/answer_headers.ts";
import { newRequestId } from "../pipeline/exchange.ts";
import { postCountTokens } from "./count_tokens.ts";
import { logError, toApiError } from "./errors.ts";
import { faultOf } from "./fault.ts";
import { jsonResponse, setCommonHeaders } from "./headers.ts";
import { getHealth, getReady, getRoot } from "./health.ts";
import { postMessages } from "./messages.ts";
import { getMetrics } from "./metrics.ts";
import { getModel, getModels } from "./models.ts";
import type { Services, ServicesSource } from "./services.ts";

type Handler = (request: Request, id: string) => Response | Promise<Response>;

/** The HTTP surface: path, method, handler. A path asked with another method is a 405. */
function routesOf(
  source: ServicesSource,
): Readonly<Record<string, Readonly<Record<string, Handler>>>> {
  return {
    "/v1/messages": { POST: (request) => postMessages(source.services, request) },
    "/v1/messages/count_tokens": { POST: (request) => postCountTokens(source.services, request) },
    "/v1/models": { GET: (request) => getModels(source.services, request) },
    "/v1/models/:id{.+}": { GET: (request, id) => getModel(source.services, request, id) },
    "/health": { GET: getHealth },
    "/ready": { GET: () => getReady(source.services) },
    "/metrics": { GET: (request) => getMetrics(source.services, request) },
    "/": { GET: getRoot },
    "/api/event_logging/batch": { POST: swallowEvents },
  };
}

/** Clients send their telemetry to the base URL; it is taken and forgotten. */
async function swallowEvents(request: Request): Promise<Response> {
  await request.body?.cancel();
  const headers = new Headers();
  setCommonHeaders(headers, newRequestId());
  return new Response(null, { status: 204, headers });
}

/** An error of a request for which no exchange was opened: told, counted and logged all the same, under one id. */
export function errorOutside({ log, counts }: Services, failure: unknown): Response {
  const requestId = newRequestId();
  const error = toApiError(failure);
  counts.add(faultOf(failure), error.status);
  logError(log.with({ request: requestId }), failure);
  const headers = new AnswerHeaders();
  for (const [name, value] of Object.entries(error.headers)) headers.set(name.toLowerCase(), value);
  const body = JSON.stringify(error.body(requestId));
  return jsonResponse(body, { requestId, status: error.status, headers });
}

function methodNotAllowed({ method }: Request, allowed: readonly string[]): ApiError {
  const allow = allowed.join(", ");
  const message = `Method ${method} is not allowed here: use ${allow}`;
  return new ApiError("invalid_request_error", message, { status: 405, headers: { allow } });
}

/** Answers a preflight; it never carries a key, so it never needs one. */
function preflight(request: Request): Response {
  const headers = new Headers({
    "access-control-allow-methods": "GET, HEAD, POST, OPTIONS",
    "access-control-allow-headers": request.headers.get("access-control-request-headers") ?? "*",
    "access-control-max-age": "86400",
  });
  setCommonHeaders(headers, newRequestId());
  return new Response(null, { status: 204, headers });
}

/** The path of a request's URL, without its query. */
function pathOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  const query = url.indexOf("?", start);
  return start < 0 ? "/" : url.slice(start, query < 0 ? undefined : query);
}

/**
 * What serves a request: calls of the Messages API at once, all else by {@link createApp}. What is asked a thousand
 * times more often than anything else need not look for its route.
 */
export function createHandler(
  source: ServicesSource,
): (request: Request) => Response | Promise<Response> {
  const app = createApp(source);
  return (request) =>
    request.method === "POST" && pathOf(request.url) === "/v1/messages"
      ? postMessages(source.services, request)
      : app.fetch(request);
}

/** The application: every answer of it, errors included, is in Anthropic's shape and has a `request-id`. */
export function createApp(source: ServicesSource): Hono {
  const app = new Hono({ strict: false });
  for (const [path, handlers] of Object.entries(routesOf(source))) {
    const allowed = Object.keys(handlers).flatMap((method) =>
      method === "GET" ? [method, "HEAD"] : [method]
    );
    app.all(path, (context) => {
      const request = context.req.raw;
      const method = request.method === "HEAD" ? "GET" : request.method;
      // A method is any word a client likes: `toString` is no handler of ours.
      const handler = Object.hasOwn(handlers, method) ? handlers[method] : undefined;
      if (handler !== undefined) return handler(request, context.req.param("id") ?? "");
      return request.method === "OPTIONS"
        ? preflight(request)
        : errorOutside(source.services, methodNotAllowed(request, allowed));
    });
  }
  app.notFound((context) => {
    const { method, path } = context.req;
    if (method === "OPTIONS") return preflight(context.req.raw);
    const message = `${method} ${path.slice(0, 200)} is not served here: see GET / for what is`;
    return errorOutside(source.services, new ApiError("not_found_error", message));
  });
  app.onError((error) => errorOutside(source.services, error));
  return app;
}
