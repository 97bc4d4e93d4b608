/**
 * DynamoDB's refusals: which of them did nothing, and what to do about each.
 * @module
 */

/** What an error of the SDK may carry. */
interface SdkError extends Error {
  readonly code?: string;
  readonly $metadata?: { readonly attempts?: number; readonly httpStatusCode?: number };
  readonly CancellationReasons?: readonly { readonly Code?: string }[];
}

/** Names of errors by which DynamoDB says that it did nothing, and would another time. */
const THROTTLED = new Set([
  "LimitExceededException",
  "ProvisionedThroughputExceededException",
  "RequestLimitExceeded",
  "ReplicatedWriteConflictException",
  "ThrottlingException",
  "TransactionConflictException",
  "TransactionInProgressException",
]);
/** Codes of connections that never were: nothing was sent. */
const UNSENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"]);
const LOST = new Set([...UNSENT, "ECONNRESET", "EPIPE", "ETIMEDOUT"]);

function named(error: unknown): SdkError | undefined {
  return error instanceof Error ? error as SdkError : undefined;
}

/** Whether a condition did not hold. */
export function isConditionFailed(error: unknown): boolean {
  return named(error)?.name === "ConditionalCheckFailedException";
}

/** Whether DynamoDB did nothing, and would another time. */
export function isRefused(error: unknown): boolean {
  return THROTTLED.has(named(error)?.name ?? "");
}

/** Whether DynamoDB was not reached. */
export function isUnsent(error: unknown): boolean {
  return UNSENT.has(named(error)?.code ?? "");
}

/** Whether DynamoDB may have done it all the same: the answer was lost, or says that something broke. */
export function isUnsure(error: unknown): boolean {
  const { name = "", $metadata } = named(error) ?? {};
  if (isRefused(error) || isUnsent(error) || name === "CredentialsProviderError") return false;
  const status = $metadata?.httpStatusCode ?? 0;
  return status === 0 || status >= 500;
}

/** Codes of why each write of a transaction was not made; undefined where the error is no such refusal. */
export function cancellationCodes(error: unknown): readonly string[] | undefined {
  const found = named(error);
  if (found?.name !== "TransactionCanceledException") return undefined;
  return found.CancellationReasons?.map(({ Code }) => Code ?? "None") ?? [];
}

/** How many times the SDK has sent it. */
export function attemptsOf(error: unknown): number {
  return named(error)?.$metadata?.attempts ?? 1;
}

/** Where a table is. */
export interface TablePlace {
  /** Its name. */
  readonly table: string;
  /** Region, or the endpoint in its place, for people. */
  readonly where: string;
}

/** What to do about an error by its name; `{table}` and `{where}` are filled in. */
const REMEDIES: Readonly<Record<string, string>> = {
  ResourceNotFoundException:
    "there is no table {table} in {where}: run 'outcrop store init', or set store.table and store.region",
  AccessDeniedException:
    "these credentials may not: give their role the IAM statement that 'outcrop store init --policy' prints",
  UnrecognizedClientException: "AWS does not know these credentials: set others, or aws.profile",
  InvalidSignatureException:
    "AWS does not accept the signature: see that the secret belongs to the key, and that the clock is right",
  ExpiredTokenException: "the credentials have expired: renew them, e.g. with 'aws sso login'",
  CredentialsProviderError:
    "no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or aws.profile, or sign in " +
    "with 'aws sso login'",
  TimeoutError:
    "{where} did not answer in time: see that it can be reached from here, or set store.endpoint",
  ProvisionedThroughputExceededException:
    "{where} throttles table {table}: raise its capacity, or set it to on-demand",
  ThrottlingException:
    "{where} throttles table {table}: raise its maximum throughput or the account's quota",
  RequestLimitExceeded: "{where} throttles the account: raise its quota",
};

const UNREACHABLE =
  "{where} cannot be reached: set store.region or store.endpoint, and see that the network is there";

/** The error that tells what could not be done, why, and what to do. */
export function explain(error: unknown, place: TablePlace): Error {
  const found = named(error);
  const remedy = REMEDIES[found?.name ?? ""] ??
    (LOST.has(found?.code ?? "") ? UNREACHABLE : undefined);
  const reason = remedy?.replaceAll("{table}", place.table).replaceAll("{where}", place.where) ??
    `DynamoDB answered ${found?.name ?? "with"}: ${found?.message ?? String(error)}`;
  return new Error(`Cannot use the store: ${reason}`, { cause: error });
}
