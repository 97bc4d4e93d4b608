/**
 * Reloads the configuration of a running server: at SIGHUP, and when one of its files has changed.
 * @module
 */
import type { Clock } from "../clock.ts";
import { errorFields, type Log } from "../log.ts";

/** What watching needs. */
export interface WatchOptions {
  /** Files whose change is a change of the configuration; asked for anew each time. */
  files: () => readonly string[];
  /** Loads and takes the configuration; gives the parts that wait for a restart. */
  reload: () => Promise<readonly string[]>;
  /** Time. */
  clock: Clock;
  /** Where reloads are told. */
  log: Log;
}

/** How often files are looked at. */
const LOOK_MS = 1_000;

/** The times of the files, as one text; a file that is not there is a state like any other. */
async function stateOf(files: readonly string[]): Promise<string> {
  const states = await Promise.all(files.map(async (file) => {
    try {
      const { mtime, size } = await Deno.stat(file);
      return `${file} ${mtime?.getTime()} ${size}`;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return `${file} gone`;
      throw error;
    }
  }));
  return states.join("\n");
}

/** Watches until the function it returns is called. */
export async function watchConfig(options: WatchOptions): Promise<() => void> {
  const { clock, log } = options;
  let seen = await stateOf(options.files());
  let running = Promise.resolve();
  let cancel = () => {};
  const reload = async () => {
    try {
      const waiting = await options.reload();
      log.info("Took the changed configuration");
      if (waiting.length > 0) {
        log.warning("What changed in {parts} is taken at the next start", { parts: waiting });
      }
    } catch (error) {
      log.error("The changed configuration cannot be used: the old one goes on", {
        cause: errorFields(error),
      });
    }
  };
  const queue = () => void (running = running.then(reload));
  const look = async () => {
    const state = await stateOf(options.files()).catch(() => seen);
    if (state !== seen) queue();
    seen = state;
    cancel = clock.after(LOOK_MS, () => void look());
  };
  cancel = clock.after(LOOK_MS, () => void look());
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? [] : ["SIGHUP"];
  for (const signal of signals) Deno.addSignalListener(signal, queue);
  return () => {
    cancel();
    for (const signal of signals) Deno.removeSignalListener(signal, queue);
  };
}
