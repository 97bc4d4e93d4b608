/**
 * The floor: what any gateway in this runtime costs that reads an answer itself. Forwards bytes like the raw hop, but
 * through Outcrop's own client to Bedrock and through JavaScript, where the raw hop hands one stream to the other
 * without looking at it.
 * @module
 */
import { Http1Client } from "../src/net/http1_client.ts";

const [port, upstream = ""] = Deno.args;
const client = new Http1Client();
const { protocol, host, hostname, port: upstreamPort } = new URL(upstream);
const { signal } = new AbortController();

Deno.serve({ port: Number(port), hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
  const { pathname } = new URL(request.url);
  const answer = await client.send({
    url: { protocol, host, hostname, port: upstreamPort, pathname, search: "" },
    method: "POST",
    headers: { "content-type": "application/json" },
    body: new Uint8Array(await request.arrayBuffer()),
    signal,
  });
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const chunk = await answer.body.read();
      if (chunk === undefined) controller.close();
      else controller.enqueue(chunk.slice());
    },
  });
  const type = answer.header("content-type") ?? "application/json";
  return new Response(body, { status: answer.status, headers: { "content-type": type } });
});
