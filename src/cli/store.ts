/**
 * `outcrop store`: the table of `store: dynamodb`.
 * @module
 */
import { Command } from "commander";
import type { LoadedConfig } from "../config/load.ts";
import { type Policy, storePolicy, tableArn } from "../storage/dynamodb/policy.ts";
import { ensureTable, type TableReport } from "../storage/dynamodb/table.ts";
import { describeStore, type DynamoDbChoice, tableOf } from "../storage/open.ts";
import { type ConfigOption, loadConfigOption, withConfigOption } from "./config_option.ts";
import { CommandFailure } from "./failure.ts";
import { awsAccess } from "./open_store.ts";
import { terminal } from "./terminal.ts";

interface InitOptions extends ConfigOption {
  policy?: boolean;
  json?: boolean;
}

/** The `store` command. */
export function storeCommand(): Command {
  const init = new Command("init")
    .description("Make the DynamoDB table, or see that it is as it must be; print the IAM policy.")
    .option("--policy", "print the IAM policy and ask AWS for nothing")
    .option("--json", "print one JSON document")
    .addHelpText("after", "\nExample:\n  outcrop store init --config config.yaml\n")
    .action(initStore);
  return new Command("store")
    .description("The database that keys and usage are kept in.")
    .addHelpText("after", "\nExample:\n  outcrop store init\n")
    .addCommand(withConfigOption(init));
}

function dynamoDbOf({ config, file }: LoadedConfig): DynamoDbChoice {
  if (config.store.use === "dynamodb") return config.store;
  throw new CommandFailure(
    `Cannot make a table as ${file} says 'store: ${config.store.use}', which needs none: ` +
      "set store.use to dynamodb",
  );
}

async function initStore(options: InitOptions): Promise<void> {
  const loaded = await loadConfigOption(options);
  const choice = dynamoDbOf(loaded);
  const table = tableOf(choice, awsAccess(loaded.config.aws));
  if (options.policy) {
    terminal.out(
      JSON.stringify(storePolicy(tableArn(choice.table, table.region), choice.prefix), null, 2),
    );
    return;
  }
  terminal.err(`Store: ${describeStore(choice)}`);
  const report = await ensureTable(table);
  const policy = storePolicy(report.arn, choice.prefix);
  if (options.json) {
    terminal.out(JSON.stringify(jsonOf(choice, { report, policy, region: table.region })));
  } else tell(choice, report, policy);
}

function jsonOf(
  { table, prefix, endpoint }: DynamoDbChoice,
  { report, policy, region }: { report: TableReport; policy: Policy; region: string },
): unknown {
  const { arn, created, billing, ttlSet } = report;
  return {
    table,
    prefix,
    region,
    endpoint,
    arn,
    created,
    billing_mode: billing,
    ttl: { attribute: "ttl", set_now: ttlSet },
    policy,
  };
}

function tell(
  { table }: DynamoDbChoice,
  { arn, created, billing, ttlSet }: TableReport,
  policy: Policy,
): void {
  terminal.out(`${created ? "Made" : "Found"} the table ${table}: ${arn}`);
  terminal.out(
    billing === "PAY_PER_REQUEST"
      ? "Capacity: on demand"
      : "Capacity: provisioned. Beyond it DynamoDB throttles: better on demand, with " +
        `'aws dynamodb update-table --table-name ${table} --billing-mode PAY_PER_REQUEST'`,
  );
  terminal.out(`Time to live: attribute ttl${ttlSet ? ", set now" : ""}`);
  terminal.out("\nThe IAM policy of the role that serves; init alone needs the second statement:");
  terminal.out(JSON.stringify(policy, null, 2));
}
