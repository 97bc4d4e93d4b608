/**
 * Which keys a place in config.yaml may have: for hints.
 * @module
 */
import type { ConfigPath } from "./locate.ts";
import { configJsonSchema } from "./schema.ts";

interface SchemaNode {
  const?: unknown;
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

/**
 * The keys that the schema knows at `path`.
 *
 * @param use What `use` says there: of a map that has kinds, the other kinds' keys are left out
 */
export function knownKeys(path: ConfigPath, use?: unknown): string[] {
  let nodes = [configJsonSchema() as SchemaNode];
  for (const key of path) nodes = nodes.flatMap((node) => step(node, key));
  const isMeant = ({ properties }: SchemaNode) =>
    use === undefined || [undefined, use].includes(properties?.use?.const);
  const keys = nodes.flatMap(branches).filter(isMeant)
    .flatMap((node) => Object.keys(node.properties ?? {}));
  return [...new Set(keys)];
}
