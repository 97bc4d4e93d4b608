/**
 * Where a plugin's entry stands in config.yaml.
 * @module
 */
import { ConfigError, type LoadedConfig } from "../config/load.ts";

/** One entry of the list of plugins. */
export class PluginPlace {
  /** `position` counts from 0. */
  constructor(readonly loaded: LoadedConfig, readonly position: number) {}

  /** An error at a key of the entry. */
  error(
    message: string,
    path: readonly (string | number)[] = ["use"],
    cause?: unknown,
  ): ConfigError {
    const full = ["plugins", this.position, ...path];
    const { line, column } = this.loaded.locate(full);
    const issue = { file: this.loaded.file, line, column, path: full.join("."), message };
    return new ConfigError([issue], { cause });
  }
}
