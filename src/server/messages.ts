/**
 * `POST /v1/messages`: the table of contents of a request's life.
 * @module
 */
import { patienceOf } from "../anthropic/patience.ts";
import { readBetas } from "../anthropic/request.ts";
import { type PluginReply, runOnCall } from "../pipeline/before.ts";
import type { Exchange } from "../pipeline/exchange.ts";
import { readCall } from "./read_call.ts";
import { type Reply, respondMessage, type RespondOptions, respondStream } from "./respond.ts";
import type { Services } from "./services.ts";
import { withExchange } from "./with_exchange.ts";

/** Serves one call of the Messages API. */
export function postMessages(services: Services, request: Request): Promise<Response> {
  return withExchange(services, request, "messages", async (exchange, completion) => {
    await readCall(services, request, exchange);
    const reply = await runOnCall(services.plugins, exchange);
    const pending = reply === undefined ? askBedrock(services, exchange) : fromPlugin(reply);
    const outer = reply?.outer ?? services.plugins;
    const respond = exchange.body?.stream === true ? respondStream : respondMessage;
    return respond(pending, respondOptions(services, { exchange, completion, outer }));
  });
}

function fromPlugin({ message }: PluginReply): Promise<Reply> {
  return Promise.resolve({ kind: "plugin", message });
}

function respondOptions(
  { config, clock }: Services,
  of: Pick<RespondOptions, "exchange" | "completion" | "outer">,
): RespondOptions {
  const { commit_after_s, ping_after_s } = config.limits;
  const patienceMs = patienceOf(of.exchange.headers);
  return {
    ...of,
    clock,
    commitAfterMs: withinPatience(commit_after_s * 1_000, patienceMs),
    pingAfterMs: withinPatience(ping_after_s * 1_000, patienceMs),
  };
}

/** A client's word makes no timer shorter. */
const SHORTEST_MS = 1_000;

/** Half of a client's patience, where that is less: it must hear of its stream before it gives up. */
function withinPatience(ms: number, patienceMs: number): number {
  return Math.max(SHORTEST_MS, Math.min(ms, patienceMs / 2));
}

function askBedrock(services: Services, exchange: Exchange): Promise<Reply> {
  const { rawBody, original, body, model, tier, signal, log } = exchange;
  if (
    rawBody === undefined || original === undefined || body === undefined || model === undefined
  ) {
    throw new TypeError("Cannot ask Bedrock as the body must be read first: it is not");
  }
  const question = {
    raw: rawBody,
    original,
    body,
    betas: readBetas(exchange.headers),
    refusedBetas: [],
    refusedFields: [],
    refused: [],
    messageId: exchange.id.replace("req_", "msg_"),
  };
  const patienceMs = patienceOf(exchange.headers) - exchange.elapsed();
  const onFetched = (bytes: number) => exchange.onBody?.(rawBody.byteLength + bytes);
  return services.bedrock.ask(question, { model, tier, signal, log, patienceMs, onFetched });
}
