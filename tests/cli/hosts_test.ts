/** Which hosts a server that was started for a region calls: a proxy in front of them hears their names. */
import assert from "node:assert/strict";

import { settled } from "../wait.ts";
import { inFolder, startServe } from "./outcrop.ts";

/** Hears which hosts are asked for, and leads to none of them. */
function startProxy(): { url: string; asked: ReadonlySet<string>; close(): void } {
  const asked = new Set<string>();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const answer = async (connection: Deno.Conn) => {
    const buffer = new Uint8Array(4_096);
    const size = await connection.read(buffer) ?? 0;
    const head = new TextDecoder().decode(buffer.subarray(0, size));
    asked.add(/^CONNECT (\S+) /.exec(head)?.[1] ?? head);
    await connection.write(new TextEncoder().encode("HTTP/1.1 502 Bad Gateway\r\n\r\n"));
    connection.close();
  };
  const accept = async () => {
    for await (const connection of listener) void answer(connection);
  };
  void accept();
  return {
    url: `http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`,
    asked,
    close: () => listener.close(),
  };
}

const CONFIG = `listen: { port: 0 }
store: { use: deno_kv, path: keys.db }
aws: { region: us-gov-west-1 }
limits: { retries: 0 }
models: { aliases: { bare: { model: anthropic.claude-opus-5-5, route: mantle } } }
plugins: []
`;

/** Asks one model by the runtime and one by mantle; all hosts that the server called, also for its list of models. */
async function hostsCalled(env: Record<string, string>): Promise<string[]> {
  const proxy = startProxy();
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/config.yaml`, CONFIG);
    const { server, told, ended } = startServe(folder, {
      HTTPS_PROXY: proxy.url,
      DENO_NO_UPDATE_CHECK: "1", // the runtime asks for its own newest version, once a day
      ...env,
    });
    try {
      const [, url = ""] = await told.next(/Listening on (http:\/\/127\.0\.0\.1:\d+).*\n/);
      for (const model of ["claude-opus-5-5", "bare"]) {
        const answer = await fetch(`${url}/v1/messages`, {
          method: "POST",
          body: JSON.stringify({
            model,
            max_tokens: 1,
            messages: [{ role: "user", content: "hi" }],
          }),
        });
        assert.equal(answer.status, 500, await answer.text());
      }
      await settled(() => proxy.asked.size >= 3); // the list of models is asked for by nobody
    } finally {
      server.kill("SIGTERM");
      await ended();
      proxy.close();
    }
  });
  return [...proxy.asked].sort();
}

Deno.test("a server calls its region's hosts, and those of FIPS 140 where AWS_USE_FIPS_ENDPOINT asks for them", async () => {
  assert.deepEqual(await hostsCalled({ AWS_USE_FIPS_ENDPOINT: "true" }), [
    "bedrock-fips.us-gov-west-1.amazonaws.com:443",
    "bedrock-mantle.us-gov-west-1.api.aws:443",
    "bedrock-runtime-fips.us-gov-west-1.amazonaws.com:443",
  ]);
  assert.deepEqual(await hostsCalled({}), [
    "bedrock-mantle.us-gov-west-1.api.aws:443",
    "bedrock-runtime.us-gov-west-1.amazonaws.com:443",
    "bedrock.us-gov-west-1.amazonaws.com:443",
  ]);
});
