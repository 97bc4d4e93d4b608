/** The DynamoDB store when calls are throttled, answers are lost, and transactions meet. */
import assert from "node:assert/strict";
import * as http from "node:http";
import { openDynamoDbStore } from "../../src/storage/dynamodb.ts";
import type { Store } from "../../src/storage/store.ts";
import { type Call, type FrontOptions, refusal, startFront } from "../dynamodb/front.ts";
import { freshTable, LOCAL_CREDENTIALS } from "../dynamodb_local.ts";
import { FakeClock } from "../fake_clock.ts";

type Faults = Pick<FrontOptions, "before" | "after">;

/** A store whose calls pass a front with faults. */
async function withFaults(
  faults: Faults,
  work: (store: Store, clock: FakeClock) => Promise<void>,
  answerMs: number = 60_000,
): Promise<void> {
  const table = await freshTable();
  const front = startFront({ ...faults, upstream: table.endpoint ?? "" });
  const clock = new FakeClock();
  const options = { ...table, endpoint: front.url, answerMs, prefix: "", clock };
  const store = await openDynamoDbStore(options);
  try {
    await work(store, clock);
  } finally {
    await store.close();
    await front.close();
  }
}

/** `answer` to the first `times` calls of an operation. */
function first(
  times: number,
  operation: string,
  answer: () => Response,
): (call: Call) => Response | undefined {
  let left = times;
  return (call) => call.operation === operation && left-- > 0 ? answer() : undefined;
}

const throttled = () => refusal("ProvisionedThroughputExceededException");
const broken = () => refusal("InternalServerError", {}, 500);

Deno.test("dynamodb: what is throttled is asked for again, and done once", () =>
  withFaults({ before: first(4, "UpdateItem", throttled) }, async (store) => {
    assert.deepEqual(await store.add(["p", "n"], { n: 1 }), { n: 1 });
    assert.deepEqual(await store.add(["p", "n"], { n: 1 }), { n: 2 });
  }));

Deno.test("dynamodb: an addition whose answer is lost is found to have been made", () =>
  withFaults({ after: first(1, "UpdateItem", broken) }, async (store) => {
    assert.deepEqual(await store.add(["p", "n"], { n: 1 }), { n: 1 });
    assert.deepEqual((await store.get(["p", "n"]))?.value, { n: 1 });
  }));

Deno.test("dynamodb: an addition that did not arrive is never made behind the caller's back", () =>
  withFaults({ before: first(1, "UpdateItem", broken) }, async (store) => {
    await assert.rejects(
      store.add(["p", "n"], { n: 1 }),
      /^Error: Cannot tell whether p\/n was added to, as the answer was lost: /,
    );
    assert.equal(await store.get(["p", "n"]), undefined);
  }));

Deno.test("dynamodb: no addition is sent again when a connection that was kept open breaks", async () => {
  let additions = 0;
  const server = http.createServer((request, response) => {
    request.resume().on("end", () => {
      const isAddition = request.headers["x-amz-target"]?.includes("UpdateItem");
      if (isAddition && ++additions > 1) request.socket.destroy();
      else response.end(isAddition ? '{"Attributes":{"c.n":{"N":"1"}}}' : "{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const store = await openDynamoDbStore({
    table: "outcrop",
    region: "us-east-1",
    endpoint: `http://127.0.0.1:${port}`,
    credentials: () => Promise.resolve(LOCAL_CREDENTIALS),
    prefix: "",
    clock: new FakeClock(),
  });
  try {
    assert.deepEqual(await store.add(["p", "n"], { n: 1 }), { n: 1 });
    await assert.rejects(store.add(["p", "n"], { n: 1 }), /^Error: Cannot tell whether p\/n /);
    assert.equal(additions, 2);
  } finally {
    await store.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

Deno.test("dynamodb: put() when absent knows its own write when the answer to it was lost", () =>
  withFaults({ after: first(1, "PutItem", broken) }, async (store) => {
    const version = await store.put(["p", "a"], 1, { when: "absent" });
    assert.equal((await store.get(["p", "a"]))?.version, version);
    assert.equal(await store.put(["p", "a"], 2, { when: "absent" }), undefined);
  }));

Deno.test("dynamodb: a batch whose answer is lost is applied once", () =>
  withFaults({ after: first(1, "TransactWriteItems", broken) }, async (store, clock) => {
    const batch = [{ key: ["p", "n"] as const, add: { n: 1 } }];
    const expiresAt = clock.now() + 1_000;
    assert.equal(await store.apply("id", batch, { expiresAt }), true);
    assert.deepEqual((await store.get(["p", "n"]))?.value, { n: 1 });
  }));

Deno.test("dynamodb: a batch of which no answer comes is applied at most once, and again by its id at most never", () =>
  withFaults({ after: first(3, "TransactWriteItems", broken) }, async (store, clock) => {
    const batch = [{ key: ["p", "n"] as const, add: { n: 1 } }];
    const expiresAt = clock.now() + 1_000;
    await assert.rejects(store.apply("id", batch, { expiresAt }), /^Error: Cannot use the store: /);
    assert.equal(await store.apply("id", batch, { expiresAt }), false);
    assert.deepEqual((await store.get(["p", "n"]))?.value, { n: 1 });
  }));

Deno.test("dynamodb: who does not answer is given up, with where that was", async () => {
  const ended = Promise.withResolvers<Response>();
  await withFaults({ before: () => ended.promise.then(broken) }, async (store) => {
    await assert.rejects(
      store.get(["p", "a"]),
      /^Error: Cannot use the store: http:\/\/127\.0\.0\.1:\d+ did not answer in time: see that it can be reached/,
    );
    ended.resolve(broken());
  }, 100);
});

Deno.test("dynamodb: refusals say what to do", async () => {
  const answers: Record<string, [() => Response, RegExp]> = {
    "no table": [
      () => refusal("ResourceNotFoundException"),
      /there is no table outcrop-\S+ in http:\S+: run 'outcrop store init', or set store\.table and store\.region$/,
    ],
    "no permission": [
      () => refusal("AccessDeniedException"),
      /these credentials may not: .* that 'outcrop store init --policy' prints$/,
    ],
    "credentials that have expired": [
      () => refusal("ExpiredTokenException"),
      /the credentials have expired: renew them/,
    ],
    "anything else": [
      () => refusal("ValidationException", { message: "One thing is wrong" }),
      /DynamoDB answered ValidationException: One thing is wrong$/,
    ],
  };
  for (const [what, [answer, wanted]] of Object.entries(answers)) {
    await withFaults({ before: answer }, async (store) => {
      await assert.rejects(store.get(["p", "a"]), wanted, what);
      await assert.rejects(store.add(["p", "a"], { n: 1 }), wanted, what);
    });
  }
});

Deno.test("dynamodb: each call is one request, and none is a scan", async () => {
  const operations: string[] = [];
  const before = ({ operation }: Call) => void operations.push(operation);
  await withFaults({ before: (call) => before(call) ?? undefined }, async (store, clock) => {
    const version = await store.put(["p", "a"], 1);
    await store.get(["p", "a"]);
    await store.put(["p", "a"], 2, { when: { version: version ?? "" } });
    await store.add(["p", "n"], { n: 1 });
    const batch = [{ key: ["p", "n"] as const, add: { n: 1 } }, {
      key: ["p", "b"] as const,
      put: 1,
    }];
    await store.apply("id", batch, { expiresAt: clock.now() + 1_000 });
    for await (const entry of store.list("p", { prefix: "a" })) assert.equal(entry.value, 2);
    await store.delete(["p", "a"]);
    await store.ping();
  });
  assert.deepEqual(operations, [
    "PutItem",
    "GetItem",
    "PutItem",
    "UpdateItem",
    "TransactWriteItems",
    "Query",
    "DeleteItem",
    "GetItem",
  ]);
});
