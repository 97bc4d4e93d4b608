/** Hosts of Bedrock: the AWS SDK's own endpoint rules are the referee. */
import assert from "node:assert/strict";
import { BedrockRuntimeClient } from "@aws-sdk/client-bedrock-runtime";
import { bedrockHosts } from "../../src/bedrock/endpoint.ts";
import { SIMULATOR_BEARER_TOKEN } from "../../src/simulator/simulator.ts";
import { withHarness } from "../harness.ts";

const REGIONS = [
  "us-east-1",
  "us-west-2",
  "eu-central-1",
  "ap-northeast-1",
  "us-gov-west-1",
  "us-gov-east-1",
  "cn-north-1",
  "cn-northwest-1",
  "us-iso-east-1",
  "us-isob-east-1",
  "eusc-de-east-1",
];

/** The host that the AWS SDK would call. */
async function sdkHost(region: string, fips: boolean): Promise<string> {
  const client = new BedrockRuntimeClient({ region, useFipsEndpoint: fips });
  const { endpointProvider } = client.config as unknown as {
    endpointProvider: (parameters: unknown) => { url: URL };
  };
  const { url } = await endpointProvider({ Region: region, UseFIPS: fips, UseDualStack: false });
  return url.origin;
}

for (const region of REGIONS) {
  for (const fips of [false, true]) {
    Deno.test(`bedrockHosts() gives the SDK's host in ${region}${fips ? ", by FIPS" : ""}`, async () => {
      const { runtime, control } = bedrockHosts(region, null, fips);
      const wanted = await sdkHost(region, fips);
      assert.equal(runtime, wanted);
      assert.equal(control, wanted.replace("bedrock-runtime", "bedrock"));
    });
  }
}

Deno.test("bedrockHosts() knows mantle's hosts, which have a domain of their own", () => {
  assert.equal(bedrockHosts("us-west-2", null).mantle, "https://bedrock-mantle.us-west-2.api.aws");
  assert.equal(
    bedrockHosts("cn-north-1", null).mantle,
    "https://bedrock-mantle.cn-north-1.api.amazonwebservices.com.cn",
  );
});

Deno.test("bedrockHosts() takes an endpoint in the place of all hosts, or of one", () => {
  const vpce = "https://vpce-0abc.bedrock-runtime.us-east-1.vpce.amazonaws.com/";
  const bare = vpce.slice(0, -1);
  assert.deepEqual(bedrockHosts("us-east-1", vpce), {
    runtime: bare,
    mantle: bare,
    control: bare,
  });
  assert.deepEqual(bedrockHosts("us-east-1", { runtime: vpce }), {
    ...bedrockHosts("us-east-1", null),
    runtime: bare,
  });
});

Deno.test("an endpoint with a path of its own is called below it", async () => {
  let inner = "";
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const { pathname } = new URL(request.url);
    return pathname.startsWith("/bedrock/")
      ? fetch(inner + pathname.slice("/bedrock".length), request)
      : new Response(null, { status: 404 });
  });
  const { port } = server.addr as Deno.NetAddr;
  // The box in between changes the path, and with it what a signature would say of it: an API key is none.
  const options = {
    endpoint: `http://127.0.0.1:${port}/bedrock/`,
    bearer: SIMULATOR_BEARER_TOKEN,
  };
  await withHarness(options, async ({ post, simulator }) => {
    inner = simulator.url;
    const answer = await post({
      model: "claude-opus-5-5",
      max_tokens: 10,
      messages: [{ role: "user", content: "hi" }],
    });
    assert.equal(answer.status, 200, await answer.text());
    assert.equal(simulator.requests.at(-1)?.path, "/model/us.anthropic.claude-opus-5-5/invoke");
  });
  await server.shutdown();
});
