import assert from "node:assert/strict";
import { isPublicAddress } from "../../src/net/address.ts";
import { fetchPublic, type PublicFetchOptions, UrlRefused } from "../../src/net/public_fetch.ts";

const PRIVATE = [
  "0.0.0.0",
  "10.1.2.3",
  "100.64.0.1",
  "100.127.255.255",
  "127.0.0.1",
  "127.255.255.255",
  "169.254.169.254",
  "172.16.0.1",
  "172.31.255.255",
  "192.0.0.1",
  "192.0.2.1",
  "192.168.1.1",
  "198.18.0.1",
  "198.19.255.255",
  "198.51.100.7",
  "203.0.113.9",
  "224.0.0.1",
  "240.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::ffff:127.0.0.1",
  "::ffff:8.8.8.8",
  "::ffff:7f00:1",
  "::127.0.0.1",
  "64:ff9b::7f00:1",
  "fe80::1",
  "fe80::1%eth0",
  "fc00::1",
  "fd12:3456::1",
  "ff02::1",
  "2001:db8::1",
  "2001::1",
  "2002:7f00:1::",
  "fd00:ec2::254",
  "not an address",
  "",
  "1.2.3",
  "1.2.3.256",
  "1:2",
  ":::",
  "12345::",
  "1::2::3",
];
const PUBLIC = [
  "1.1.1.1",
  "8.8.8.8",
  "9.255.255.255",
  "11.0.0.0",
  "100.63.255.255",
  "100.128.0.0",
  "172.15.255.255",
  "172.32.0.0",
  "192.169.0.0",
  "223.255.255.255",
  "2606:4700::1111",
  "2a00:1450:4001:81b::200e",
  "2003::1",
];

Deno.test("isPublicAddress() knows what is nobody else's", () => {
  for (const address of PRIVATE) assert.equal(isPublicAddress(address), false, address);
  for (const address of PUBLIC) assert.equal(isPublicAddress(address), true, address);
});

const HERE = new URL("./", import.meta.url);
const cert = Deno.readTextFileSync(new URL("images.test.cert.pem", HERE));
const key = Deno.readTextFileSync(new URL("images.test.key.pem", HERE));

/** A server for https://images.test, which only these tests know. */
async function withServer(
  handler: (request: Request) => Response,
  run: (base: string, options: PublicFetchOptions, asked: string[]) => Promise<void>,
): Promise<void> {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, cert, key, onListen: () => {} },
    handler,
  );
  const { port } = server.addr as Deno.NetAddr;
  const asked: string[] = [];
  const options: PublicFetchOptions = {
    maxBytes: 1_048_576,
    signal: new AbortController().signal,
    ca: cert,
    allows: (address) => address === "127.0.0.1",
    resolve: (host) => {
      asked.push(host);
      return Promise.resolve(host === "images.test" ? ["127.0.0.1"] : []);
    },
  };
  try {
    await run(`https://images.test:${port}`, options, asked);
  } finally {
    await server.shutdown();
  }
}

const picture = () =>
  new Response(new Uint8Array([1, 2, 3]), { headers: { "content-type": "image/PNG; x=1" } });

Deno.test("fetchPublic() gives bytes and type", () =>
  withServer(picture, async (base, options) => {
    const { bytes, type } = await fetchPublic(`${base}/a.png`, options);
    assert.deepEqual([[...bytes], type], [[1, 2, 3], "image/png"]);
  }));

Deno.test("fetchPublic() connects to the address that it checked: the name is looked up once", () =>
  withServer(picture, async (base, options, asked) => {
    await fetchPublic(`${base}/a.png`, options);
    assert.deepEqual(asked, ["images.test"]);
  }));

Deno.test("fetchPublic() refuses a name of which one address is private", () =>
  withServer(picture, async (base, options) => {
    const resolve = () => Promise.resolve(["127.0.0.1", "10.0.0.1"]);
    await assert.rejects(
      fetchPublic(`${base}/a.png`, { ...options, resolve }),
      /Must lie at a public address/,
    );
  }));

Deno.test("fetchPublic() checks each redirect as the first, and follows three", () =>
  withServer((request) => {
    const { pathname } = new URL(request.url);
    const to = (location: string) => new Response(null, { status: 302, headers: { location } });
    if (pathname === "/inside") return to("https://169.254.169.254/latest/meta-data/");
    if (pathname === "/plain") return to("http://images.test/a.png");
    const hops = Number(pathname.slice(1));
    return hops > 0 ? to(`/${hops - 1}`) : picture();
  }, async (base, options) => {
    assert.equal((await fetchPublic(`${base}/3`, options)).type, "image/png");
    await assert.rejects(fetchPublic(`${base}/4`, options), /Must redirect at most 3 times/);
    await assert.rejects(fetchPublic(`${base}/inside`, options), /Must lie at a public address/);
    await assert.rejects(fetchPublic(`${base}/plain`, options), /Must be an https URL/);
  }));

Deno.test("fetchPublic() refuses what is too large, told or not", () =>
  withServer((request) => {
    const body = new Uint8Array(2_000_000);
    if (request.url.endsWith("told")) return new Response(body);
    return new Response(new Blob([body]).stream());
  }, async (base, options) => {
    await assert.rejects(fetchPublic(`${base}/told`, options), /Must be at most 1 MB/);
    await assert.rejects(fetchPublic(`${base}/untold`, options), /Must be at most 1 MB/);
  }));

Deno.test("fetchPublic() refuses any other answer, and a certificate for another name", () =>
  withServer(() => new Response("no", { status: 404 }), async (base, options) => {
    await assert.rejects(fetchPublic(`${base}/a`, options), /Must answer 200: it answered 404/);
    const elsewhere = { ...options, resolve: () => Promise.resolve(["127.0.0.1"]) };
    await assert.rejects(
      fetchPublic(base.replace("images.test", "other.test"), elsewhere),
      (error: Error) => {
        assert.ok(error instanceof UrlRefused);
        assert.equal(error.message, "Must answer over https: it could not be reached");
        return true;
      },
    );
  }));

Deno.test("fetchPublic() ends when its caller goes", () =>
  withServer(
    () =>
      new Response(
        new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(1)) }),
      ),
    async (base, options) => {
      const gone = new AbortController();
      const pending = assert.rejects(
        fetchPublic(`${base}/a`, { ...options, signal: gone.signal }),
        /The client left/,
      );
      setImmediate(() => gone.abort(new Error("The client left")));
      await pending;
    },
  ));

const NEVER: Record<string, RegExp> = {
  "http://example.org/a.png": /Must be an https URL/,
  "file:///etc/passwd": /Must be an https URL/,
  "ftp://example.org/": /Must be an https URL/,
  "not a url": /Must be a URL/,
  "https://user:pw@example.org/": /no user name and no password/,
  "https://127.0.0.1/": /public address/,
  "https://2130706433/": /public address/,
  "https://0x7f.1/": /public address/,
  "https://[::1]/": /public address/,
  "https://[::ffff:169.254.169.254]/": /public address/,
  "https://169.254.169.254/latest/meta-data/": /public address/,
};

for (const [url, wanted] of Object.entries(NEVER)) {
  Deno.test(`fetchPublic() never fetches ${url}`, async () => {
    await assert.rejects(
      fetchPublic(url, { maxBytes: 10, signal: new AbortController().signal }),
      wanted,
    );
  });
}
