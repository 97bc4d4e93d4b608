/** Hosts of Bedrock: the AWS SDK's own endpoint rules are the referee. */
import assert from "node:assert/strict";
import { BedrockRuntimeClient } from "@aws-sdk/client-bedrock-runtime";
import { bedrockHosts } from "../../src/bedrock/endpoint.ts";

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
