/**
 * A store as a plugin sees it: through a prefix of its own.
 * @module
 */
import type { Entry, ListOptions, PutOptions, Store, StoreKey, Version } from "./store.ts";

/** What a plugin's partitions begin with in the store. */
export function pluginPrefix(name: string): string {
  return `plugin.${name}/`;
}

/** A view of `store` in which every partition begins with the plugin's name. It cannot be closed. */
export function prefixedStore(store: Store, name: string): Store {
  const prefix = pluginPrefix(name);
  const inside = ([partition, sort]: StoreKey): StoreKey => {
    if (partition === "") throw new RangeError("Cannot use a key with an empty partition");
    return [prefix + partition, sort];
  };
  const outside = <T>(entry: Entry<T>): Entry<T> => ({
    ...entry,
    key: [entry.key[0].slice(prefix.length), entry.key[1]],
  });
  let closed = false;
  const open = () => {
    if (closed) throw new Error("Cannot use the store as it must be open: it is closed");
    return store;
  };
  return {
    batchLimits: store.batchLimits,
    async get<T>(key: StoreKey) {
      const entry = await open().get<T>(inside(key));
      return entry === undefined ? undefined : outside(entry);
    },
    put: async (key: StoreKey, value: unknown, options?: PutOptions) =>
      await open().put(inside(key), value, options),
    delete: async (key: StoreKey, when?: { version: Version }) =>
      await open().delete(inside(key), when),
    add: async (key, deltas, options) => await open().add(inside(key), deltas, options),
    apply: async (id, writes, options) =>
      await open().apply(
        prefix + id,
        writes.map((write) => ({ ...write, key: inside(write.key) })),
        options,
      ),
    async *list<T>(partition: string, options?: ListOptions) {
      for await (const entry of open().list<T>(inside([partition, "any"])[0], options)) {
        yield outside(entry);
      }
    },
    ping: async () => await open().ping(),
    close: () => {
      closed = true;
      return Promise.resolve();
    },
  };
}
