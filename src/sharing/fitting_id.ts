/**
 * Names of any length as keys of the store.
 * @module
 */
import { createHash } from "node:crypto";

const LONGEST = 200;

/** A name as a key of the store can hold it: whole, or its beginning and its digest. */
export function fittingId(id: string): string {
  if (id.length <= LONGEST) return id;
  return `${id.slice(0, 24)}…${createHash("sha256").update(id).digest("hex")}`;
}
