/**
 * A Bedrock that costs next to nothing: answers are bytes made beforehand. What a model is named says how it
 * answers: `one-by-one` sends an event a chunk, `slow` an event each 50 ms, `stalled` nothing until it is left.
 * @module
 */
import { type Chunks, FRAMES, inChunks, WHOLE } from "./answers.ts";
import { slowStream } from "./slow_upstream.ts";

const TEN = Object.fromEntries(
  Object.entries(FRAMES).map(([path, frames]) => [path, inChunks(frames, 10)]),
);
const ONE = Object.fromEntries(
  Object.entries(FRAMES).map(([path, frames]) => [path, inChunks(frames, 1)]),
);

function bodyOf(chunks: Chunks): ReadableStream<Uint8Array<ArrayBuffer>> {
  let next = 0;
  return new ReadableStream({
    pull(controller) {
      const chunk = chunks[next++];
      if (chunk === undefined) controller.close();
      else controller.enqueue(chunk);
    },
  });
}

function answer(operation: string, asked: string): Response {
  // Of the native endpoint only the body tells what is wanted; its model stands at its beginning.
  const beginning = asked.slice(0, 400);
  const streams = operation.endsWith("stream") || beginning.includes('"stream":true');
  if (beginning.includes("stalled")) return new Response(new ReadableStream());
  if (beginning.includes("slow")) return new Response(slowStream());
  const chunks = (beginning.includes("one-by-one") ? ONE : TEN)[operation];
  if (!streams || chunks === undefined) {
    return new Response(WHOLE[operation], { headers: { "content-type": "application/json" } });
  }
  const type = operation === "messages"
    ? "text/event-stream"
    : "application/vnd.amazon.eventstream";
  return new Response(bodyOf(chunks), { headers: { "content-type": type } });
}

Deno.serve(
  { port: Number(Deno.args[0]), hostname: "127.0.0.1", onListen: () => {} },
  async (request) => {
    const body = new Uint8Array(await request.arrayBuffer());
    const asked = new TextDecoder().decode(body.subarray(0, 400));
    const operation = request.url.split("/").at(-1) ?? "";
    return answer(operation, request.url + asked);
  },
);
