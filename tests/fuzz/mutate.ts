/**
 * Changes bytes and JSON as accidents and attackers would, by a random source that a seed repeats.
 * @module
 */
import { between, type Random } from "../../src/simulator/random.ts";

const encoder = new TextEncoder();

/** Texts that parsers have stumbled over. */
const WORDS: readonly Uint8Array[] = [
  ...[
    "__proto__",
    "constructor",
    "prototype",
    "toString",
    "NaN",
    "Infinity",
    "-0",
    "1e400",
    "null",
  ],
  ...[
    "9007199254740993",
    "-1",
    "0.1e-400",
    "true",
    "[",
    "]",
    "{",
    "}",
    '"',
    "\\",
    ":",
    ",",
    "\\u0000",
  ],
  ...[
    "\\ud800",
    "\\udfff",
    "\ufeff",
    "\u2028",
    "é",
    "😀",
    "\0",
    "\r\n",
    "\n\ndata: x\n\n",
    "%00",
    "../",
  ],
  ...[
    '"stream":true',
    '"model":"x"',
    '{"type":"text","text":""}',
    "[[",
    "${PATH}",
    "<script>",
    "arn:aws",
  ],
].map((word) => encoder.encode(word));

/** One of a list. */
export function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)] as T;
}

function splice(bytes: Uint8Array, at: number, remove: number, add: Uint8Array): Uint8Array {
  const end = Math.min(at + remove, bytes.byteLength);
  const result = new Uint8Array(bytes.byteLength - (end - at) + add.byteLength);
  result.set(bytes.subarray(0, at));
  result.set(add, at);
  result.set(bytes.subarray(end), at + add.byteLength);
  return result;
}

/** The bytes after one to four changes: bits, bytes, slices and words, put in, left out, doubled, overwritten. */
export function mutateBytes(bytes: Uint8Array, random: Random): Uint8Array {
  let result = bytes;
  for (let change = between(random, 1, 4); change > 0; change--) {
    const at = between(random, 0, result.byteLength);
    const size = between(random, 1, 16);
    switch (between(random, 0, 6)) {
      case 0: {
        result = result.slice();
        if (at < result.byteLength) result[at] = (result[at] ?? 0) ^ (1 << between(random, 0, 7));
        break;
      }
      case 1:
        result = splice(result, at, 1, Uint8Array.of(between(random, 0, 255)));
        break;
      case 2:
        result = splice(result, at, size, new Uint8Array());
        break;
      case 3:
        result = splice(result, at, 0, result.slice(at, at + size));
        break;
      case 4:
        result = splice(result, at, 0, pick(random, WORDS));
        break;
      case 5:
        result = splice(result, at, size, pick(random, WORDS));
        break;
      default:
        result = result.subarray(0, at);
    }
  }
  return result;
}

/** Values that stand where others should. */
const VALUES: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1.5, 1e300, 9007199254740991, "", "x", "\ud800", "\0", "__proto__"],
  ...[[], {}, [null], [[]], { type: "text" }, { text: 1 }, "a".repeat(5_000), { toString: 1 }],
];

const NAMES = ["__proto__", "constructor", "type", "", "length", "toJSON", "hasOwnProperty"];

function isContainer(value: unknown): value is Record<string, unknown> | unknown[] {
  return typeof value === "object" && value !== null;
}

/** A key; mostly of what holds more, so that changes come far from the top, where few values lie. */
function keyIn(value: Record<string, unknown>, random: Random): string | undefined {
  const keys = Object.keys(value);
  const deep = keys.filter((key) => isContainer(value[key]));
  const among = deep.length > 0 && random() < 0.85 ? deep : keys;
  return among.length === 0 ? undefined : pick(random, among);
}

/** A copy in which one value, somewhere, is another, is gone, stands twice, or has another name. */
export function mutateJson(value: unknown, random: Random): unknown {
  if (!isContainer(value) || random() < 0.03) return pick(random, VALUES);
  const key = keyIn(value as Record<string, unknown>, random);
  if (Array.isArray(value)) {
    const copy = [...value];
    const index = Number(key ?? 0);
    const action = random();
    if (action < 0.7 && key !== undefined) copy[index] = mutateJson(copy[index], random);
    else if (action < 0.8) copy.splice(index, 1);
    else if (action < 0.9) copy.splice(index, 0, copy[index] ?? pick(random, VALUES));
    else copy.push(pick(random, VALUES));
    return copy;
  }
  const members = new Map(Object.entries(value));
  const action = random();
  if (key !== undefined && action < 0.75) members.set(key, mutateJson(value[key], random));
  else if (key !== undefined && action < 0.85) members.delete(key);
  else if (key !== undefined && action < 0.92) members.set(pick(random, NAMES), value[key]);
  else members.set(pick(random, NAMES), pick(random, VALUES));
  return Object.fromEntries(members); // defines `__proto__` as a member of its own
}
