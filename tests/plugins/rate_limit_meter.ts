/**
 * What the simulation of `rate_limit` is checked against: meters, the dual of token buckets. A meter fills by what is
 * used and drains by the limit, and a request is due exactly where every meter has room.
 * @module
 */
import type { KeyRecord } from "../../src/pipeline/plugin.ts";

/** What is metered. */
export const KINDS = ["requests", "input", "output"] as const;
/** One of {@link KINDS}. */
export type Kind = typeof KINDS[number];

/** Limits: requests, input and output tokens a minute, and requests at the same time. */
export type Limits = readonly [
  requests: number,
  input: number,
  output: number,
  concurrency: number,
];
/** Of a key. */
export const KEY: Limits = [14, 1_300, 3_000, 3];
/** Of each third key, its own. */
export const OWN: Limits = [12, 1_500, 2_800, 4];
/** Of a user. */
export const USER: Limits = [55, 5_200, 11_000, 8];
/** Of a team. */
export const TEAM: Limits = [260, 23_000, 49_000, 20];

/** Limits as settings and records spell them. */
export function named(
  [requests, input, output, concurrency]: Limits,
): Readonly<Record<string, number>> {
  return {
    requests_per_minute: requests,
    input_tokens_per_minute: input,
    output_tokens_per_minute: output,
    concurrency,
  };
}

/** What a key, a user or a team has used, as parts of a token: a minute has 60,000 of its milliseconds. */
export class Meter {
  running = 0;
  readonly most: Record<Kind, number>;
  readonly used: Record<Kind, number> = { requests: 0, input: 0, output: 0 };
  readonly concurrency: number;
  readonly #rate: Record<Kind, number>;
  readonly #fill: Record<Kind, number> = { requests: 0, input: 0, output: 0 };
  #at = 0;

  constructor([requests, input, output, concurrency]: Limits) {
    this.#rate = { requests, input, output };
    this.most = { requests: requests * 60_000, input: input * 60_000, output: output * 60_000 };
    this.concurrency = concurrency;
  }

  fill(kind: Kind, now: number): number {
    for (const each of KINDS) {
      this.#fill[each] = Math.max(0, this.#fill[each] - this.#rate[each] * (now - this.#at));
    }
    this.#at = now;
    return this.#fill[kind];
  }

  hasRoom(kind: Kind, amount: number, now: number): boolean {
    return this.fill(kind, now) + amount * 60_000 <= this.most[kind];
  }

  add(kind: Kind, amount: number, now: number): void {
    this.#fill[kind] = this.fill(kind, now) + amount * 60_000;
    this.used[kind] += amount;
  }

  left(kind: Kind, now: number): number {
    return Math.max(0, Math.floor((this.most[kind] - this.fill(kind, now)) / 60_000));
  }
}

/** A key, with the meters of itself, its user and its team. */
export interface Holder {
  readonly record: KeyRecord;
  readonly meters: readonly Meter[];
  served: number;
}

/** Keys of ten users and two teams. */
export function holders(count: number): Holder[] {
  const users = Array.from({ length: 10 }, () => new Meter(USER));
  const teams = Array.from({ length: 2 }, () => new Meter(TEAM));
  return Array.from({ length: count }, (_, n) => {
    const [user, team] = [n % 10, n % 2];
    const limits = n % 3 === 0 ? OWN : KEY;
    const record = { id: `key_${n}`, name: `key ${n}`, created_at: "", user: `u${user}` };
    return {
      record: { ...record, team: `t${team}`, ...(limits === OWN ? { limits: named(OWN) } : {}) },
      meters: [new Meter(limits), users[user] as Meter, teams[team] as Meter],
      served: 0,
    };
  });
}
