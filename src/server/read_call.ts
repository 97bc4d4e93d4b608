/**
 * Steps 3 and 4: the body is read within the limit, and what we read of it is checked.
 * @module
 */
import { checkCountTokensRequest, checkMessagesRequest } from "../anthropic/request.ts";
import { checkVersion } from "../anthropic/version.ts";
import type { Exchange } from "../pipeline/exchange.ts";
import { readJson } from "./body.ts";
import type { Services } from "./services.ts";

const MEGABYTE = 1_048_576;

/**
 * Reads and checks the body of a call, and puts it on the exchange.
 *
 * @throws {ApiError} That names the field and what it should be
 */
export async function readCall(
  services: Services,
  request: Request,
  exchange: Exchange,
): Promise<void> {
  const { body_mb, body_within_s } = services.config.limits;
  const { bytes, value } = await readJson(request, {
    limit: body_mb * MEGABYTE,
    withinMs: body_within_s * 1_000,
    clock: services.clock,
    signal: exchange.signal,
  });
  exchange.onBody?.(bytes.byteLength);
  const check = exchange.endpoint === "messages" ? checkMessagesRequest : checkCountTokensRequest;
  const body = check(value);
  checkVersion(exchange.headers, body);
  exchange.rawBody = bytes;
  exchange.original = body;
  exchange.body = body;
  exchange.model = body.model;
}
