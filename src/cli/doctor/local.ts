/**
 * What `outcrop doctor` checks on this machine: store, journal, keys, port.
 * @module
 */
import { systemClock } from "../../clock.ts";
import type { Config, StoreConfig } from "../../config/schema.ts";
import { JournalFolder } from "../../ledger/folder.ts";
import { describeStore } from "../../storage/open.ts";
import type { Store, StoreKey } from "../../storage/store.ts";
import { openKeys } from "../gateway.ts";
import { listenFailure } from "../listen_failure.ts";
import { openConfiguredStore } from "../open_store.ts";
import { attempt, type Finding, messageOf } from "./finding.ts";

/** What is written to try a store is gone by itself, if we cannot remove it. */
const PROBE_LIFE_MS = 60_000;
const HEALTH_WITHIN_MS = 2_000;

/** Looks at the store by writing to it, and at the keys in it. */
export async function checkStore(config: Config): Promise<Finding[]> {
  let store: Store;
  try {
    store = await openConfiguredStore(config, systemClock);
  } catch (error) {
    return [{ check: "store", status: "failed", message: messageOf(error) }];
  }
  try {
    const found = await attempt("store", async () => {
      await writeAndRead(store);
      return `${describeStore(config.store)} is read and written`;
    });
    return found.status === "ok" ? [found, await checkKeys(store, config)] : [found];
  } finally {
    await store.close();
  }
}

async function writeAndRead(store: Store): Promise<void> {
  const key: StoreKey = ["doctor", crypto.randomUUID()];
  await store.put(key, { written: true }, { expiresAt: systemClock.now() + PROBE_LIFE_MS });
  const read = await store.get<{ written: boolean }>(key);
  await store.delete(key);
  if (read?.value.written !== true) {
    throw new Error("Cannot use the store as it must give back what is written: it does not");
  }
}

async function checkKeys(store: Store, { plugins, store: { use } }: Config): Promise<Finding> {
  if (!plugins.some(({ use: name }) => name === "auth")) {
    const message = "no auth plugin is listed: anybody who can reach the port is served; list it";
    return { check: "keys", status: "warning", message };
  }
  const found = await attempt("keys", async () => {
    const keys = await openKeys(store, { clock: systemClock, env: (name) => Deno.env.get(name) });
    return String(await keys.count());
  });
  if (found.status !== "ok") return found;
  if (found.message !== "0") return { ...found, message: `${found.message} in force` };
  const message = use === "memory"
    ? "none outlive the process with 'store: memory': set store.use to deno_kv or dynamodb"
    : "there are none yet: make one with 'outcrop keys create --name me'";
  return { check: "keys", status: "warning", message };
}

/** Looks at the folder of the journal; nothing where there is none. */
export async function checkJournal(store: StoreConfig): Promise<Finding[]> {
  if (store.use === "memory" || store.journal === null) return [];
  const { journal } = store;
  return [
    await attempt("journal", async () => {
      await (await JournalFolder.open(journal)).close();
      return `${journal} can be written`;
    }),
  ];
}

/** Looks whether the port can be had, or is a gateway's already. */
export function checkPort({ host, port }: Config["listen"]): Promise<Finding> {
  return attempt("port", async () => {
    if (port === 0) return "any free one is taken";
    try {
      Deno.listen({ hostname: host, port }).close();
    } catch (error) {
      if (error instanceof Deno.errors.AddrInUse && await servesHealth(host, port)) {
        return `a gateway serves on ${host}:${port} already`;
      }
      throw listenFailure(host, port, error);
    }
    return `${host}:${port} is free`;
  });
}

async function servesHealth(host: string, port: number): Promise<boolean> {
  const name = host === "0.0.0.0" || host === "::" ? "localhost" : host;
  const url = `http://${name.includes(":") ? `[${name}]` : name}:${port}/health`;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(HEALTH_WITHIN_MS) });
    return (await response.json() as { status?: unknown } | null)?.status === "ok";
  } catch {
    return false; // it is somebody else's, who speaks something else
  }
}
