/**
 * The table, through the AWS SDK: the calls that the store makes, tried again where that is safe.
 * @module
 */
import type {
  DynamoDBClient,
  DynamoDBClientConfig,
  PutItemCommandInput,
  QueryCommandInput,
  TransactWriteItem,
  UpdateItemCommandInput,
} from "@aws-sdk/client-dynamodb";
import { keptAgents } from "./agents.ts";
import { explain, isConditionFailed, isRefused, isUnsent, type TablePlace } from "./errors.ts";
import type { Item } from "./item.ts";

type Sdk = typeof import("@aws-sdk/client-dynamodb");

/** Finds AWS credentials; the SDK's provider type. */
export type StoreCredentials = () => Promise<{
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  readonly expiration?: Date | undefined;
}>;

/** Which table, and how to get there. */
export interface TableOptions {
  /** Its name. */
  readonly table: string;
  /** Its region. */
  readonly region: string;
  /** Base URL instead of AWS's. */
  readonly endpoint?: string;
  /** Who asks. */
  readonly credentials: StoreCredentials;
  /**
   * Milliseconds for an answer, half of them to connect: DynamoDB gives one in some ten, but this process may be
   * busy. Who cannot wait so long says so to its own callers.
   * @default 5000
   */
  readonly answerMs?: number;
}

/** A write of one item, without the table's name. */
export type PutInput = Omit<PutItemCommandInput, "TableName">;
/** A change of one item, without the table's name. */
export type UpdateInput = Omit<UpdateItemCommandInput, "TableName">;
/** A condition on the item that is written over. */
export type Condition = Pick<
  UpdateItemCommandInput,
  "ConditionExpression" | "ExpressionAttributeNames" | "ExpressionAttributeValues"
>;
/** One write of a transaction; the table's name is filled in. */
export type TransactInput =
  | { readonly Put: PutInput }
  | { readonly Delete: Condition & { readonly Key: Item } }
  | { readonly Update: Omit<UpdateInput, "UpdateExpression"> & { UpdateExpression: string } };

const ANSWER_MS = 5_000;
/** Tries of the SDK, on throttling, 5xx and lost connections. */
const TRIES = 3;
/** So long a write that DynamoDB refuses to make now is asked for again. */
const REFUSED_MS = 5_000;
/** So many times a connection is tried that is not to be had. */
const UNSENT_TRIES = 3;
const LONGEST_PAUSE_MS = 500;
/** What DynamoDB takes in one BatchGetItem. */
const MOST_READ = 100;
/** What DynamoDB takes in one BatchWriteItem. */
const MOST_WRITTEN = 25;

/** The settings of a client. */
export function clientConfig(
  { region, endpoint, credentials, answerMs = ANSWER_MS }: TableOptions,
): DynamoDBClientConfig {
  return {
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    // A member that is undefined and one that is absent are the same to the SDK, though not to its types.
    credentials: credentials as Exclude<DynamoDBClientConfig["credentials"], undefined>,
    // Not `adaptive`: it slows every call of this process where one entry is hot.
    retryMode: "standard",
    maxAttempts: TRIES,
    requestHandler: {
      connectionTimeout: answerMs / 2,
      requestTimeout: answerMs,
      throwOnRequestTimeout: true,
      ...keptAgents(),
    },
  };
}

/** Where a table is, for people. */
export function placeOf({ table, region, endpoint }: TableOptions): TablePlace {
  return { table, where: endpoint ?? region };
}

/** Waits in real time, whatever the program's clock says: longer at each turn, and no two callers alike. */
export function pause(turn: number): Promise<void> {
  const longest = Math.min(10 * 2 ** Math.min(turn, 10), LONGEST_PAUSE_MS);
  return new Promise((resolve) => setTimeout(resolve, longest * Math.random()));
}

/** Opens a table. The SDK is loaded here, so that who keeps elsewhere does not pay for it. */
export async function openDatabase(options: TableOptions): Promise<Database> {
  return new Database(await import("@aws-sdk/client-dynamodb"), options);
}

/**
 * One table. Failures are explained, but for conditions that did not hold and transactions that were cancelled:
 * those are answers.
 */
export class Database {
  readonly #sdk: Sdk;
  readonly #client: DynamoDBClient;
  /** Sends once: for what must not happen twice when only the answer is lost. */
  readonly #once: DynamoDBClient;
  readonly #table: string;
  readonly #place: TablePlace;

  /** Of a table that exists. */
  constructor(sdk: Sdk, options: TableOptions) {
    this.#sdk = sdk;
    this.#table = options.table;
    this.#place = placeOf(options);
    this.#client = new sdk.DynamoDBClient(clientConfig(options));
    const { requestHandler } = this.#client.config;
    this.#once = new sdk.DynamoDBClient({
      ...clientConfig(options),
      requestHandler,
      maxAttempts: 1,
    });
  }

  /** The item as it is now. */
  async getItem(Key: Item): Promise<Item | undefined> {
    const input = { TableName: this.#table, Key, ConsistentRead: true };
    const answer = await this.#asked(() => this.#client.send(new this.#sdk.GetItemCommand(input)));
    return answer.Item;
  }

  /** Resolves when the table answers. */
  async ping(Key: Item): Promise<void> {
    const input = { TableName: this.#table, Key };
    await this.#asked(() => this.#client.send(new this.#sdk.GetItemCommand(input)));
  }

  /** Writes an item; what it was written over. Conditions may have been checked twice: see `attemptsOf`. */
  async putItem(put: PutInput): Promise<Item | undefined> {
    const command = new this.#sdk.PutItemCommand({
      ...put,
      TableName: this.#table,
      ReturnValues: "ALL_OLD",
    });
    const answer = await this.#asked(() => this.#client.send(command));
    return answer.Attributes;
  }

  /**
   * Changes an item, at most once; what it then is.
   *
   * @throws {Error} The SDK's own, as only the caller can tell whether it was changed
   */
  async updateItem(update: UpdateInput, onRefused?: () => void): Promise<Item> {
    const command = new this.#sdk.UpdateItemCommand({
      ...update,
      TableName: this.#table,
      ReturnValues: "ALL_NEW",
    });
    const answer = await this.#untilTaken(() => this.#once.send(command), onRefused);
    return answer.Attributes ?? {};
  }

  /** Removes an item, at most once; what it was. */
  async deleteItem(Key: Item, condition: Condition): Promise<Item | undefined> {
    const command = new this.#sdk.DeleteItemCommand({
      ...condition,
      Key,
      TableName: this.#table,
      ReturnValues: "ALL_OLD",
    });
    const answer = await this.#asked(() => this.#once.send(command));
    return answer.Attributes;
  }

  /** One page of a partition, and where the next one begins. */
  async query(
    query: Omit<QueryCommandInput, "TableName">,
  ): Promise<{ items: readonly Item[]; next: Item | undefined }> {
    const input = { ...query, TableName: this.#table, ConsistentRead: true };
    const answer = await this.#asked(() => this.#client.send(new this.#sdk.QueryCommand(input)));
    return { items: answer.Items ?? [], next: answer.LastEvaluatedKey };
  }

  /** Those of some items that there are, as they are now, in any order. */
  async getItems(keys: readonly Item[]): Promise<Item[]> {
    const found: Item[] = [];
    let left = [...keys];
    for (let turn = 0; left.length > 0; turn++) {
      if (turn > 0) await pause(turn);
      const [now, later] = [left.slice(0, MOST_READ), left.slice(MOST_READ)];
      const command = new this.#sdk.BatchGetItemCommand({
        RequestItems: { [this.#table]: { Keys: now, ConsistentRead: true } },
      });
      const answer = await this.#asked(() => this.#client.send(command));
      found.push(...answer.Responses?.[this.#table] ?? []);
      left = [...answer.UnprocessedKeys?.[this.#table]?.Keys ?? [], ...later];
    }
    return found;
  }

  /** Removes items, whatever they are. */
  async deleteItems(keys: readonly Item[]): Promise<void> {
    let left = keys.map((Key) => ({ DeleteRequest: { Key } }));
    for (let turn = 0; left.length > 0; turn++) {
      if (turn > 0) await pause(turn);
      const [now, later] = [left.slice(0, MOST_WRITTEN), left.slice(MOST_WRITTEN)];
      const command = new this.#sdk.BatchWriteItemCommand({ RequestItems: { [this.#table]: now } });
      const answer = await this.#asked(() => this.#client.send(command));
      const unprocessed = answer.UnprocessedItems?.[this.#table] ?? [];
      left = [
        ...unprocessed.flatMap(({ DeleteRequest }) =>
          DeleteRequest?.Key === undefined ? [] : [{ DeleteRequest: { Key: DeleteRequest.Key } }]
        ),
        ...later,
      ];
    }
  }

  /**
   * Makes all writes or none. Sent again under its own token, a transaction happens once.
   *
   * @throws {Error} The SDK's `TransactionCanceledException`, with the reason of each write
   */
  async transact(writes: readonly TransactInput[]): Promise<void> {
    const TransactItems = writes.map((write): TransactWriteItem => {
      const TableName = this.#table;
      if ("Put" in write) return { Put: { ...write.Put, TableName } };
      if ("Delete" in write) return { Delete: { ...write.Delete, TableName } };
      return { Update: { ...write.Update, TableName } };
    });
    const command = new this.#sdk.TransactWriteItemsCommand({
      TransactItems,
      ClientRequestToken: crypto.randomUUID(),
    });
    await this.#asked(() => this.#client.send(command));
  }

  /** Ends its connections. */
  close(): void {
    this.#client.destroy();
    this.#once.destroy();
  }

  /** The error that tells what to do about a failure of the SDK's. */
  explained(error: unknown): Error {
    return explain(error, this.#place);
  }

  async #asked<T>(send: () => Promise<T>): Promise<T> {
    try {
      return await this.#untilTaken(send);
    } catch (error) {
      const isAnswer = isConditionFailed(error) ||
        error instanceof this.#sdk.TransactionCanceledException;
      throw isAnswer ? error : this.explained(error);
    }
  }

  /** Asks again what has not happened: it was throttled, in the way of a transaction, or not sent. */
  async #untilTaken<T>(send: () => Promise<T>, onRefused?: () => void): Promise<T> {
    const deadline = performance.now() + REFUSED_MS;
    for (let turn = 0;; turn++) {
      try {
        return await send();
      } catch (error) {
        const mayPass = isRefused(error)
          ? performance.now() < deadline
          : isUnsent(error) && turn + 1 < UNSENT_TRIES;
        if (!mayPass) throw error;
        if (isRefused(error)) onRefused?.();
      }
      await pause(turn);
    }
  }
}
