/**
 * What a caller's own entries must hold: a plain map, call by call.
 * @module
 */
import assert from "node:assert/strict";
import type { ListOptions, Store, StoreKey, Version } from "../../../src/storage/store.ts";
import type { FakeClock } from "../../fake_clock.ts";
import type { OwnCall } from "./program.ts";

interface Kept {
  readonly value: number | { readonly n: number };
  readonly expiresAt: number | undefined;
  readonly version: Version | undefined;
}

/** A version that no entry has any more. */
const OLD = "0";
const bytes = (text: string) => new TextEncoder().encode(text);

/** By UTF-8 bytes, told from the bytes themselves. */
function inOrder(a: string, b: string): number {
  const [left, right] = [bytes(a), bytes(b)];
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** The entries of one caller. */
export class OwnEntries {
  readonly #store: Store;
  readonly #clock: FakeClock;
  readonly #partition: string;
  readonly #kept = new Map<string, Kept>();

  /** In a partition of their own. */
  constructor(store: Store, clock: FakeClock, partition: string) {
    this.#store = store;
    this.#clock = clock;
    this.#partition = partition;
  }

  /** Makes the call, and compares. */
  async call(call: OwnCall): Promise<void> {
    if (call.kind === "list") return await this.#list(call);
    const key: StoreKey = [this.#partition, call.sort];
    const kept = this.#live(call.sort);
    const expiresAt = "life" in call && call.life !== undefined
      ? this.#clock.now() + call.life
      : undefined;
    const life = expiresAt === undefined ? {} : { expiresAt };
    if (call.kind === "get") {
      const entry = await this.#store.get(key);
      assert.deepEqual(entry?.value, kept?.value);
      assert.equal(entry?.expiresAt, kept?.expiresAt);
      if (kept?.version !== undefined) assert.equal(entry?.version, kept.version);
      if (kept !== undefined) this.#kept.set(call.sort, { ...kept, version: entry?.version });
    } else if (call.kind === "put") {
      const version = await this.#store.put(key, call.n, life);
      assert.ok(version !== undefined && version !== kept?.version);
      this.#kept.set(call.sort, { value: call.n, expiresAt, version });
    } else if (call.kind === "put absent") {
      const version = await this.#store.put(key, call.n, { when: "absent" });
      assert.equal(version === undefined, kept !== undefined);
      if (kept === undefined) {
        this.#kept.set(call.sort, { value: call.n, expiresAt: undefined, version });
      }
    } else if (call.kind === "put version") {
      const held = call.old ? OLD : await this.#version(call.sort);
      const version = await this.#store.put(key, call.n, { when: { version: held } });
      assert.equal(version !== undefined, kept !== undefined && !call.old);
      if (version !== undefined) {
        this.#kept.set(call.sort, { value: call.n, expiresAt: undefined, version });
      }
    } else if (call.kind === "delete") {
      const version = call.version === "this" ? await this.#version(call.sort) : OLD;
      const done = call.version === "any"
        ? await this.#store.delete(key)
        : await this.#store.delete(key, { version });
      assert.equal(done, kept !== undefined && call.version !== "old");
      if (done) this.#kept.delete(call.sort);
    } else await this.#add(call, kept, life);
  }

  /** Compares all there is. */
  async check(): Promise<void> {
    await this.#list({ kind: "list", reverse: false });
  }

  async #add(
    { sort, n }: OwnCall & { kind: "add" },
    kept: Kept | undefined,
    life: { expiresAt?: number },
  ): Promise<void> {
    const key: StoreKey = [this.#partition, sort];
    if (typeof kept?.value === "number") {
      await assert.rejects(this.#store.add(key, { n }, life), TypeError);
      return;
    }
    const value = { n: (kept?.value.n ?? 0) + n };
    assert.deepEqual(await this.#store.add(key, { n }, life), value);
    const expiresAt = kept === undefined ? life.expiresAt : kept.expiresAt;
    this.#kept.set(sort, { value, expiresAt, version: undefined });
  }

  async #list({ kind: _, ...options }: OwnCall & { kind: "list" }): Promise<void> {
    const found: [string, unknown][] = [];
    for await (const { key, value } of this.#store.list(this.#partition, options)) {
      found.push([key[1], value]);
    }
    assert.deepEqual(found, this.#wanted(options));
  }

  #wanted({ from, to, prefix, limit, reverse }: ListOptions): [string, unknown][] {
    const sorts = [...this.#kept.keys()].filter((sort) =>
      this.#live(sort) !== undefined && sort.startsWith(prefix ?? "") &&
      (from === undefined || inOrder(sort, from) >= 0) &&
      (to === undefined || inOrder(sort, to) < 0)
    ).sort(inOrder);
    if (reverse) sorts.reverse();
    return sorts.slice(0, limit).map((sort) => [sort, this.#kept.get(sort)?.value]);
  }

  #live(sort: string): Kept | undefined {
    const kept = this.#kept.get(sort);
    const ended = kept?.expiresAt !== undefined && kept.expiresAt <= this.#clock.now();
    return ended ? undefined : kept;
  }

  async #version(sort: string): Promise<Version> {
    return (await this.#store.get([this.#partition, sort]))?.version ?? OLD;
  }
}
