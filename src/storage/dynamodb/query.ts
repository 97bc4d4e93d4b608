/**
 * The query that a listing is.
 * @module
 */
import type { QueryCommandInput } from "@aws-sdk/client-dynamodb";
import { sortRange } from "../range.ts";
import type { ListOptions } from "../store.ts";

/**
 * The query that reads a listing's range of a partition, and at most one entry beside it; undefined if nothing can
 * be in it.
 *
 * @param pk The partition's key in the table
 */
export function queryOf(
  pk: string,
  options: ListOptions,
): Omit<QueryCommandInput, "TableName"> | undefined {
  const range = sortRange(options);
  if (range === undefined) return undefined;
  const { lower, upper } = range;
  // One condition on the sort key is what DynamoDB takes, and BETWEEN includes both ends.
  const [condition, bounds] = lower !== undefined && upper !== undefined
    ? [" AND #sk BETWEEN :lower AND :upper", { ":lower": { S: lower }, ":upper": { S: upper } }]
    : lower !== undefined
    ? [" AND #sk >= :lower", { ":lower": { S: lower } }]
    : upper !== undefined
    ? [" AND #sk < :upper", { ":upper": { S: upper } }]
    : ["", {}];
  return {
    KeyConditionExpression: `#pk = :pk${condition}`,
    ExpressionAttributeNames: { "#pk": "pk", ...(condition === "" ? {} : { "#sk": "sk" }) },
    ExpressionAttributeValues: { ":pk": { S: pk }, ...bounds },
    ScanIndexForward: options.reverse !== true,
    ...(options.limit === undefined ? {} : { Limit: Math.max(options.limit, 1) }),
  };
}
