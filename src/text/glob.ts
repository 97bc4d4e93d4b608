/**
 * Names with `*` in them.
 * @module
 */

/** A glob made ready: `*` stands for any text, everything else for itself. */
export interface Glob {
  /** The glob as written. */
  readonly source: string;
  /** Characters that are not `*`: of two globs that match, the one with more is the more specific. */
  readonly literals: number;
  /** Whether the whole of `name` matches. */
  matches(name: string): boolean;
}

/** Makes a glob ready. */
export function compileGlob(source: string): Glob {
  const parts = source.split("*");
  const pattern = parts.map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join(".*");
  const regExp = new RegExp(`^${pattern}$`, "s");
  return {
    source,
    literals: source.length - (parts.length - 1),
    matches: (name) => regExp.test(name),
  };
}
