/**
 * A worker that does as a group's worker does, and as the flags say: they are shared with the test.
 * @module
 */
import type { FromWorker, ToWorker } from "../../src/server/workers.ts";

/** Flags by place. */
export const FLAG = {
  /** Set: worker 1 answers nothing any more. */
  silent: 0,
  /** How often worker 2 has said that it is alive. */
  alive: 1,
  /** What worker 2 was told last: 1 = not all listen, 2 = all do. */
  all: 2,
  /** Set: none can start. */
  broken: 3,
  /** Set: none stops yet. */
  held: 4,
  /** How many were told to stop. */
  stopping: 5,
} as const;

interface Scope {
  readonly name: string;
  onmessage: (event: MessageEvent<ToWorker<SharedArrayBuffer>>) => void;
  postMessage(message: FromWorker<string>): void;
}

const scope = self as unknown as Scope;
let flags = new Int32Array(new SharedArrayBuffer(24));

async function stop(): Promise<void> {
  Atomics.add(flags, FLAG.stopping, 1);
  while (Atomics.load(flags, FLAG.held) === 1) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  scope.postMessage({ told: "stopped" });
}

scope.onmessage = ({ data }) => {
  const isFirst = scope.name === "worker 1";
  if (data.tell === "start") {
    flags = new Int32Array(data.start);
    const isBroken = Atomics.load(flags, FLAG.broken) === 1;
    scope.postMessage(
      isBroken ? { told: "failed", message: "It is broken" } : {
        told: "listening",
        facts: scope.name,
      },
    );
  } else if (data.tell === "all_listening" && !isFirst) {
    Atomics.store(flags, FLAG.all, data.all ? 2 : 1);
  } else if (data.tell === "alive?" && !(isFirst && Atomics.load(flags, FLAG.silent) === 1)) {
    scope.postMessage({ told: "alive" });
    if (!isFirst) Atomics.add(flags, FLAG.alive, 1);
  } else if (data.tell === "stop") {
    void stop();
  }
};
