/**
 * DynamoDB for tests: one server a run, started when the first test asks for it, which ends with this process
 * however that ends; a table for each store.
 * @module
 */
import { spawn } from "node:child_process";
import { CreateTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { Clock } from "../src/clock.ts";
import { openDynamoDbStore } from "../src/storage/dynamodb.ts";
import { clientConfig, type TableOptions } from "../src/storage/dynamodb/database.ts";
import { tableInput } from "../src/storage/dynamodb/table.ts";
import type { Store } from "../src/storage/store.ts";

/** A server. */
export interface LocalServer {
  /** Its base URL. */
  readonly url: string;
  /** What it is, e.g. `DynamoDB Local`. */
  readonly backend: string;
}

/** Test files share no modules, but an environment. */
const SHARED = "OUTCROP_TEST_DYNAMODB_SERVER";
/** The first start also fetches the server. */
const STARTED_MS = 120_000;

/** Credentials that the server takes: any. */
export const LOCAL_CREDENTIALS = { accessKeyId: "AKIALOCAL", secretAccessKey: "local" } as const;

let starting: Promise<LocalServer> | undefined;

/** The server of this run. */
export function localServer(): Promise<LocalServer> {
  const shared = Deno.env.get(SHARED);
  return starting ??= shared === undefined ? start() : Promise.resolve(JSON.parse(shared));
}

async function start(): Promise<LocalServer> {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/server.json`;
  const script = new URL("./dynamodb/server.ts", import.meta.url).pathname;
  // Detached, and of node's: a child of Deno's own ends with the test file that started it.
  spawn(Deno.execPath(), ["run", "--no-check", "-A", script, String(Deno.pid), file], {
    detached: true,
    stdio: "ignore",
  }).unref();
  const deadline = performance.now() + STARTED_MS;
  for (;;) {
    try {
      const text = await Deno.readTextFile(file);
      await Deno.remove(folder, { recursive: true });
      Deno.env.set(SHARED, text);
      const server: LocalServer = JSON.parse(text);
      Deno.stdout.writeSync(new TextEncoder().encode(`DynamoDB for tests: ${server.backend}\n`));
      return server;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound) || performance.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/**
 * Makes a table of its own, e.g. for several stores or a front. It has no time to live: the server goes by the
 * machine's clock, tests by their own, and what lives in a test would be removed.
 *
 * @param url Where, if not on the run's own server
 */
export async function freshTable(url?: string): Promise<TableOptions> {
  const table = {
    table: `outcrop-${crypto.randomUUID()}`,
    region: "us-east-1",
    endpoint: url ?? (await localServer()).url,
    credentials: () => Promise.resolve(LOCAL_CREDENTIALS),
    answerMs: 60_000, // the machine may be busy with other tests
  };
  const client = new DynamoDBClient(clientConfig(table));
  await client.send(new CreateTableCommand(tableInput(table.table)));
  client.destroy();
  return table;
}

/** Opens a store on a table of its own. */
export async function openLocalStore(clock: Clock, prefix: string = ""): Promise<Store> {
  return await openDynamoDbStore({ ...await freshTable(), prefix, clock });
}
