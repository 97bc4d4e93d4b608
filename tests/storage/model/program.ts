/**
 * Random programs for stores: rounds of calls by several callers at once.
 *
 * A caller's own entries are nobody else's: what each call on them returns is known. Shared entries are of kinds, each
 * with calls of which any order is right, and a law that holds after all of them.
 *
 * @module
 */
import fc from "fast-check";

/** A call on an entry of the caller's own. */
export type OwnCall =
  | { readonly kind: "get"; readonly sort: string }
  | { readonly kind: "put"; readonly sort: string; readonly n: number; readonly life?: number }
  | { readonly kind: "put absent"; readonly sort: string; readonly n: number }
  | {
    readonly kind: "put version";
    readonly sort: string;
    readonly n: number;
    readonly old: boolean;
  }
  | { readonly kind: "delete"; readonly sort: string; readonly version: "any" | "this" | "old" }
  | { readonly kind: "add"; readonly sort: string; readonly n: number; readonly life?: number }
  | {
    readonly kind: "list";
    readonly from?: string;
    readonly to?: string;
    readonly prefix?: string;
    readonly limit?: number;
    readonly reverse: boolean;
  };

/** A call on a shared entry. */
export type SharedCall =
  /** Of many, one finds nothing. */
  | { readonly kind: "claim"; readonly entry: number }
  /** Of many who hold one version, one succeeds. */
  | { readonly kind: "swap"; readonly entry: number }
  /** The sums that are returned are in some order. */
  | { readonly kind: "sum"; readonly entry: number; readonly n: number }
  /** Added without sums, alone or in a batch, which is applied once. */
  | { readonly kind: "tally"; readonly entry: number; readonly n: number }
  | { readonly kind: "batch"; readonly entry: number; readonly id: number }
  /** Read and put to nothing by its version: what was read is what is gone. */
  | { readonly kind: "settle"; readonly entry: number };

/** Calls of several callers at once, each one's in order; then time passes. */
export interface Round {
  /** By caller. */
  readonly callers: readonly (readonly (OwnCall | SharedCall)[])[];
  /** Milliseconds. */
  readonly pass: number;
}

const sort = fc.constantFrom("a", "b", "ba", "bb", "c", "é", "\u{ffff}", "🌍");
const n = fc.integer({ min: -1_000, max: 1_000 });
const life = fc.option(fc.constantFrom(1, 500, 5_000), { nil: undefined });
const bound = fc.option(sort, { nil: undefined });

/** Without the keys that are undefined. */
function defined<T extends object>(call: T): T {
  return Object.fromEntries(Object.entries(call).filter(([, value]) => value !== undefined)) as T;
}

const own = fc.oneof(
  fc.record({ kind: fc.constant("get" as const), sort }),
  fc.record({ kind: fc.constant("put" as const), sort, n, life }),
  fc.record({ kind: fc.constant("put absent" as const), sort, n }),
  fc.record({ kind: fc.constant("put version" as const), sort, n, old: fc.boolean() }),
  fc.record({
    kind: fc.constant("delete" as const),
    sort,
    version: fc.constantFrom("any" as const, "this" as const, "old" as const),
  }),
  fc.record({ kind: fc.constant("add" as const), sort, n, life }),
  fc.record({
    kind: fc.constant("list" as const),
    from: bound,
    to: bound,
    prefix: bound,
    limit: fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined }),
    reverse: fc.boolean(),
  }),
).map((call) => defined(call) as OwnCall);

const entry = fc.integer({ min: 0, max: 1 });
const positive = fc.integer({ min: 1, max: 9 });

const shared: fc.Arbitrary<SharedCall> = fc.oneof(
  fc.record({ kind: fc.constant("claim" as const), entry }),
  fc.record({ kind: fc.constant("swap" as const), entry }),
  fc.record({ kind: fc.constant("sum" as const), entry, n: positive }),
  fc.record({ kind: fc.constant("tally" as const), entry, n }),
  fc.record({
    kind: fc.constant("batch" as const),
    entry,
    id: fc.integer({ min: 0, max: 5 }),
  }),
  fc.record({ kind: fc.constant("settle" as const), entry }),
);

const calls = fc.array(fc.oneof(own, shared), { minLength: 1, maxLength: 6, size: "max" });

/** Programs. */
export const program: fc.Arbitrary<readonly Round[]> = fc.array(
  fc.record({
    callers: fc.array(calls, { minLength: 2, maxLength: 5, size: "max" }),
    pass: fc.constantFrom(0, 0, 400, 2_000, 20_000),
  }),
  { minLength: 1, maxLength: 4, size: "max" },
);
