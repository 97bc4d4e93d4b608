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

/** Globs that were asked for of late, made ready. */
const ready = new Map<string, Glob>();
const MOST_READY = 1_000;

/** Whether a name matches one of some globs. */
export function matchesGlob(globs: readonly string[], name: string): boolean {
  return globs.some((source) => {
    let glob = ready.get(source);
    if (glob === undefined) {
      if (ready.size >= MOST_READY) ready.clear();
      ready.set(source, glob = compileGlob(source));
    }
    return glob.matches(name);
  });
}

/** Makes a glob ready. */
export function compileGlob(source: string): Glob {
  const parts = source.split("*");
  return {
    source,
    literals: source.length - (parts.length - 1),
    matches: (name) => matchesParts(parts, name),
  };
}

/** Each part at the first place behind the one before: one pass, where a regular expression may try every place. */
function matchesParts(parts: readonly string[], name: string): boolean {
  const [first = "", ...others] = parts;
  const last = others.pop();
  if (last === undefined) return name === first;
  if (!name.startsWith(first)) return false;
  let at = first.length;
  for (const part of others) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}
