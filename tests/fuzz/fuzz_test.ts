/** A slice of what `deno task fuzz` does at length, by the seed of this run. */
import fc from "fast-check";
import { checkAsyncProperty, SEED } from "../seed.ts";
import { fuzzRequest, gatewayOf } from "./requests.ts";
import { readStream, streamOf } from "./streams.ts";
import { FuzzTarget } from "./target.ts";

const STREAMS = 4_000;
const REQUESTS = 400;

Deno.test("whatever stream comes, it is read or fails as Bedrock's", () => {
  for (let index = 0; index < STREAMS; index++) {
    const seed = (SEED + index) % 2 ** 32;
    try {
      readStream(streamOf(seed));
    } catch (error) {
      throw new Error(`Cannot read the stream of seed ${seed} as it must be`, { cause: error });
    }
  }
});

Deno.test("whatever request comes, it is answered, and nothing is told", async () => {
  const target = await FuzzTarget.open();
  try {
    await checkAsyncProperty(
      fc.asyncProperty(fuzzRequest, (request) => target.send(request, gatewayOf(request))),
      REQUESTS,
    );
  } finally {
    await target.close();
  }
});
