/**
 * The stores that the model is held against, each as two processes have it where two can.
 * @module
 */
import { openDenoKvStore } from "../../../src/storage/deno_kv.ts";
import { openDynamoDbStore } from "../../../src/storage/dynamodb.ts";
import { openMemoryStore } from "../../../src/storage/memory.ts";
import { type Call, refusal, startFront } from "../../dynamodb/front.ts";
import { freshTable } from "../../dynamodb_local.ts";
import { FakeClock } from "../../fake_clock.ts";
import type { Handles } from "./run.ts";

function memory(): Promise<Handles> {
  const clock = new FakeClock();
  const store = openMemoryStore({ clock });
  return Promise.resolve({ stores: [store], clock, close: () => store.close() });
}

async function denoKv(): Promise<Handles> {
  const folder = await Deno.makeTempDir();
  const clock = new FakeClock();
  const open = () => openDenoKvStore({ path: `${folder}/model.db`, clock });
  const stores = [await open(), await open()] as const;
  const close = async () => {
    for (const store of stores) await store.close();
    await Deno.remove(folder, { recursive: true });
  };
  return { stores, clock, close };
}

/** Of so many transactions one is refused, as DynamoDB does when others write the same item. */
const MEETS_OF = 3;
/** Of so many other calls one is throttled. */
const THROTTLED_OF = 400;

/**
 * With what DynamoDB Local does not do of itself: transactions that meet on an item, and throttling. So hot
 * counters come to lie in parts.
 */
async function dynamoDb(): Promise<Handles> {
  const table = await freshTable();
  let [calls, transactions] = [0, 0];
  const before = ({ operation, body }: Call) => {
    if (operation !== "TransactWriteItems") {
      return ++calls % THROTTLED_OF === 0 ? refusal("ThrottlingException") : undefined;
    }
    if (++transactions % MEETS_OF !== 0) return undefined;
    const items: unknown[] = JSON.parse(body).TransactItems;
    const Codes = items.map((_, index) => ({ Code: index === 1 ? "TransactionConflict" : "None" }));
    return refusal("TransactionCanceledException", { CancellationReasons: Codes });
  };
  const front = startFront({ upstream: table.endpoint ?? "", before });
  const clock = new FakeClock();
  const options = { ...table, endpoint: front.url, prefix: "", clock };
  const stores = [await openDynamoDbStore(options), await openDynamoDbStore(options)] as const;
  const close = async () => {
    for (const store of stores) await store.close();
    await front.close();
  };
  return { stores, clock, close };
}

/** By name. */
export const MODELLED: Readonly<Record<string, () => Promise<Handles>>> = {
  memory,
  deno_kv: denoKv,
  dynamodb: dynamoDb,
};
