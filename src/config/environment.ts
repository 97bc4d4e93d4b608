/**
 * `${NAME}` and `${NAME:-default}` in the strings of a YAML document.
 * @module
 */
import { type Document, isScalar, type Scalar, visit } from "yaml";

/** Reads an environment variable. */
export type Env = (name: string) => string | undefined;

/** A variable that is needed and not set. */
export interface MissingVariable {
  /** Its name. */
  name: string;
  /** Offset of the string that names it. */
  offset: number;
}

/** What substitution did. */
export interface Substitution {
  /** Scalars that were one variable and nothing else: their type is the schema's to choose. */
  whole: Set<Scalar>;
  /** Variables that are needed and not set. */
  missing: MissingVariable[];
}

const VARIABLE = /\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;
const WHOLE = /^\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^}]*)?\}$/;

/**
 * Puts variables in place. `$${` stands for a literal `${`. A value that is one variable and comes out empty
 * becomes null: `profile: ${AWS_PROFILE:-}` is no profile.
 */
export function substitute(document: Document, env: Env): Substitution {
  const result: Substitution = { whole: new Set(), missing: [] };
  visit(document, {
    Scalar(key, node) {
      if (key === "key" || typeof node.value !== "string" || !node.value.includes("${")) return;
      const source = node.value;
      const text = source.replace(VARIABLE, (_, escaped, name, fallback) => {
        if (escaped !== undefined) return "${";
        const value = env(name);
        if (value !== undefined && value !== "") return value;
        if (fallback === undefined) {
          result.missing.push({ name, offset: node.range?.[0] ?? 0 });
        }
        return fallback ?? "";
      });
      node.value = text;
      if (!isScalar(node) || !WHOLE.test(source)) return;
      if (text === "") node.value = null;
      else result.whole.add(node);
    },
  });
  return result;
}
