/**
 * What entries must hold that several callers write at once: laws that any order of their calls keeps.
 * @module
 */
import assert from "node:assert/strict";
import type { Store, StoreKey, Version } from "../../../src/storage/store.ts";
import type { FakeClock } from "../../fake_clock.ts";
import type { SharedCall } from "./program.ts";

/** Counters as the model has them. */
interface Tally {
  n: number;
  expiresAt: number;
}

const LIFE_MS = 10_000;

/** Shared entries, and what has been done to them. */
export class SharedEntries {
  readonly #clock: FakeClock;
  readonly #partition: string;
  readonly #claimed = new Set<string>();
  readonly #swapped = new Map<string, Version>();
  readonly #sums = new Map<string, Tally>();
  readonly #tallies = new Map<string, Tally>();
  readonly #batches = new Map<string, number>();
  /** Of this round. */
  #claims: string[] = [];
  #swaps: { readonly sort: string; readonly from: Version; readonly to: Version }[] = [];
  #added: { readonly sort: string; readonly n: number; readonly sum: number }[] = [];
  #tallied: { readonly sort: string; readonly n: number }[] = [];
  #applied: { readonly id: string; readonly applied: boolean; readonly sort: string }[] = [];

  /** In a partition of their own. */
  constructor(clock: FakeClock, partition: string) {
    this.#clock = clock;
    this.#partition = partition;
  }

  /** Makes the call, through the caller's own handle, and notes what came of it. */
  async call(store: Store, call: SharedCall): Promise<void> {
    const sort = `${kindOf(call)} ${call.entry}`;
    const key: StoreKey = [this.#partition, sort];
    const expiresAt = this.#clock.now() + LIFE_MS;
    switch (call.kind) {
      case "claim":
        if (await store.put(key, 1, { when: "absent" }) !== undefined) this.#claims.push(sort);
        return;
      case "swap": {
        const from = (await store.get(key))?.version;
        const when = from === undefined ? "absent" as const : { version: from };
        const to = await store.put(key, 1, { when });
        if (to !== undefined) this.#swaps.push({ sort, from: from ?? "", to });
        return;
      }
      case "sum": {
        const { n = NaN } = await store.add(key, { n: call.n }, { expiresAt });
        this.#added.push({ sort, n: call.n, sum: n });
        return;
      }
      case "tally":
        assert.deepEqual(await store.add(key, { n: call.n }, { expiresAt, sums: false }), {});
        this.#tallied.push({ sort, n: call.n });
        return;
      case "batch": {
        const id = `${this.#partition}/${call.id}/${call.entry}`;
        const writes = [
          { key, add: { n: 100 + call.id }, expiresAt },
          { key: [`${this.#partition} batches`, id] as const, put: call.id },
        ];
        const applied = await store.apply(id, writes, { expiresAt });
        this.#applied.push({ id, applied, sort });
        if (applied) this.#tallied.push({ sort, n: 100 + call.id });
        return;
      }
      case "settle": {
        const entry = await store.get<{ n: number }>(key);
        if (entry === undefined) return;
        const options = { expiresAt: entry.expiresAt ?? NaN, when: { version: entry.version } };
        if (await store.put(key, { n: 0 }, options) === undefined) return;
        this.#tallied.push({ sort, n: -entry.value.n });
      }
    }
  }

  /** Checks the laws after a round. */
  async check(store: Store): Promise<void> {
    this.#checkClaims();
    await this.#checkSwaps(store);
    this.#checkBatches();
    this.#checkSums();
    for (const { sort, n } of this.#tallied) this.#note(this.#tallies, sort, n);
    for (const [sort, { n, expiresAt }] of [...this.#tallies, ...this.#sums]) {
      const entry = await store.get([this.#partition, sort]);
      const live = expiresAt > this.#clock.now();
      assert.deepEqual(entry?.value, live ? { n } : undefined, sort);
      assert.equal(entry?.expiresAt, live ? expiresAt : undefined, sort);
    }
    [this.#claims, this.#swaps, this.#added, this.#tallied, this.#applied] = [[], [], [], [], []];
  }

  #note(tallies: Map<string, Tally>, sort: string, n: number): void {
    const tally = tallies.get(sort);
    const now = this.#clock.now();
    if (tally !== undefined && tally.expiresAt > now) tally.n += n;
    else tallies.set(sort, { n, expiresAt: now + LIFE_MS });
  }

  #checkClaims(): void {
    for (const sort of this.#claims) {
      assert.ok(!this.#claimed.has(sort), `${sort} is claimed twice`);
      this.#claimed.add(sort);
    }
  }

  /** Who swapped what for what is one chain, from the version before the round to the one after it. */
  async #checkSwaps(store: Store): Promise<void> {
    for (const sort of new Set(this.#swaps.map((swap) => swap.sort))) {
      const next = new Map<Version, Version>();
      for (const { sort: of, from, to } of this.#swaps) {
        if (of !== sort) continue;
        assert.ok(!next.has(from), `${sort} is swapped twice from ${from}`);
        next.set(from, to);
      }
      let version = this.#swapped.get(sort) ?? "";
      for (let left = next.size; left > 0; left--) {
        const to = next.get(version);
        assert.ok(to !== undefined, `${sort} is swapped from a version that it did not have`);
        version = to;
      }
      assert.equal((await store.get([this.#partition, sort]))?.version, version);
      this.#swapped.set(sort, version);
    }
  }

  /** Of all who apply an id, one does, unless it is remembered; if none is remembered, not none. */
  #checkBatches(): void {
    const now = this.#clock.now();
    for (const id of new Set(this.#applied.map((batch) => batch.id))) {
      const times = this.#applied.filter((batch) => batch.id === id && batch.applied).length;
      const remembered = (this.#batches.get(id) ?? 0) > now;
      assert.equal(times, remembered ? 0 : 1, `${id} is applied ${times} times`);
      if (!remembered) this.#batches.set(id, now + LIFE_MS);
    }
  }

  /** In the order of what was returned, each addition begins where the one before it ended. */
  #checkSums(): void {
    const inOrder = this.#added.toSorted((a, b) => a.sum - b.sum);
    for (const { sort, n, sum } of inOrder) {
      this.#note(this.#sums, sort, n);
      assert.equal(sum, this.#sums.get(sort)?.n, `${sort}: the sums returned are in no order`);
    }
  }
}

/** Calls of one kind have entries of their own; all that tally share them. */
function kindOf({ kind }: SharedCall): string {
  return ["batch", "settle"].includes(kind) ? "tally" : kind;
}
