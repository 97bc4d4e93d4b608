/**
 * The settings of a built-in plugin, for commands that look at what it keeps.
 * @module
 */
import { z } from "zod";
import { builtins } from "../../plugins/mod.ts";
import type { LoadedConfig } from "../config/load.ts";
import { PluginPlace } from "../pipeline/place.ts";
import type { Plugin } from "../pipeline/plugin.ts";
import { checkSettings } from "../pipeline/settings.ts";

/** Whether config.yaml lists a plugin. */
export function isListed(name: string, { config }: LoadedConfig): boolean {
  return config.plugins.some(({ use }) => use === name);
}

/**
 * What its schema makes of a built-in plugin's settings; its defaults where it is not listed.
 *
 * @throws {ConfigError} With each fault and its place
 */
export async function builtinSettings(name: string, loaded: LoadedConfig): Promise<unknown> {
  const plugin = await builtins[name]?.({ define: (definition) => definition as Plugin, z });
  if (plugin === undefined) throw new RangeError(`Cannot find the built-in plugin '${name}'`);
  const position = loaded.config.plugins.findIndex(({ use }) => use === name);
  if (position < 0) return plugin.schema.parse({});
  const place = new PluginPlace(loaded, position);
  return checkSettings(plugin, loaded.config.plugins[position]?.with, place);
}
