/**
 * The raw hop: forwards bytes in the same runtime, and does nothing else. What Outcrop is measured against.
 * @module
 */
const [port, upstream] = Deno.args;

Deno.serve({ port: Number(port), hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
  const body = await request.arrayBuffer();
  const answer = await fetch(upstream + new URL(request.url).pathname, {
    method: "POST",
    body,
    headers: { "content-type": "application/json" },
  });
  return new Response(answer.body, { status: answer.status, headers: answer.headers });
});
