/**
 * Loads the plugins of config.yaml, in list order. Whatever is wrong with one stops the start, with the place
 * in the file: a plugin is never left out with a warning.
 *
 * The compiled binary transpiles a plugin file without checking its types, so their shape is checked here.
 * @module
 */
import { z } from "zod";
import type { Clock } from "../clock.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { PluginEntry } from "../config/schema.ts";
import type { Log } from "../log.ts";
import { type Ledger, prefixedLedger } from "../ledger/ledger.ts";
import type { Sharing } from "../sharing/shared.ts";
import { pluginPrefix, prefixedStore } from "../storage/prefixed.ts";
import type { Store } from "../storage/store.ts";
import { matchesGlob } from "../text/glob.ts";
import { nearest } from "../text/nearest.ts";
import type { LoadedPlugin } from "./guard.ts";
import { PluginPlace } from "./place.ts";
import type { Hooks, KeyDirectory, Plugin, PluginDefinition, PluginFactory } from "./plugin.ts";
import { checkSettings } from "./settings.ts";

/** What loading needs. */
export interface LoadPluginsOptions {
  /** The configuration, with the places of its keys. */
  loaded: LoadedConfig;
  /** Built-in plugins by name. */
  builtins: Readonly<Record<string, PluginFactory>>;
  /** The store; each plugin sees it through a prefix of its own. */
  store: Store;
  /** Takes what must not be lost; each plugin sees it through the same prefix. */
  ledger: Ledger;
  /** What plugins share with themselves in other replicas. */
  sharing: Sharing;
  /** API keys. */
  keys: KeyDirectory;
  /** The log; each plugin's lines name it. */
  log: Log;
  /** Time. */
  clock: Clock;
  /** What plugins keep in memory over a reload, by their names. */
  memory: Map<string, Map<string, unknown>>;
}

const HOOKS: ReadonlySet<string> = new Set<keyof Hooks>([
  "onRequest",
  "onCall",
  "onEvent",
  "onComplete",
  "close",
]);
const DEFINITION: ReadonlySet<string> = new Set<keyof PluginDefinition>([
  "name",
  "schema",
  "failure",
  "timeoutMs",
  "requires",
  "collectMessage",
  "holdsReply",
  "setup",
]);
const FAILURES: ReadonlySet<unknown> = new Set(["closed", "open", "sealed"]);
const DEFAULT_TIMEOUT_MS = 2_000;
const NAME = /^[a-z][a-z0-9_]{0,63}$/;

/** A generator or an async function gives a promise or an iterator where an event is expected. */
const NOT_SYNC: ReadonlySet<string> = new Set([
  "AsyncFunction",
  "GeneratorFunction",
  "AsyncGeneratorFunction",
]);

function hint(name: string, known: Iterable<string>): string {
  const [near] = nearest(name, [...known]);
  return near === undefined ? "" : `: did you mean '${near}'?`;
}

/** Tells a path from the name of a built-in. */
function isPath(use: string): boolean {
  return use.startsWith(".") || use.startsWith("/") || use.startsWith("file:") ||
    use.includes("\\");
}

async function importFactory(
  use: string,
  options: LoadPluginsOptions,
  place: PluginPlace,
): Promise<unknown> {
  if (!isPath(use)) {
    const factory = options.builtins[use];
    if (factory !== undefined) return factory;
    const names = Object.keys(options.builtins);
    throw place.error(
      `unknown plugin '${use}'${hint(use, names)} Built in: ${names.join(", ")}; ` +
        "a file of your own is named by its path, e.g. ./plugins/my_policy.ts",
    );
  }
  const base = `file://${options.loaded.base}/`;
  const url = new URL(use, base);
  try {
    const module: { default?: unknown } = await import(url.href);
    return module.default;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw place.error(`Cannot load ${decodeURI(url.pathname)}: ${reason}`, ["use"], error);
  }
}

function checkDefinition(made: unknown, place: PluginPlace): Plugin {
  if (typeof made !== "object" || made === null) {
    throw place.error(
      "the plugin's factory must return what define() returns: it returned no object",
    );
  }
  for (const member of Object.keys(made)) {
    if (!DEFINITION.has(member)) {
      throw place.error(`the plugin has an unknown member '${member}'${hint(member, DEFINITION)}`);
    }
  }
  const plugin = made as Partial<Plugin>;
  if (typeof plugin.name !== "string" || !NAME.test(plugin.name)) {
    throw place.error(
      `the plugin's name must be lower-case letters, digits and _: it is ${
        JSON.stringify(plugin.name)
      }`,
    );
  }
  if (typeof plugin.schema?.safeParse !== "function") {
    throw place.error(`plugin ${plugin.name} must have a zod schema for its settings: it has none`);
  }
  if (typeof plugin.setup !== "function") {
    throw place.error(`plugin ${plugin.name} must have setup(settings, host): it has none`);
  }
  if (plugin.failure !== undefined && !FAILURES.has(plugin.failure)) {
    throw place.error(`plugin ${plugin.name}: failure must be one of ${[...FAILURES].join(", ")}`);
  }
  return plugin as Plugin;
}

function checkHooks(hooks: unknown, plugin: Plugin, place: PluginPlace): Hooks {
  if (typeof hooks !== "object" || hooks === null) {
    throw place.error(
      `plugin ${plugin.name}: setup must return an object of hooks: it returned ${typeof hooks}`,
    );
  }
  for (const [name, hook] of Object.entries(hooks)) {
    if (!HOOKS.has(name)) {
      throw place.error(`plugin ${plugin.name} has an unknown hook '${name}'${hint(name, HOOKS)}`);
    }
    if (hook !== undefined && typeof hook !== "function") {
      throw place.error(
        `plugin ${plugin.name}: hook ${name} must be a function: it is ${typeof hook}`,
      );
    }
  }
  const { onEvent } = hooks as Hooks;
  if (onEvent !== undefined && NOT_SYNC.has(onEvent.constructor.name)) {
    throw place.error(
      `plugin ${plugin.name}: onEvent must be a plain function: it is async or a generator`,
    );
  }
  return hooks as Hooks;
}

function checkRequires(plugin: Plugin, before: readonly LoadedPlugin[], place: PluginPlace): void {
  if (before.some(({ name }) => name === plugin.name)) {
    throw place.error(`plugin ${plugin.name} stands in the list twice: keep one`);
  }
  for (const required of plugin.requires ?? []) {
    if (before.some(({ name }) => name === required)) continue;
    throw place.error(
      `plugin ${plugin.name} needs '${required}' before it in the list: put it there`,
    );
  }
}

async function loadPlugin(
  entry: PluginEntry,
  before: readonly LoadedPlugin[],
  place: PluginPlace,
  options: LoadPluginsOptions,
): Promise<LoadedPlugin> {
  const factory = await importFactory(entry.use, options, place);
  if (typeof factory !== "function") {
    throw place.error(
      `${entry.use} must have a plugin factory as its default export: it has ${typeof factory}`,
    );
  }
  const made: unknown = await factory({ define: (definition: Plugin) => definition, z });
  const plugin = checkDefinition(made, place);
  checkRequires(plugin, before, place);
  if (plugin.failure === "sealed" && entry.on_error === "continue") {
    throw place.error(
      `plugin ${plugin.name} says who comes in, and cannot be left out where it fails: remove on_error`,
      ["on_error"],
    );
  }
  const settings = checkSettings(plugin, entry.with, place);
  const log = options.log.with({ plugin: plugin.name });
  const hooks = await setUp(plugin, settings, { place, log, options });
  return {
    name: plugin.name,
    hooks: checkHooks(hooks, plugin, place),
    closed: (entry.on_error ?? (plugin.failure === "open" ? "continue" : "reject")) === "reject",
    timeoutMs: entry.timeout_ms ?? plugin.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    collectMessage: plugin.collectMessage ?? false,
    holdsReply: plugin.holdsReply ?? false,
    log,
  };
}

function memoryOf(
  name: string,
  memory: LoadPluginsOptions["memory"],
): Map<string, unknown> {
  const kept = memory.get(name) ?? new Map<string, unknown>();
  memory.set(name, kept);
  return kept;
}

async function setUp(
  plugin: Plugin,
  settings: unknown,
  { place, log, options }: { place: PluginPlace; log: Log; options: LoadPluginsOptions },
): Promise<unknown> {
  try {
    return await plugin.setup(settings, {
      name: plugin.name,
      store: prefixedStore(options.store, plugin.name),
      ledger: prefixedLedger(options.ledger, pluginPrefix(plugin.name)),
      shared: options.sharing.of(plugin.name),
      keys: options.keys,
      log,
      clock: options.clock,
      matchesGlob,
      memory: memoryOf(plugin.name, options.memory),
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw place.error(`plugin ${plugin.name} refused to start: ${reason}`, ["use"], error);
  }
}

/**
 * Loads and sets up every plugin, in list order.
 *
 * @throws {ConfigError} That names the place in the file and what to do
 */
export async function loadPlugins(options: LoadPluginsOptions): Promise<readonly LoadedPlugin[]> {
  const plugins: LoadedPlugin[] = [];
  try {
    for (const [position, entry] of options.loaded.config.plugins.entries()) {
      const place = new PluginPlace(options.loaded, position);
      plugins.push(await loadPlugin(entry, plugins, place, options));
    }
  } catch (error) {
    await closePlugins(plugins);
    throw error;
  }
  return plugins;
}

/** Closes plugins in reverse list order; a failing `close` is logged and stops nobody else's. */
export async function closePlugins(plugins: readonly LoadedPlugin[]): Promise<void> {
  for (const plugin of plugins.toReversed()) {
    try {
      await plugin.hooks.close?.();
    } catch (error) {
      plugin.log.error("Plugin {plugin} failed to close", {
        plugin: plugin.name,
        cause: String(error),
      });
    }
  }
}
