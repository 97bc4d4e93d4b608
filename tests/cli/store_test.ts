/** `outcrop store init`, and the commands on a store in DynamoDB. */
import assert from "node:assert/strict";
import { CreateTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { inFolder, outcrop, type Ran } from "./outcrop.ts";
import { LOCAL_CREDENTIALS, localServer } from "../dynamodb_local.ts";

const ENVIRONMENT = {
  AWS_ACCESS_KEY_ID: LOCAL_CREDENTIALS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: LOCAL_CREDENTIALS.secretAccessKey,
};

type Run = (...args: string[]) => Promise<Ran>;

/** A configuration whose store is a table of its own, not yet made. */
function withTable(work: (run: Run, table: string) => Promise<void>): Promise<void> {
  return inFolder(async (folder) => {
    const table = `outcrop-${crypto.randomUUID()}`;
    const { url } = await localServer();
    const store = `{ use: dynamodb, table: ${table}, endpoint: "${url}", prefix: "team/" }`;
    await Deno.writeTextFile(`${folder}/config.yaml`, `store: ${store}\n`);
    await work((...args) => outcrop(args, folder, ENVIRONMENT), table);
  });
}

Deno.test("store init makes the table once, and prints the IAM policy it needs", () =>
  withTable(async (run, table) => {
    const first = await run("store", "init", "--json");
    assert.equal(first.code, 0, first.err);
    const made = JSON.parse(first.out);
    assert.deepEqual(
      { ...made, arn: "", policy: "", endpoint: "" },
      {
        table,
        prefix: "team/",
        region: "us-east-1",
        endpoint: "",
        arn: "",
        created: true,
        billing_mode: "PAY_PER_REQUEST",
        ttl: { attribute: "ttl", set_now: true },
        policy: "",
      },
    );
    const [serve, init] = made.policy.Statement;
    assert.equal(serve.Resource, made.arn);
    assert.ok(serve.Action.includes("dynamodb:UpdateItem"));
    assert.ok(!serve.Action.includes("dynamodb:Scan"));
    assert.deepEqual(serve.Condition["ForAllValues:StringLike"], {
      "dynamodb:LeadingKeys": ["team/*"],
    });
    assert.ok(init.Action.includes("dynamodb:CreateTable"));
    const again = JSON.parse((await run("store", "init", "--json")).out);
    assert.deepEqual(again, { ...made, created: false, ttl: { attribute: "ttl", set_now: false } });
    const { code, out } = await run("store", "init");
    assert.equal(code, 0);
    assert.match(
      out,
      /^Found the table outcrop-.*\nCapacity: on demand\nTime to live: attribute ttl\n/,
    );
  }));

Deno.test("keys are made, listed and revoked in DynamoDB, once there is a table", () =>
  withTable(async (run) => {
    const early = await run("keys", "list");
    assert.equal(early.code, 1);
    assert.match(early.err, /there is no table outcrop-.*: run 'outcrop store init'/);
    await run("store", "init");
    const { id } = JSON.parse((await run("keys", "create", "--name", "me", "--json")).out);
    assert.equal((await run("keys", "revoke", id)).code, 0);
    const [key] = JSON.parse((await run("keys", "list", "--json")).out).data;
    assert.deepEqual([key.id, key.name, key.revoked_at === null], [id, "me", false]);
  }));

Deno.test("store init refuses a table of another kind, and says what to do", () =>
  withTable(async (run, table) => {
    const { url } = await localServer();
    const client = new DynamoDBClient({
      endpoint: url,
      region: "us-east-1",
      credentials: LOCAL_CREDENTIALS,
    });
    await client.send(
      new CreateTableCommand({
        TableName: table,
        BillingMode: "PAY_PER_REQUEST",
        KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
        AttributeDefinitions: [{ AttributeName: "id", AttributeType: "N" }],
      }),
    );
    client.destroy();
    const { code, err } = await run("store", "init");
    assert.equal(code, 1);
    assert.match(
      err,
      /as its key must be pk \(S, HASH\), sk \(S, RANGE\): it is id \(N, HASH\); name another table with store\.table/,
    );
  }));

Deno.test("store init --policy asks nobody, and names the table in any account", () =>
  withTable(async (run, table) => {
    const { out } = await run("store", "init", "--policy");
    assert.equal(
      JSON.parse(out).Statement[0].Resource,
      `arn:aws:dynamodb:us-east-1:*:table/${table}`,
    );
  }));
