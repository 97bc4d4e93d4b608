/**
 * Which keys a place in config.yaml may have: for hints.
 * @module
 */
import type { ConfigPath } from "./locate.ts";
import { configJsonSchema } from "./schema.ts";

interface SchemaNode {
  properties?: Record<string, SchemaNode>;
  additionalProperties?: SchemaNode | boolean;
  items?: SchemaNode;
  anyOf?: SchemaNode[];
  oneOf?: SchemaNode[];
}

function branches(node: SchemaNode): SchemaNode[] {
  const inner = [...node.anyOf ?? [], ...node.oneOf ?? []].flatMap(branches);
  return [node, ...inner];
}

function step(node: SchemaNode, key: string | number): SchemaNode[] {
  return branches(node).flatMap((branch) => {
    const child = typeof key === "number"
      ? branch.items
      : branch.properties?.[key] ?? branch.additionalProperties;
    return typeof child === "object" ? [child] : [];
  });
}

/** The keys that the schema knows at `path`. */
export function knownKeys(path: ConfigPath): string[] {
  let nodes = [configJsonSchema() as SchemaNode];
  for (const key of path) nodes = nodes.flatMap((node) => step(node, key));
  const keys = nodes.flatMap(branches).flatMap((node) => Object.keys(node.properties ?? {}));
  return [...new Set(keys)];
}
