/**
 * Steps 1, 2 and 13, the same for every endpoint that needs a principal.
 * @module
 */
import { runOnRequest } from "../pipeline/before.ts";
import { AnswerHeaders } from "../pipeline/answer_headers.ts";
import { Completion } from "../pipeline/complete.ts";
import { Exchange, newRequestId } from "../pipeline/exchange.ts";
import type { Endpoint } from "../pipeline/plugin.ts";
import { endingOf, logError, toApiError } from "./errors.ts";
import { headerText, jsonResponse } from "./headers.ts";
import type { Place } from "./overload.ts";
import type { Services } from "./services.ts";

/** Serves one exchange whose principal is known. It must end `completion` where it succeeds. */
export type Serve = (exchange: Exchange, completion: Completion) => Promise<Response>;

/**
 * Opens the exchange, runs `onRequest`, serves, and turns whatever fails before the answer has begun into
 * an error answer. Ends the exchange exactly once.
 */
export async function withExchange(
  services: Services,
  request: Request,
  endpoint: Endpoint,
  serve: Serve,
): Promise<Response> {
  const { plugins, clock, log, background, billing, uses, admission, config, counts } = services;
  let place: Place;
  try {
    place = admission.enter(request.headers.get("content-length"), config.limits);
  } catch (error) {
    return refusal(services, error);
  }
  // Looked at now, they can be read when the request is answered too: onComplete may want them.
  const { headers } = request;
  const exchange = new Exchange({ endpoint, headers, clock, log, billing });
  exchange.onBody = (bytes) => place.hold(bytes);
  place.onStop = (reason) => exchange.end(reason);
  uses.enter();
  const completion = new Completion(plugins, exchange, (done, { fault, status }) => {
    counts.add(fault, status);
    const leave = () => {
      uses.leave();
      place.leave();
    };
    if (done === undefined) leave();
    else background.add(done.finally(leave));
  });
  const onGone = () => exchange.clientGone();
  request.signal.addEventListener("abort", onGone, { once: true });
  try {
    await runOnRequest(plugins, exchange);
    return await serve(exchange, completion);
  } catch (error) {
    const ending = endingOf(error, exchange);
    logError(exchange.log, error, { fault: ending.fault, rejection: exchange.rejection });
    await completion.end(ending);
    return errorResponse(error, exchange);
  }
}

/** What a 429 or 529 asks clients to wait where nobody said. */
const RETRY_AFTER_S = "5";

/** The answer to a request that is not let in: nothing was opened for it, so nothing has to be ended. */
function refusal({ log, counts }: Services, error: unknown): Response {
  const id = newRequestId();
  const { status } = toApiError(error);
  counts.add("us", status);
  log.info("Request not let in", { request: id, fault: "us", status });
  return errorResponse(error, { id, answerHeaders: new AnswerHeaders() });
}

function errorResponse(
  error: unknown,
  exchange: Pick<Exchange, "id" | "answerHeaders">,
): Response {
  const told = toApiError(error);
  const headers = exchange.answerHeaders;
  for (const [name, value] of Object.entries(told.headers)) headers.set(name.toLowerCase(), value);
  if ((told.status === 429 || told.status === 529) && !headers.has("retry-after")) {
    headers.set("retry-after", RETRY_AFTER_S); // clients without a number back off by their own, for minutes
  }
  if ("bedrockRequestId" in told && typeof told.bedrockRequestId === "string") {
    headers.set("x-amzn-requestid", headerText(told.bedrockRequestId));
  }
  const body = JSON.stringify(told.body(exchange.id));
  return jsonResponse(body, { requestId: exchange.id, status: told.status, headers });
}
