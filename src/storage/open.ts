/**
 * Opens the store that the configuration names.
 * @module
 */
import type { Clock } from "../clock.ts";
import { openDenoKvStore } from "./deno_kv.ts";
import { openMemoryStore } from "./memory.ts";
import type { Store } from "./store.ts";

/** Which store. */
export type StoreChoice =
  | { readonly use: "memory" }
  | { readonly use: "deno_kv"; readonly path: string };

/**
 * Opens it.
 *
 * @throws {Error} That says what to do, if it cannot be opened
 */
export async function openStore(choice: StoreChoice, { clock }: { clock: Clock }): Promise<Store> {
  switch (choice.use) {
    case "memory":
      return openMemoryStore({ clock });
    case "deno_kv":
      return await openDenoKvStore({ path: choice.path, clock });
  }
}

/** The store in a word or two, e.g. `deno_kv /srv/outcrop.db`. */
export function describeStore(choice: StoreChoice): string {
  return choice.use === "memory" ? "memory (gone at exit)" : `${choice.use} ${choice.path}`;
}
