/** TLS by our own client. */
import assert from "node:assert/strict";

const decoder = new TextDecoder();

Deno.test("Http1Client speaks TLS, and only with whom it can trust", async () => {
  const folder = new URL(".", import.meta.url).pathname;
  const server = Deno.serve({
    hostname: "localhost",
    port: 0,
    cert: Deno.readTextFileSync(`${folder}localhost.cert.pem`),
    key: Deno.readTextFileSync(`${folder}localhost.key.pem`),
    onListen: () => {},
  }, async (request) => new Response(`got ${await request.text()}`));
  const url = `https://localhost:${(server.addr as Deno.NetAddr).port}/`;
  const program = `
    import { Http1Client } from ${
    JSON.stringify(new URL("../../src/net/http1_client.ts", import.meta.url).href)
  };
    import { readAll } from ${
    JSON.stringify(new URL("../../src/net/http_client.ts", import.meta.url).href)
  };
    const client = new Http1Client();
    for (let turn = 0; turn < 2; turn++) {
      const answer = await client.send({ url: new URL(${
    JSON.stringify(url)
  }), method: "POST", headers: {},
        body: new TextEncoder().encode("hello"), signal: new AbortController().signal });
      console.log(new TextDecoder().decode(await readAll(answer.body)));
    }`;
  const run = async (env: Record<string, string>) => {
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--quiet", program],
      env: { NO_COLOR: "1", ...env },
    }).output();
    return decoder.decode(stdout) + decoder.decode(stderr);
  };
  try {
    assert.equal(await run({ DENO_CERT: `${folder}localhost.cert.pem` }), "got hello\ngot hello\n");
    assert.match(await run({}), /self.signed certificate|invalid peer certificate/i);
  } finally {
    await server.shutdown();
  }
});
