/** URLs that clients have us fetch: none leads into the gateway's own network, by whatever turn. */
import assert from "node:assert/strict";
import { fetchPublic, type PublicFetchOptions } from "../../src/net/public_fetch.ts";
import { parseScript } from "../../src/simulator/simulator.ts";
import { withHarness } from "../harness.ts";

const CERTS = new URL("../net/", import.meta.url);
const cert = Deno.readTextFileSync(new URL("images.test.cert.pem", CERTS));
const key = Deno.readTextFileSync(new URL("images.test.key.pem", CERTS));

/** Stands for a public address, and for one inside. */
const OUTSIDE = "127.0.0.1";
const INSIDE = "127.0.0.2";

interface World {
  /** URL of the attacker's server; the one inside has the same port. */
  readonly url: string;
  /** Paths that the server inside was asked for. */
  readonly reached: readonly string[];
  /** Fetches, with these addresses found for each look-up of a name in turn. */
  fetch(url: string, ...found: readonly (readonly string[])[]): Promise<unknown>;
}

async function withWorld(run: (world: World) => Promise<void>): Promise<void> {
  const reached: string[] = [];
  const to = (location: string) => new Response(null, { status: 302, headers: { location } });
  const attacker = Deno.serve(
    { hostname: OUTSIDE, port: 0, cert, key, onListen: () => {} },
    ({ url }) => {
      const target = new URL(url).searchParams.get("to");
      return target === null ? new Response("a picture") : to(target);
    },
  );
  const { port } = attacker.addr as Deno.NetAddr;
  const inside = Deno.serve(
    { hostname: INSIDE, port, cert, key, onListen: () => {} },
    (request) => {
      reached.push(request.url);
      return new Response("a secret");
    },
  );
  const fetch = (url: string, ...found: readonly (readonly string[])[]) => {
    const turns = [...found];
    const options: PublicFetchOptions = {
      maxBytes: 1_000,
      signal: new AbortController().signal,
      ca: cert,
      allows: (address) => address === OUTSIDE,
      resolve: () => Promise.resolve(turns.shift() ?? [INSIDE]),
    };
    return fetchPublic(url, options);
  };
  try {
    await run({ url: `https://images.test:${port}`, reached, fetch });
  } finally {
    await Promise.all([attacker.shutdown(), inside.shutdown()]);
  }
}

Deno.test("a name that leads inside a moment after it was checked is fetched from where it was checked", () =>
  withWorld(async ({ url, fetch, reached }) => {
    await fetch(`${url}/`, [OUTSIDE]); // whoever asks again is told INSIDE
    assert.deepEqual(reached, []);
  }));

Deno.test("a redirect to a name that leads inside by then is refused", () =>
  withWorld(async ({ url, fetch, reached }) => {
    const again = `${url}/?to=${encodeURIComponent(`${url}/x`)}`;
    await assert.rejects(fetch(again, [OUTSIDE], [INSIDE]), /Must lie at a public address/);
    await assert.rejects(fetch(again, [OUTSIDE], [OUTSIDE, INSIDE]), /Must lie at a public/);
    assert.deepEqual(reached, []);
  }));

Deno.test("a redirect to an address inside is refused, however it is written", () =>
  withWorld(async ({ url, fetch, reached }) => {
    const port = new URL(url).port;
    const hosts = [
      ...["127.0.0.2", "2130706434", "0x7f000002", "0177.0.0.2", "127.2"],
      ...["[::ffff:127.0.0.2]", "[::ffff:7f00:2]", "[::127.0.0.2]", "[64:ff9b::7f00:2]"],
    ];
    for (const host of hosts) {
      const to = encodeURIComponent(`https://${host}:${port}/`);
      await assert.rejects(fetch(`${url}/?to=${to}`, [OUTSIDE]), /public address/, host);
    }
    for (const to of ["http://127.0.0.2/", "file:///etc/passwd", "data:,x", "//u:p@127.0.0.2/"]) {
      const turn = fetch(`${url}/?to=${encodeURIComponent(to)}`, [OUTSIDE]);
      await assert.rejects(turn, /Must be an https URL|no user name/, to);
    }
    assert.deepEqual(reached, []);
  }));

/** Where clouds and containers keep their credentials, and what else lies near a gateway. */
const NEAR: readonly string[] = [
  ...["169.254.169.254", "169.254.170.2", "169.254.170.23", "[fd00:ec2::254]", "[fd00:ec2::23]"],
  ...["100.100.100.200", "168.63.129.16", "192.0.0.192", "metadata.google.internal"],
  ...[
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]",
  ],
  ...["2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "localhost", "127.0.0.1", "[::1]", "0"],
  ...["10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "[fe80::1]", "[fc00::1]", "0.0.0.0"],
];

for (
  const [type, model] of [["image", "qwen.qwen3-vl-235b-a22b"], ["document", "claude-haiku-4-5"]]
) {
  Deno.test(`a URL in a block of type ${type} that lies near the gateway is a 400, and nothing is asked of Bedrock`, () =>
    withHarness({}, async ({ post, simulator }) => {
      for (const host of NEAR) {
        const source = { type: "url", url: `https://${host}/latest/meta-data/iam/` };
        const content = [{ type, source }, { type: "text", text: "What is it?" }];
        const response = await post({
          model,
          max_tokens: 9,
          messages: [{ role: "user", content }],
        });
        const text = await response.text();
        assert.equal(response.status, 400, `${host} ${text}`);
        const rule =
          /content\.0\.source\.url: Must (?:lie at a public address|be a URL|name a host)/;
        assert.match(text, rule, host);
      }
      assert.equal(simulator.requests.length, 0);
    }));
}

Deno.test("a redirect of Bedrock's is not followed: the signature goes nowhere else", async () => {
  let asked = 0;
  const elsewhere = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    asked++;
    return new Response("{}");
  });
  const { port } = elsewhere.addr as Deno.NetAddr;
  try {
    await withHarness({ config: "limits: { retries: 0 }\n" }, async ({ post, simulator }) => {
      for (const status of [301, 302, 303, 307, 308]) {
        const headers = { location: `http://127.0.0.1:${port}/` };
        simulator.script(parseScript({ status, headers, json: {} }));
        const response = await post({
          model: "qwen.qwen3-32b-v1:0",
          max_tokens: 9,
          messages: [{ role: "user", content: "hi" }],
        });
        const text = await response.text();
        assert.ok(response.status >= 500, `${status} ${text}`);
        assert.equal(response.headers.get("location"), null);
        assert.ok(!text.includes(String(port)), text);
      }
    });
  } finally {
    await elsewhere.shutdown();
  }
  assert.equal(asked, 0);
});
