/**
 * Where in a YAML text a path of keys stands.
 * @module
 */
import {
  type Document,
  isCollection,
  isMap,
  isNode,
  isPair,
  type LineCounter,
  type Node,
} from "yaml";

/** A path from the top: keys of maps, indexes of lists. */
export type ConfigPath = readonly (string | number)[];

/** A place in a text; both count from 1. */
export interface Place {
  /** Line. */
  line: number;
  /** Column. */
  column: number;
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}

/** The key's node of the last step, where that step is a key. */
function keyNode(parent: Node | null | undefined, key: string | number): unknown {
  if (!isMap(parent)) return undefined;
  const pair = parent.items.find((item) => isPair(item) && String(item.key) === String(key));
  return pair?.key;
}

/**
 * The place of `path`: of its key if it has one, else of its value; of the nearest parent that is there when
 * the path itself is not.
 */
export function locate(document: Document, lines: LineCounter, path: ConfigPath): Place {
  for (let length = path.length; length > 0; length--) {
    const parentPath = path.slice(0, length - 1);
    const last = path[length - 1] as string | number;
    const parent = parentPath.length === 0 ? document.contents : document.getIn(parentPath, true);
    const key = isNode(parent) ? keyNode(parent, last) : undefined;
    const node = isCollection(parent) ? parent.get(last, true) : undefined;
    const at = startOf(key) ?? startOf(node);
    if (at !== undefined) return placeOf(lines, at);
  }
  return placeOf(lines, startOf(document.contents) ?? 0);
}

/** Line and column of an offset. */
export function placeOf(lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}
