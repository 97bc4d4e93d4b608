/**
 * What a request costs does not creep up unseen: CPU time against the raw hop of the same run, with a margin so wide
 * that no busy machine reaches it. The figures themselves are the benchmark's.
 */
import assert from "node:assert/strict";
import { load, type Shot } from "../../bench/load.ts";
import { freePort, ServerProcess } from "../../bench/processes.ts";
import { smallBody } from "../../bench/requests.ts";

/** Twice what it costs while its code is still cold, as it is here. */
const MOST = { small: 7, stream: 7 } as const;
const CONNECTIONS = 16;
const CLAUDE = "claude-haiku-4-5";

/** CPU time a request of one server, in microseconds. */
async function cost(server: ServerProcess, shot: Shot, requests: number): Promise<number> {
  await load(shot, requests, CONNECTIONS); // warms up, as far as the time allows
  const before = server.cpu();
  await load(shot, requests, CONNECTIONS);
  return (server.cpu() - before) / requests;
}

const LINUX = Deno.build.os === "linux";

Deno.test({
  name: `CPU time of a request stays within bounds of the raw hop's${
    LINUX ? "" : ": skipped, as it is read from /proc"
  }`,
  ignore: !LINUX,
  async fn() {
    const folder = await Deno.makeTempDir();
    const upstream = await ServerProcess.startAt(freePort(), "upstream.ts");
    const hop = await ServerProcess.start("hop.ts", upstream.url);
    const ours = await ServerProcess.start("gateway.ts", upstream.url, folder, "default");
    try {
      const headers = { "x-api-key": await ours.line() };
      for (
        const [what, requests, operation] of [
          ["small", 1_500, "invoke"],
          ["stream", 200, "invoke-with-response-stream"],
        ] as const
      ) {
        const body = smallBody(CLAUDE, what === "stream");
        const raw = { url: `${hop.url}/model/m/${operation}`, body, headers: {} };
        const whole = { url: `${ours.url}/v1/messages`, body, headers };
        const [least, spent] = [
          await cost(hop, raw, requests),
          await cost(ours, whole, requests),
        ];
        const ratio = spent / least;
        assert.ok(least > 0, `the raw hop cost nothing: ${least}`);
        assert.ok(ratio < MOST[what], `${what}: ${ratio.toFixed(1)} times the hop's ${least} us`);
      }
    } finally {
      for (const server of [ours, hop, upstream]) await server.stop();
      await Deno.remove(folder, { recursive: true });
    }
  },
});
