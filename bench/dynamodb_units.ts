/**
 * What calls of DynamoDB cost in its own units: the program's own store speaks to a server that answers at once, and
 * what it sends is counted by the rules of the price list.
 *
 * - A write costs a unit for each KB begun of its item; in a transaction, two.
 * - A read that sees all writes costs a unit for each 4 KB begun.
 *
 * @module
 */
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { systemClock } from "../src/clock.ts";
import { openDynamoDbStore } from "../src/storage/dynamodb.ts";
import { itemKey, putItem } from "../src/storage/dynamodb/item.ts";
import type { Store, StoreKey } from "../src/storage/store.ts";

type Item = Record<string, AttributeValue>;

/** One write of a call. */
interface Write {
  readonly Item?: Item;
  readonly Key?: Item;
  readonly ExpressionAttributeNames?: Record<string, string>;
  readonly ExpressionAttributeValues?: Item;
}

/** What was sent. */
export interface Units {
  /** Write units. */
  write: number;
  /** Write units by partition. */
  readonly partitions: Map<string, number>;
  /** Bytes of what was put. */
  put: number;
}

/** As long as one of the store's. */
const VERSION = "0f9c2b7eAbCd.4fz";

const encoder = new TextEncoder();

function textSize(text: string): number {
  return encoder.encode(text).byteLength;
}

/** Bytes of a text, a number or a truth, as they are stored: of a number two digits a byte, and one more. */
function valueSize({ S, N }: AttributeValue): number {
  if (S !== undefined) return textSize(S);
  return N === undefined ? 1 : Math.ceil(N.replace("-", "").length / 2) + 1;
}

/** Bytes of an item: names and values. */
function itemSize(item: Item): number {
  return Object.entries(item).reduce(
    (sum, [name, value]) => sum + textSize(name) + valueSize(value),
    0,
  );
}

/** Bytes of an entry as it lies in the table. */
export function entrySize(key: StoreKey, value: unknown): number {
  const life = { version: VERSION, expiresAt: 1_800_000_000_000 };
  return itemSize(putItem(itemKey("", key), value, life));
}

/** Units of a write of so many bytes. */
export function writeUnits(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / 1_024));
}

/** Units of a read of so many bytes. */
export function readUnits(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / 4_096));
}

function count(
  units: Units,
  { Item, Key = {} }: Write,
  { times, sizeOf }: { readonly times: number; readonly sizeOf: SizeOf },
): void {
  const partition = (Item ?? Key).pk?.S ?? "";
  const bytes = Item === undefined ? sizeOf(partition) : itemSize(Item);
  const own = times * writeUnits(bytes);
  units.write += own;
  units.partitions.set(partition, own + (units.partitions.get(partition) ?? 0));
  if (Item !== undefined) units.put += bytes;
}

/** Bytes of what is added to, which the call does not tell. */
type SizeOf = (partition: string) => number;

/** Counts what `work` has the store send. */
export async function unitsOf(
  sizeOf: SizeOf,
  work: (store: Store) => Promise<unknown>,
): Promise<Units> {
  const units: Units = { write: 0, partitions: new Map(), put: 0 };
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const operation = request.headers.get("x-amz-target")?.split(".").at(-1);
      const body = await request.json();
      if (operation === "TransactWriteItems") {
        const items: Record<string, Write>[] = body.TransactItems;
        for (const item of items) {
          for (const write of Object.values(item)) {
            count(units, write, { times: 2, sizeOf });
          }
        }
      } else if (operation === "PutItem" || operation === "UpdateItem") {
        count(units, body, {
          times: 1,
          sizeOf,
        });
      } else throw new Error(`Cannot count '${operation}' as only writes are counted here`);
      return Response.json({});
    },
  );
  const store = await openDynamoDbStore({
    table: "outcrop",
    region: "us-east-1",
    endpoint: `http://127.0.0.1:${server.addr.port}`,
    credentials: () => Promise.resolve({ accessKeyId: "AKIDBENCH", secretAccessKey: "bench" }),
    prefix: "",
    clock: systemClock,
  });
  try {
    await work(store);
  } finally {
    await store.close();
    await server.shutdown();
  }
  return units;
}
