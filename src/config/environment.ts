/**
 * `${NAME}` and `${NAME:-default}` in the strings of a YAML document.
 * @module
 */
import {
  type Document,
  isPair,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  type Scalar,
  visit,
} from "yaml";
import type { ConfigPath } from "./locate.ts";

/** Reads an environment variable. */
export type Env = (name: string) => string | undefined;

/** A variable that cannot be put in place. */
export interface VariableFault {
  /** The string that names it. */
  node: Scalar;
  /** The keys that lead to that string. */
  path: ConfigPath;
  /** What is wrong, and what to write. */
  message: string;
}

/** What substitution did. */
export interface Substitution {
  /** Scalars that were one variable and nothing else: their type is the schema's to choose. */
  whole: Set<Scalar>;
  /** Variables that are needed and not set, and `${` that opens none. */
  faults: VariableFault[];
}

const VARIABLE = /\$(\$\{)|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?/g;
const WHOLE = /^\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^}]*)?\}$/;

const MALFORMED =
  "this '${' begins no variable: write ${NAME} or ${NAME:-default}, or $${ for a literal ${";

function pathOf(ancestors: readonly (Document | Node | Pair)[], node: Scalar): ConfigPath {
  return ancestors.flatMap((ancestor, index): (string | number)[] => {
    if (isPair(ancestor)) return [String(ancestor.key)];
    return isSeq(ancestor) ? [ancestor.items.indexOf(ancestors[index + 1] ?? node)] : [];
  });
}

/**
 * Puts variables in place. `$${` stands for a literal `${`. A value that is one variable and comes out empty
 * becomes null: `profile: ${AWS_PROFILE:-}` is no profile.
 */
export function substitute(document: Document, env: Env): Substitution {
  const result: Substitution = { whole: new Set(), faults: [] };
  visit(document, {
    Scalar(key, node, ancestors) {
      if (key === "key" || typeof node.value !== "string" || !node.value.includes("${")) return;
      const source = node.value;
      const fault = (message: string) => {
        result.faults.push({ node, path: pathOf(ancestors, node), message });
        return "";
      };
      const text = source.replace(VARIABLE, (_, escaped, name, fallback) => {
        if (escaped !== undefined) return "${";
        if (name === undefined) return fault(MALFORMED);
        const value = env(name);
        if (value !== undefined && value !== "") return value;
        return fallback ?? fault(
          `environment variable ${name} is not set: set it, or give a default as \${${name}:-default}`,
        );
      });
      node.value = text;
      if (!isScalar(node) || !WHOLE.test(source)) return;
      if (text === "") node.value = null;
      else result.whole.add(node);
    },
  });
  return result;
}
