import assert from "node:assert/strict";
import { type Authorization, openCredentials } from "../../src/bedrock/credentials.ts";
import type { AwsCredentials } from "../../src/bedrock/sign.ts";
import { FakeClock } from "../fake_clock.ts";

function open(answers: (Partial<AwsCredentials> & { minutes?: number } | Error)[]) {
  const clock = new FakeClock();
  let asked = 0;
  const provider = () => {
    const answer = answers[Math.min(asked++, answers.length - 1)];
    if (answer instanceof Error || answer === undefined) return Promise.reject(answer);
    const { minutes, ...rest } = answer;
    return Promise.resolve({
      accessKeyId: `AKID${asked}`,
      secretAccessKey: "secret",
      ...rest,
      ...(minutes === undefined ? {} : { expiration: new Date(clock.now() + minutes * 60_000) }),
    });
  };
  const source = openCredentials({ region: "us-east-1", clock, env: () => undefined, provider });
  return { clock, source, asked: () => asked };
}

async function idOf(authorization: Authorization | Promise<Authorization>): Promise<string> {
  const given = await authorization;
  return given.kind === "sigv4" ? given.credentials.accessKeyId : given.kind;
}

Deno.test("get() asks once for many who wait, and then answers at once", async () => {
  const { source, asked } = open([{ minutes: 60 }]);
  const ids = await Promise.all(Array.from({ length: 20 }, () => idOf(source.get())));
  assert.deepEqual(new Set(ids), new Set(["AKID1"]));
  assert.equal(asked(), 1);
  assert.ok(!(source.get() instanceof Promise));
});

Deno.test("get() renews five minutes before the end, while those at hand still serve", async () => {
  const { source, clock, asked } = open([{ minutes: 60 }, { minutes: 60 }]);
  await source.get();
  clock.advance(54 * 60_000);
  assert.equal(await idOf(source.get()), "AKID1");
  assert.equal(asked(), 1);
  clock.advance(60_000 + 1);
  const now = source.get();
  assert.ok(!(now instanceof Promise));
  assert.equal(await idOf(now), "AKID1");
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await idOf(source.get()), "AKID2");
  assert.equal(asked(), 2);
});

Deno.test("get() keeps credentials that are valid when their renewal fails, and tries again later", async () => {
  const { source, clock, asked } = open([{ minutes: 60 }, new Error("Offline"), { minutes: 60 }]);
  await source.get();
  clock.advance(56 * 60_000);
  assert.equal(await idOf(source.get()), "AKID1");
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await idOf(source.get()), "AKID1");
  assert.equal(asked(), 2);
  clock.advance(10_000);
  await source.get();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await idOf(source.get()), "AKID3");
});

Deno.test("get() waits for new ones when the end is near", async () => {
  const { source, clock } = open([{ minutes: 10 }, { minutes: 10 }]);
  await source.get();
  clock.advance(9 * 60_000 + 1_000);
  assert.equal(await idOf(source.get()), "AKID2");
});

Deno.test("get() says what to do when nothing is found, and looks again the next time", async () => {
  const { source } = open([new Error("Could not load credentials from any providers"), {
    minutes: 60,
  }]);
  await assert.rejects(
    async () => await source.get(),
    /no AWS credentials were found: set AWS_BEARER_TOKEN_BEDROCK, or/,
  );
  assert.equal(await idOf(source.get()), "AKID2");
});

Deno.test("get() tells in one line why, where the chain knows", async () => {
  const { source } = open([new Error("The SSO session\n  has expired")]);
  await assert.rejects(
    async () => await source.get(),
    /or sign in with 'aws sso login' \(The SSO session has expired\)$/,
  );
});

Deno.test("invalidate() forgets what AWS has refused", async () => {
  const { source } = open([{}, {}]);
  assert.equal(await idOf(source.get()), "AKID1");
  source.invalidate();
  assert.equal(await idOf(source.get()), "AKID2");
});

Deno.test("describe() shows four characters of the id, and no secret", async () => {
  const { source } = open([{
    accessKeyId: "AKIDEXAMPLE1WXYZ",
    secretAccessKey: "canary",
    sessionToken: "canary",
  }]);
  assert.equal(await source.describe(), "temporary access key …WXYZ");
});

Deno.test("a Bedrock API key of the environment wins over everything", async () => {
  const source = openCredentials({
    region: "us-east-1",
    clock: new FakeClock(),
    env: (name) => name === "AWS_BEARER_TOKEN_BEDROCK" ? "ABSKtoken" : undefined,
    provider: () => Promise.reject(new Error("Must not be asked")),
  });
  assert.deepEqual(source.get(), { kind: "bearer", token: "ABSKtoken" });
  assert.ok(!(await source.describe()).includes("ABSK"));
});

/** The AWS SDK's own chain, in a process of its own with an environment of its own. */
async function chain(env: Record<string, string>): Promise<string> {
  const script = `
    import { openCredentials } from ${
    JSON.stringify(new URL("../../src/bedrock/credentials.ts", import.meta.url).href)
  };
    import { systemClock } from ${
    JSON.stringify(new URL("../../src/clock.ts", import.meta.url).href)
  };
    const source = openCredentials({ region: "us-east-1", clock: systemClock, env: (name) => Deno.env.get(name),
      ...(Deno.env.get("TEST_PROFILE") ? { profile: Deno.env.get("TEST_PROFILE") } : {}) });
    const { credentials } = await source.get();
    Deno.stdout.writeSync(new TextEncoder().encode([credentials.accessKeyId, credentials.sessionToken ?? "none"].join(" ")));
    Deno.exit(0);`;
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/chain.ts`, script);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-check",
        "--config",
        new URL("../../deno.json", import.meta.url).pathname,
        `${folder}/chain.ts`,
      ],
      clearEnv: true,
      env: {
        HOME: folder,
        PATH: Deno.env.get("PATH") ?? "",
        DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`,
        AWS_EC2_METADATA_DISABLED: "true",
        ...env,
      },
    }).output();
    return new TextDecoder().decode(stdout) || new TextDecoder().decode(stderr);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the chain finds keys in the environment", async () => {
  const env = {
    AWS_ACCESS_KEY_ID: "AKIDENV",
    AWS_SECRET_ACCESS_KEY: "x",
    AWS_SESSION_TOKEN: "tok",
  };
  assert.equal(await chain(env), "AKIDENV tok");
});

Deno.test("the chain finds keys of a profile", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(
      file,
      "[default]\naws_access_key_id=AKIDDEFAULT\naws_secret_access_key=x\n[work]\naws_access_key_id=AKIDWORK\naws_secret_access_key=x\n",
    );
    assert.equal(
      await chain({ AWS_SHARED_CREDENTIALS_FILE: file, TEST_PROFILE: "work" }),
      "AKIDWORK none",
    );
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("the chain asks the container's endpoint", async () => {
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    () =>
      Response.json({
        AccessKeyId: "AKIDECS",
        SecretAccessKey: "x",
        Token: "t",
        Expiration: "2099-01-01T00:00:00Z",
      }),
  );
  try {
    const uri = `http://127.0.0.1:${(server.addr as Deno.NetAddr).port}/creds`;
    assert.equal(await chain({ AWS_CONTAINER_CREDENTIALS_FULL_URI: uri }), "AKIDECS t");
  } finally {
    await server.shutdown();
  }
});
