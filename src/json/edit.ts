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
  readonly splices: Splice[] = [];
  readonly #source: Uint8Array;

  constructor(source: Uint8Array) {
    this.#source = source;
  }

  /** Edits below the object or list at `at`. */
  descend(at: number, node: Node): void {
    const members = membersOf(this.#source, at);
    const last = lastOfEachName(members);
    const removed = members.map((member) => {
      const edit = node.below.get(member.key)?.edit;
      // Of members that share a name only the last counts (JSON.parse) and was checked: who reads on may take another.
      return (last !== undefined && last.get(member.key) !== member) ||
        (edit !== undefined && "remove" in edit);
    });
    this.#remove(at, members, removed);
    const added = new Map(node.below);
    members.forEach((member, index) => {
      const child = node.below.get(member.key);
      added.delete(member.key);
      if (child === undefined || removed[index]) return;
      if (child.edit !== undefined && "value" in child.edit) {
        this.#replace(member, child.edit.value);
      } else this.descend(member.valueStart, child);
    });
    const additions = [...added].flatMap(([key, { edit }]) =>
      edit !== undefined && "value" in edit ? [[key, edit.value] as const] : []
    );
    if (additions.length > 0) this.#add(at, additions, removed.includes(false));
  }

  #replace({ valueStart, end }: Member, value: unknown): void {
    this.splices.push({ from: valueStart, to: end, bytes: encode(value) });
  }

  /** Removes members with the comma that goes with them: the one before, or, for the first ones, the one behind. */
  #remove(at: number, members: readonly Member[], removed: readonly boolean[]): void {
    const firstKept = removed.indexOf(false);
    for (const [index, member] of members.entries()) {
      if (!removed[index]) continue;
      const before = members[index - 1];
      const after = members[index + 1];
      const leading = firstKept < 0 || index < firstKept;
      const from = leading ? member.start : before?.end ?? at + 1;
      const to = leading ? after?.start ?? member.end : member.end;
      this.splices.push({ from, to, bytes: NOTHING });
    }
  }

  /** Adds at the front: the place is known without a look at the object's end. */
  #add(
    at: number,
    additions: readonly (readonly [string | number, unknown])[],
    followed: boolean,
  ): void {
    const text = additions.map(([key, value]) =>
      `${JSON.stringify(String(key))}:${JSON.stringify(value) ?? "null"}`
    );
    const place = skipSpace(this.#source, at) + 1;
    this.splices.push({
      from: place,
      to: place,
      bytes: encoder.encode(text.join(",") + (followed ? "," : "")),
    });
  }
}

/** The members that count; undefined if all do, as in a list. */
function lastOfEachName(
  members: readonly Member[],
): ReadonlyMap<string | number, Member> | undefined {
  if (typeof members[0]?.key !== "string") return undefined;
  const last = new Map(members.map((member) => [member.key, member]));
  return last.size === members.length ? undefined : last;
}

/**
 * Applies edits to JSON in UTF-8, which must be valid. Bytes outside the edits stay as they are, but for members
 * whose name stands again behind them, in the objects that an edit lies in.
 */
export function editJson(source: Uint8Array, edits: readonly JsonEdit[]): Uint8Array<ArrayBuffer> {
  const editor = new Editor(source);
  const start = source[0] === 0xef ? 3 : 0; // a byte order mark
  editor.descend(skipSpace(source, start), treeOf(edits));
  const splices = editor.splices.sort((a, b) => a.from - b.from || a.to - b.to);
  const size = splices.reduce(
    (sum, { from, to, bytes }) => sum + bytes.byteLength - (to - from),
    source.byteLength,
  );
  const result = new Uint8Array(size);
  let at = 0;
  let read = 0;
  for (const { from, to, bytes } of splices) {
    result.set(source.subarray(read, from), at);
    at += from - read;
    result.set(bytes, at);
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
