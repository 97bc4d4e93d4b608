/**
 * Checks what stands under a plugin's `with:` by the plugin's own schema.
 * @module
 */
import type { z } from "zod";
import { ConfigError } from "../config/load.ts";
import type { PluginPlace } from "./place.ts";
import type { Plugin } from "./plugin.ts";

function settingsPath(issue: { path: readonly PropertyKey[] }): (string | number)[] {
  return issue.path.map((key) => typeof key === "symbol" ? String(key) : key);
}

/** A copy in which variables have the types that they spell, where the schema wanted another than text. */
function withTypedVariables(
  settings: unknown,
  issues: readonly z.core.$ZodIssue[],
  place: PluginPlace,
): unknown {
  const copy: unknown = structuredClone(settings);
  for (const issue of issues) {
    const path = settingsPath(issue);
    const typed = place.loaded.typed(["plugins", place.position, "with", ...path]);
    const last = path.pop();
    const parent = path.reduce<unknown>(
      (value, key) => (value as Record<string, unknown> | undefined)?.[key],
      copy,
    );
    if (
      typed === undefined || last === undefined || typeof parent !== "object" || parent === null
    ) continue;
    (parent as Record<string, unknown>)[last] = typed;
  }
  return copy;
}

/**
 * The settings as the schema gives them.
 *
 * @throws {ConfigError} With each fault and its place
 */
export function checkSettings(plugin: Plugin, settings: unknown, place: PluginPlace): unknown {
  const first = plugin.schema.safeParse(settings ?? {});
  if (first.success) return first.data;
  const typed = withTypedVariables(settings ?? {}, first.error.issues, place);
  const parsed = plugin.schema.safeParse(typed);
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.flatMap((issue) => {
    const path = ["with", ...settingsPath(issue)];
    if (issue.code !== "unrecognized_keys") return [place.error(issue.message, path)];
    return issue.keys.map((key) => place.error(issue.message, [...path, key]));
  });
  throw new ConfigError(errors.flatMap((error) => error.issues));
}
