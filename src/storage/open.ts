/**
 * Opens the store that the configuration names.
 * @module
 */
import type { Clock } from "../clock.ts";
import { openDenoKvStore } from "./deno_kv.ts";
import { openDynamoDbStore } from "./dynamodb.ts";
import type { StoreCredentials, TableOptions } from "./dynamodb/database.ts";
import { openMemoryStore } from "./memory.ts";
import type { Store } from "./store.ts";

/** A table of DynamoDB, as the configuration names it. */
export interface DynamoDbChoice {
  /** Which store. */
  readonly use: "dynamodb";
  /** The table. */
  readonly table: string;
  /** What every partition begins with. */
  readonly prefix: string;
  /** Base URL instead of AWS's. */
  readonly endpoint: string | null;
  /** Region, instead of that of Bedrock. */
  readonly region: string | null;
}

/** Which store. */
export type StoreChoice =
  | { readonly use: "memory" }
  | { readonly use: "deno_kv"; readonly path: string }
  | DynamoDbChoice;

/** Where AWS is asked, and by whom. */
export interface AwsAccess {
  /** Region of Bedrock. */
  readonly region: string;
  /** Finds credentials. */
  readonly credentials: StoreCredentials;
}

/** What a store stands on. */
export interface StoreOptions {
  /** Time. */
  readonly clock: Clock;
  /** Who asks DynamoDB; the others need nobody. */
  readonly aws?: AwsAccess;
}

/**
 * The table that a choice means.
 *
 * @throws {TypeError} If it is not said who asks
 */
export function tableOf(choice: DynamoDbChoice, aws: AwsAccess | undefined): TableOptions {
  if (aws === undefined) {
    throw new TypeError("Cannot open a DynamoDB table without credentials: give the store 'aws'");
  }
  return {
    table: choice.table,
    region: choice.region ?? aws.region,
    credentials: aws.credentials,
    ...(choice.endpoint === null ? {} : { endpoint: choice.endpoint }),
  };
}

/**
 * Opens it.
 *
 * @throws {Error} That says what to do, if it cannot be opened
 */
export async function openStore(choice: StoreChoice, { clock, aws }: StoreOptions): Promise<Store> {
  switch (choice.use) {
    case "memory":
      return openMemoryStore({ clock });
    case "deno_kv":
      return await openDenoKvStore({ path: choice.path, clock });
    case "dynamodb":
      return await openDynamoDbStore({
        ...tableOf(choice, aws),
        prefix: choice.prefix,
        clock,
      });
  }
}

/** The store in a word or two, e.g. `deno_kv /srv/outcrop.db`. */
export function describeStore(choice: StoreChoice): string {
  switch (choice.use) {
    case "memory":
      return "memory (gone at exit)";
    case "deno_kv":
      return `deno_kv ${choice.path}`;
    case "dynamodb":
      return ["dynamodb", choice.prefix === "" ? choice.table : `${choice.table}:${choice.prefix}`]
        .concat(choice.endpoint ?? choice.region ?? []).join(" ");
  }
}
