/**
 * The pipeline as people see it: in `outcrop check` and `outcrop plugin list`.
 * @module
 */
import { systemClock } from "../clock.ts";
import type { LoadedConfig } from "../config/load.ts";
import { openLog } from "../log.ts";
import type { LoadedPlugin } from "../pipeline/guard.ts";
import type { Services } from "../server/services.ts";
import { openMemoryStore } from "../storage/memory.ts";
import { openGateway } from "./gateway.ts";
import type { Row } from "./terminal.ts";

/**
 * Sets a configuration up, shows it, and closes it: against a store in memory, as a look must not make the real
 * one, nor wait for it.
 *
 * @throws {ConfigError} If a plugin cannot be loaded
 */
export async function withServices(
  loaded: LoadedConfig,
  show: (services: Services) => void,
): Promise<void> {
  const log = openLog({ level: "warning", format: "text" });
  const store = openMemoryStore({ clock: systemClock });
  const gateway = await openGateway({ loaded, log, store });
  try {
    show(gateway.services);
  } finally {
    await gateway.close();
    await store.close();
  }
}

/** One plugin of the pipeline. */
export interface PipelineEntry {
  /** Its name. */
  readonly plugin: string;
  /** `built in`, or the file as config.yaml names it. */
  readonly from: string;
  /** Its hooks. */
  readonly hooks: readonly string[];
  /** What a failing hook does to its request. */
  readonly on_error: "reject" | "continue";
  /** Deadline of each hook, in milliseconds. */
  readonly timeout_ms: number;
  /** Whether the last bytes of an answer wait for its `onComplete`. */
  readonly holds_reply: boolean;
  /** Whether answers are collected for its `onComplete`. */
  readonly collects_message: boolean;
}

/** The pipeline of a configuration, in list order. */
export function pipelineOf(
  { config, plugins }: Services,
  { base }: LoadedConfig,
): readonly PipelineEntry[] {
  return plugins.map((plugin, position) => ({
    plugin: plugin.name,
    from: originOf(config.plugins[position]?.use ?? "", plugin.name, base),
    hooks: hooksOf(plugin),
    on_error: plugin.closed ? "reject" : "continue",
    timeout_ms: plugin.timeoutMs,
    holds_reply: plugin.holdsReply,
    collects_message: plugin.collectMessage,
  }));
}

function originOf(use: string, name: string, base: string): string {
  if (use === name) return "built in";
  return use.startsWith(`${base}/`) ? `.${use.slice(base.length)}` : use;
}

function hooksOf({ hooks }: LoadedPlugin): string[] {
  return Object.entries(hooks).filter(([, hook]) => hook !== undefined).map(([name]) => name);
}

const IN_ORDER = ["onRequest", "onCall", "onComplete"] as const;

/**
 * A row for each plugin; under each hook, the place at which it runs: events pass in reverse, and `onComplete` of
 * all runs at once.
 */
export function pipelineRows(entries: readonly PipelineEntry[]): Row[] {
  const placesOf = (hook: string, all: readonly PipelineEntry[]) =>
    all.filter(({ hooks }) => hooks.includes(hook)).map(({ plugin }) => plugin);
  const order = new Map<string, readonly string[]>(
    IN_ORDER.map((hook) => [hook, placesOf(hook, entries)]),
  );
  order.set("onEvent", placesOf("onEvent", entries.toReversed()));
  const place = (hook: string, { plugin }: PipelineEntry) => {
    const at = order.get(hook)?.indexOf(plugin) ?? -1;
    if (at < 0) return "";
    return hook === "onComplete" ? "yes" : String(at + 1);
  };
  return entries.map((entry) => ({
    plugin: entry.plugin,
    from: entry.from,
    onRequest: place("onRequest", entry),
    onCall: place("onCall", entry),
    onEvent: place("onEvent", entry),
    onComplete: place("onComplete", entry),
    "on error": entry.on_error,
    timeout: `${entry.timeout_ms} ms`,
  }));
}
