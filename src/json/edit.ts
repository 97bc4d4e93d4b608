/**
 * Edits JSON in place: what is not edited stays byte for byte, so that numbers keep their spelling and a big
 * body is not written a second time.
 * @module
 */
import { type Member, membersOf, skipSpace } from "./scan.ts";

/** Names and positions from the top. */
export type JsonPath = readonly (string | number)[];

/** One change. Setting a member that is not there adds it to its object; a list takes only positions it has. */
export type JsonEdit =
  | { readonly path: JsonPath; readonly remove: true }
  | { readonly path: JsonPath; readonly value: unknown };

/** Edits of one place and of what lies below it. */
interface Node {
  edit: JsonEdit | undefined;
  readonly below: Map<string | number, Node>;
}

/** Bytes that are replaced. */
interface Splice {
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array;
}

const encoder = new TextEncoder();
const NOTHING = new Uint8Array();

function treeOf(edits: readonly JsonEdit[]): Node {
  const root: Node = { edit: undefined, below: new Map() };
  for (const edit of edits) {
    let node = root;
    for (const key of edit.path) {
      let next = node.below.get(key);
      if (next === undefined) node.below.set(key, next = { edit: undefined, below: new Map() });
      node = next;
    }
    node.edit = edit;
  }
  return root;
}

function encode(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value) ?? "null");
}

class Editor {
  /** In the order of their places, each behind the one before. */
  readonly splices: Splice[] = [];
  readonly #source: Uint8Array;

  constructor(source: Uint8Array) {
    this.#source = source;
  }

  /** Edits below the object or list at `at`. */
  descend(at: number, node: Node): void {
    const members = membersOf(this.#source, at);
    const last = lastOfEachName(members);
    let firstKept = members.length;
    for (let index = members.length - 1; index >= 0; index--) {
      if (!isRemoved(members[index]!, node, last)) firstKept = index;
    }
    this.#add(at, additionsTo(members, node), firstKept < members.length);
    for (let index = 0; index < members.length; index++) {
      const member = members[index]!;
      if (isRemoved(member, node, last)) {
        // With the comma that goes with it: the one before, or, for the first ones, the one behind.
        const leading = index < firstKept;
        const from = leading ? member.start : members[index - 1]!.end;
        const to = leading ? members[index + 1]?.start ?? member.end : member.end;
        this.splices.push({ from, to, bytes: NOTHING });
        continue;
      }
      const child = node.below.get(member.key);
      if (child === undefined) continue;
      if (child.edit !== undefined && "value" in child.edit) {
        const bytes = encode(child.edit.value);
        this.splices.push({ from: member.valueStart, to: member.end, bytes });
      } else this.descend(member.valueStart, child);
    }
  }

  /** Adds at the front: the place is known without a look at the object's end. */
  #add(at: number, text: string, followed: boolean): void {
    if (text === "") return;
    const place = skipSpace(this.#source, at) + 1;
    const bytes = encoder.encode(followed ? `${text},` : text);
    this.splices.push({ from: place, to: place, bytes });
  }
}

type Last = ReadonlyMap<string | number, Member> | undefined;

/** Of members that share a name only the last counts (JSON.parse) and was checked: who reads on may take another. */
function isRemoved(member: Member, node: Node, last: Last): boolean {
  if (last !== undefined && last.get(member.key) !== member) return true;
  const edit = node.below.get(member.key)?.edit;
  return edit !== undefined && "remove" in edit;
}

/** The members that count; undefined if all do, as in a list. */
function lastOfEachName(members: readonly Member[]): Last {
  if (typeof members[0]?.key !== "string") return undefined;
  const names = new Set<string | number>();
  for (const { key } of members) names.add(key);
  if (names.size === members.length) return undefined;
  return new Map(members.map((member) => [member.key, member]));
}

/** What is set that is not there yet, as JSON between commas. */
function additionsTo(members: readonly Member[], node: Node): string {
  let text = "";
  for (const [key, { edit }] of node.below) {
    if (edit === undefined || !("value" in edit)) continue;
    if (members.some((member) => member.key === key)) continue;
    const member = `${JSON.stringify(String(key))}:${JSON.stringify(edit.value) ?? "null"}`;
    text += text === "" ? member : `,${member}`;
  }
  return text;
}

/**
 * Applies edits to JSON in UTF-8, which must be valid. Bytes outside the edits stay as they are, but for members
 * whose name stands again behind them, in the objects that an edit lies in.
 */
export function editJson(source: Uint8Array, edits: readonly JsonEdit[]): Uint8Array<ArrayBuffer> {
  const editor = new Editor(source);
  const start = source[0] === 0xef ? 3 : 0; // a byte order mark
  editor.descend(skipSpace(source, start), treeOf(edits));
  let size = source.byteLength;
  for (const { from, to, bytes } of editor.splices) size += bytes.byteLength - (to - from);
  const result = new Uint8Array(size);
  let at = 0;
  let read = 0;
  for (const { from, to, bytes } of editor.splices) {
    result.set(source.subarray(read, from), at);
    at += from - read;
    if (bytes.byteLength > 0) result.set(bytes, at);
    at += bytes.byteLength;
    read = to;
  }
  result.set(source.subarray(read), at);
  return result;
}

function isContainer(
  value: unknown,
): value is Readonly<Record<string, unknown>> | readonly unknown[] {
  return typeof value === "object" && value !== null;
}

/**
 * The edits that turn `before` into `after`, which shares with it what did not change: parts that are the same
 * object are not looked into.
 */
export function diffJson(before: unknown, after: unknown, path: JsonPath = []): JsonEdit[] {
  if (before === after) return [];
  if (Array.isArray(before) && Array.isArray(after)) {
    if (before.length !== after.length) return [{ path, value: after }];
    return after.flatMap((item, index) => diffJson(before[index], item, [...path, index]));
  }
  const bothObjects = isContainer(before) && isContainer(after) && !Array.isArray(before) &&
    !Array.isArray(after);
  if (!bothObjects) return [{ path, value: after }];
  const old = before as Readonly<Record<string, unknown>>;
  const now = after as Readonly<Record<string, unknown>>;
  const edits: JsonEdit[] = [];
  for (const key of Object.keys(old)) {
    if (!Object.hasOwn(now, key) || now[key] === undefined) {
      edits.push({ path: [...path, key], remove: true });
    }
  }
  for (const [key, value] of Object.entries(now)) {
    if (value === undefined) continue;
    if (Object.hasOwn(old, key)) edits.push(...diffJson(old[key], value, [...path, key]));
    else edits.push({ path: [...path, key], value });
  }
  return edits;
}
