/**
 * A worker with a ledger of its own, whose store is down: it notes what it is told, and says when that is noted.
 * @module
 */
import { systemClock } from "../../src/clock.ts";
import { JournalLedger } from "../../src/ledger/journal_ledger.ts";
import type { Log } from "../../src/log.ts";
import { openMemoryStore } from "../../src/storage/memory.ts";
import { posting } from "./fixture.ts";

interface Scope {
  onmessage: (event: MessageEvent<{ path: string; ids: readonly string[] }>) => void;
  postMessage(message: unknown): void;
}

const log: Log = {
  debug: () => {},
  info: () => {},
  warning: () => {},
  error: () => {},
  with: () => log,
};

const scope = self as unknown as Scope;
scope.onmessage = async ({ data: { path, ids } }) => {
  const store = openMemoryStore({ clock: systemClock });
  await store.close();
  const ledger = await JournalLedger.open({ path, store, clock: systemClock, log });
  for (const id of ids) await ledger.post(posting(id));
  scope.postMessage("noted");
};
