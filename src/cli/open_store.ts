/**
 * The configured store, with the configured AWS account where it needs one.
 * @module
 */
import { awsChain } from "../bedrock/credentials.ts";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/schema.ts";
import { type AwsAccess, openStore } from "../storage/open.ts";
import type { Store } from "../storage/store.ts";

/** Who asks DynamoDB: profile and role of `aws`, as for Bedrock; a Bedrock API key opens no table. */
export function awsAccess({ region, profile, role_arn }: Config["aws"]): AwsAccess {
  const credentials = awsChain({
    region,
    ...(profile === null ? {} : { profile }),
    ...(role_arn === null ? {} : { roleArn: role_arn }),
  });
  return { region, credentials };
}

/**
 * Opens the store that a configuration names.
 *
 * @throws {Error} That says what to do, if it cannot be opened
 */
export function openConfiguredStore(
  { store, aws }: Pick<Config, "store" | "aws">,
  clock: Clock,
): Promise<Store> {
  return openStore(store, { clock, aws: awsAccess(aws) });
}
