/**
 * The table itself: made, or seen to be as the store needs it.
 * @module
 */
import type {
  CreateTableCommandInput,
  DynamoDBClient,
  KeySchemaElement,
  TableDescription,
  TimeToLiveDescription,
} from "@aws-sdk/client-dynamodb";
import { clientConfig, placeOf, type TableOptions } from "./database.ts";
import { explain } from "./errors.ts";

type Sdk = typeof import("@aws-sdk/client-dynamodb");

/** What a table turned out to be. */
export interface TableReport {
  /** Its ARN. */
  readonly arn: string;
  /** Whether it was made now. */
  readonly created: boolean;
  /** How it is paid for; `PROVISIONED` throttles beyond what is provisioned. */
  readonly billing: "PAY_PER_REQUEST" | "PROVISIONED";
  /** Whether DynamoDB was told now to remove what has ended. */
  readonly ttlSet: boolean;
}

const KEY: KeySchemaElement[] = [
  { AttributeName: "pk", KeyType: "HASH" },
  { AttributeName: "sk", KeyType: "RANGE" },
];
const TTL = "ttl";
/** DynamoDB makes a table within seconds. */
const MADE_MS = 120_000;
const LOOK_EVERY_MS = 250;

/**
 * Makes the table if there is none, and sees that key, billing and time to live are as they must be. Doing it again
 * changes nothing.
 *
 * @throws {Error} That says what to do, if it cannot be made or is another's
 */
export async function ensureTable(options: TableOptions): Promise<TableReport> {
  const sdk = await import("@aws-sdk/client-dynamodb");
  const client = new sdk.DynamoDBClient(clientConfig(options));
  const table = new Table(sdk, client, options.table);
  try {
    return await table.ensure();
  } catch (error) {
    throw error instanceof TableFault ? error : explain(error, placeOf(options));
  } finally {
    client.destroy();
  }
}

/** What a table is made of. */
export function tableInput(name: string): CreateTableCommandInput {
  return {
    TableName: name,
    BillingMode: "PAY_PER_REQUEST",
    KeySchema: KEY,
    AttributeDefinitions: KEY.map(({ AttributeName }) => ({ AttributeName, AttributeType: "S" })),
  };
}

/** A table that cannot be the store's. */
class TableFault extends Error {
  override readonly name = "TableFault";
}

class Table {
  readonly #sdk: Sdk;
  readonly #client: DynamoDBClient;
  readonly #name: string;

  constructor(sdk: Sdk, client: DynamoDBClient, name: string) {
    this.#sdk = sdk;
    this.#client = client;
    this.#name = name;
  }

  async ensure(): Promise<TableReport> {
    const found = await this.#describe();
    const created = found === undefined && await this.#create();
    const table = await this.#active();
    this.#checkKey(table);
    return {
      arn: table.TableArn ?? "",
      created,
      billing: table.BillingModeSummary?.BillingMode ?? "PROVISIONED",
      ttlSet: await this.#setTtl(),
    };
  }

  async #describe(): Promise<TableDescription | undefined> {
    const command = new this.#sdk.DescribeTableCommand({ TableName: this.#name });
    try {
      return (await this.#client.send(command)).Table;
    } catch (error) {
      if (error instanceof this.#sdk.ResourceNotFoundException) return undefined;
      throw error;
    }
  }

  /** False if another has made it meanwhile. */
  async #create(): Promise<boolean> {
    const command = new this.#sdk.CreateTableCommand(tableInput(this.#name));
    try {
      await this.#client.send(command);
      return true;
    } catch (error) {
      if (error instanceof this.#sdk.ResourceInUseException) return false;
      throw error;
    }
  }

  async #active(): Promise<TableDescription> {
    const deadline = performance.now() + MADE_MS;
    for (;;) {
      const table = await this.#describe();
      const status = table?.TableStatus ?? "not there";
      if (table !== undefined && ["ACTIVE", "UPDATING"].includes(status)) return table;
      if (performance.now() > deadline) {
        throw new TableFault(
          `Cannot use the table ${this.#name} as it must be active: it is ${status}; try again when it is`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  #checkKey({ KeySchema = [], AttributeDefinitions = [] }: TableDescription): void {
    const types = new Map(
      AttributeDefinitions.map((one) => [one.AttributeName, one.AttributeType]),
    );
    const key = KeySchema.map(({ AttributeName = "?", KeyType }) =>
      `${AttributeName} (${types.get(AttributeName)}, ${KeyType})`
    ).join(", ");
    const wanted = KEY.map(({ AttributeName, KeyType }) => `${AttributeName} (S, ${KeyType})`);
    if (key === wanted.join(", ")) return;
    throw new TableFault(
      `Cannot use the table ${this.#name} as its key must be ${wanted.join(", ")}: it is ${key}; ` +
        "name another table with store.table, and 'outcrop store init' makes it",
    );
  }

  /** Whether it had to be told. */
  async #setTtl(): Promise<boolean> {
    const { AttributeName, TimeToLiveStatus: status = "DISABLED" } = await this.#ttl();
    if (["ENABLED", "ENABLING"].includes(status)) {
      if (AttributeName === TTL) return false;
      throw new TableFault(
        `Cannot use the table ${this.#name} as its time to live must be the attribute ${TTL}: ` +
          `it is ${AttributeName}; name another table with store.table`,
      );
    }
    if (status === "DISABLING") {
      throw new TableFault(
        `Cannot set the time to live of ${this.#name} while it is being taken away: try again in an hour`,
      );
    }
    const command = new this.#sdk.UpdateTimeToLiveCommand({
      TableName: this.#name,
      TimeToLiveSpecification: { AttributeName: TTL, Enabled: true },
    });
    await this.#client.send(command);
    return true;
  }

  async #ttl(): Promise<TimeToLiveDescription> {
    const command = new this.#sdk.DescribeTimeToLiveCommand({ TableName: this.#name });
    return (await this.#client.send(command)).TimeToLiveDescription ?? {};
  }
}
