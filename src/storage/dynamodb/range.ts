/**
 * The range of sort strings that a listing reads.
 * @module
 */
import type { QueryCommandInput } from "@aws-sdk/client-dynamodb";
import { compareUtf8 } from "../common.ts";
import type { ListOptions } from "../store.ts";

/** A range; absent = without end on that side. */
export interface SortRange {
  /** First, inclusive. */
  readonly lower?: string;
  /** Last, exclusive. */
  readonly upper?: string;
}

/**
 * The smallest string that comes after every string which begins with `prefix`; undefined if there is none.
 *
 * @example
 * ```ts
 * import { after } from "./range.ts";
 * if (after("ab") !== "ac") throw new Error("the last character's successor");
 * ```
 */
export function after(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0);
  while (points.length > 0) {
    const last = points.pop() ?? 0;
    if (last === 0x10ffff) continue; // the highest there is: its neighbour on the left goes up
    points.push(last === 0xd7ff ? 0xe000 : last + 1); // surrogates are no characters
    return String.fromCodePoint(...points);
  }
  return undefined;
}

/** The range that `from`, `to` and `prefix` leave; undefined if nothing can be in it. */
export function sortRange({ from, to, prefix }: ListOptions): SortRange | undefined {
  const lowers = [from, prefix].filter((bound) => bound !== undefined)
    .filter((bound) => bound !== ""); // which is no key, and before all of them
  const uppers = [to, prefix === undefined ? undefined : after(prefix)]
    .filter((bound) => bound !== undefined);
  const lower = lowers.sort((a, b) => compareUtf8(b, a))[0];
  const upper = uppers.sort(compareUtf8)[0];
  if (upper !== undefined && compareUtf8(lower ?? "", upper) >= 0) return undefined;
  return {
    ...(lower === undefined ? {} : { lower }),
    ...(upper === undefined ? {} : { upper }),
  };
}

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
