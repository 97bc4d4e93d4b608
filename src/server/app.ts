/**
 * Step 1: which handler serves a method and path.
 * @module
 */
import { Hono } from "hono";
import { ApiError } from "../anthropic/error.ts";
import { newRequestId } from "../pipeline/exchange.ts";
import { postCountTokens } from "./count_tokens.ts";
import { logError, toApiError } from "./errors.ts";
import { jsonResponse, setCommonHeaders } from "./headers.ts";
import { getHealth, getReady, getRoot } from "./health.ts";
import { postMessages } from "./messages.ts";
import { getModel, getModels } from "./models.ts";
import type { ServicesSource } from "./services.ts";

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

function errorResponse(error: ApiError): Response {
  const requestId = newRequestId();
  const headers = new Headers(error.headers);
  const body = JSON.stringify(error.body(requestId));
  return jsonResponse(body, { requestId, status: error.status, headers });
}

function methodNotAllowed(request: Request, allowed: readonly string[]): Response {
  const allow = allowed.join(", ");
  const message = `Method ${request.method} is not allowed here: use ${allow}`;
  return errorResponse(
    new ApiError("invalid_request_error", message, { status: 405, headers: { allow } }),
  );
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
      return request.method === "OPTIONS" ? preflight(request) : methodNotAllowed(request, allowed);
    });
  }
  app.notFound((context) => {
    const { method, path } = context.req;
    if (method === "OPTIONS") return preflight(context.req.raw);
    return errorResponse(
      new ApiError(
        "not_found_error",
        `${method} ${path.slice(0, 200)} is not served here: see GET / for what is`,
      ),
    );
  });
  app.onError((error) => {
    logError(source.services.log, error);
    return errorResponse(toApiError(error));
  });
  return app;
}
