/**
 * The sums of the plugin `usage`, as a store holds them.
 * @module
 */
import { prefixedStore } from "../../src/storage/prefixed.ts";
import type { Store } from "../../src/storage/store.ts";

/** Requests and tokens. */
export interface Summed {
  /** Requests, refused ones too. */
  requests: number;
  /** Tokens of input. */
  input: number;
  /** Tokens of output. */
  output: number;
}

/** Sums of some days (`2026-11-23`), by key, user and team in turn. */
export async function rollupsBy(
  store: Store,
  days: readonly string[],
): Promise<readonly ReadonlyMap<string, Summed>[]> {
  const scopes = [new Map<string, Summed>(), new Map<string, Summed>(), new Map<string, Summed>()];
  for (const day of days) {
    const entries = prefixedStore(store, "usage").list<Record<string, number>>(`rollup/${day}`);
    for await (const { key, value } of entries) {
      const [, ...names]: string[] = JSON.parse(key[1]); // hour, key, user, team, model
      for (const [at, scope] of scopes.entries()) {
        const name = names[at] ?? "";
        const sum = scope.get(name) ?? { requests: 0, input: 0, output: 0 };
        sum.requests += value.requests ?? 0;
        sum.input += value.input_tokens ?? 0;
        sum.output += value.output_tokens ?? 0;
        scope.set(name, sum);
      }
    }
  }
  return scopes;
}
