/**
 * One of several workers of `outcrop serve`: what a Deno Worker runs. It does as it is told by messages.
 * @module
 */
import { FaultCounts } from "../server/fault_counts.ts";
import type { FromWorker, ToWorker } from "../server/workers.ts";
import { loadConfigOption } from "./config_option.ts";
import { type Listen, openServing, type Serving, type StartFacts } from "./serving.ts";

/** What a worker is started with. */
export interface WorkerStart {
  /** Path of the configuration file. */
  readonly config: string;
  /** Where to listen. */
  readonly listen: Listen;
  /** Where ended requests are counted, with the other workers. */
  readonly counts: SharedArrayBuffer;
}

function tell(message: FromWorker<StartFacts>): void {
  // The type of a worker's own scope is not among those of the main thread, which check this file.
  (globalThis as unknown as { postMessage(message: unknown): void }).postMessage(message);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Serves as it is told. */
class ServeWorker {
  #serving: Serving | undefined;
  #allListen = false;

  async take(message: ToWorker<WorkerStart>): Promise<void> {
    switch (message.tell) {
      case "start":
        return await this.#start(message.start);
      case "all_listening":
        this.#allListen = message.all;
        return;
      case "alive?":
        return tell({ told: "alive" });
      case "reload":
        return await this.#reload();
      case "stop":
        await this.#serving?.stop();
        return tell({ told: "stopped" });
    }
  }

  async #start({ config, listen, counts }: WorkerStart): Promise<void> {
    try {
      this.#serving = await openServing({
        config,
        loaded: await loadConfigOption({ config }),
        listen,
        counts: new FaultCounts(counts),
        waitsFor: () => this.#allListen ? undefined : "a worker does not listen yet",
      });
      tell({ told: "listening", facts: this.#serving.facts });
    } catch (error) {
      tell({ told: "failed", message: messageOf(error) });
    }
  }

  async #reload(): Promise<void> {
    try {
      tell({ told: "reloaded", waiting: await this.#serving?.reload() ?? [] });
    } catch (error) {
      tell({ told: "not_reloaded", message: messageOf(error) });
    }
  }
}

// Only where it runs as a worker, of which it is the main module: others import its types.
if (import.meta.main) {
  const worker = new ServeWorker();
  globalThis.addEventListener("message", (event) => {
    void worker.take((event as MessageEvent<ToWorker<WorkerStart>>).data);
  });
}
