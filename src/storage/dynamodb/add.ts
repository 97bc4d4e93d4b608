/**
 * Adding to counters, as DynamoDB is told to do it.
 * @module
 */
import { addCounters } from "../common.ts";
import type { Condition, UpdateInput } from "./database.ts";
import { counterName, type Counters, type Item, type Life, nameOf, NEVER, ttlOf } from "./item.ts";

/** Attributes that conditions speak of; every name through a placeholder, as DynamoDB reserves many words. */
const NAMES = {
  "#pk": "pk",
  "#version": "version",
  "#expires": "expires_ms",
  "#value": "value",
} as const;
/** An expression has 4 KB. */
const MOST_COUNTERS = 50;

/** That there is no live entry. */
export function whenAbsent(now: number): Condition {
  return {
    ConditionExpression: "attribute_not_exists(#pk) OR #expires <= :now",
    ExpressionAttributeNames: { "#pk": NAMES["#pk"], "#expires": NAMES["#expires"] },
    ExpressionAttributeValues: { ":now": { N: String(now) } },
  };
}

/** That there is no live entry that is divided: one item is all that is written over. */
export function whenUndivided(now: number): Condition {
  return {
    ConditionExpression: "attribute_not_exists(#shards) OR #expires <= :now",
    ExpressionAttributeNames: { "#shards": "shards", "#expires": NAMES["#expires"] },
    ExpressionAttributeValues: { ":now": { N: String(now) } },
  };
}

/** That there is a live entry; of this version, if one is given. */
export function whenLive(now: number, version?: string): Condition {
  const names = { "#expires": NAMES["#expires"] };
  const values = { ":now": { N: String(now) } };
  if (version === undefined) {
    return {
      ConditionExpression: "#expires > :now",
      ExpressionAttributeNames: names,
      ExpressionAttributeValues: values,
    };
  }
  return {
    ConditionExpression: "#expires > :now AND #version = :version",
    ExpressionAttributeNames: { ...names, "#version": NAMES["#version"] },
    ExpressionAttributeValues: { ...values, ":version": { S: version } },
  };
}

/** That the item, live or not, was not written since it was read. */
export function whenUnchanged(version: string): Condition {
  return {
    ConditionExpression: "#version = :version",
    ExpressionAttributeNames: { "#version": NAMES["#version"] },
    ExpressionAttributeValues: { ":version": { S: version } },
  };
}

/**
 * Checks what is to be added, before anything is sent.
 *
 * @throws {RangeError} If a delta is no safe integer, or there are too many
 */
export function checkDeltas(key: Item, deltas: Counters): void {
  addCounters({}, deltas);
  const count = Object.keys(deltas).length;
  if (count > MOST_COUNTERS) {
    throw new RangeError(
      `Cannot add to ${
        nameOf(key)
      } as at most ${MOST_COUNTERS} counters can be added to at once: these are ${count}`,
    );
  }
}

/**
 * The change that adds `deltas`: to a live entry of counters, or to none. Its condition does not hold over an
 * entry that has ended, over what was put, or where a sum would be no safe integer.
 */
export function addUpdate(
  key: Item,
  deltas: Counters,
  { version, expiresAt, now }: Life & { readonly now: number },
): UpdateInput & { UpdateExpression: string } {
  const names: Record<string, string> = { ...NAMES, "#ttl": "ttl" };
  const values: Item = {
    ":now": { N: String(now) },
    ":version": { S: version },
    ":expires": { N: String(expiresAt ?? NEVER) },
    ":ttl": { N: String(ttlOf(expiresAt)) },
  };
  const conditions = [
    "(attribute_not_exists(#pk) OR #expires > :now)",
    "attribute_not_exists(#value)",
  ];
  const adds = Object.entries(deltas).map(([name, delta], index) => {
    const [counter, limit] = [`#c${index}`, `:m${index}`];
    names[counter] = counterName(name);
    values[`:d${index}`] = { N: String(delta) };
    if (delta !== 0) {
      const most = Number.MAX_SAFE_INTEGER - Math.abs(delta);
      values[limit] = { N: String(delta > 0 ? most : -most) };
      const comparison = delta > 0 ? "<=" : ">=";
      conditions.push(`(attribute_not_exists(${counter}) OR ${counter} ${comparison} ${limit})`);
    }
    return `${counter} :d${index}`;
  });
  // The first end of a live entry stays: `expires_ms` is always there, also of what does not end.
  const set = "SET #version = :version, #expires = if_not_exists(#expires, :expires), " +
    "#ttl = if_not_exists(#ttl, :ttl)";
  return {
    Key: key,
    UpdateExpression: adds.length === 0 ? set : `${set} ADD ${adds.join(", ")}`,
    ConditionExpression: conditions.join(" AND "),
    ExpressionAttributeNames: names,
    ExpressionAttributeValues: values,
  };
}
