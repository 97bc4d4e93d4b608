/**
 * Verdicts on keys, kept for two seconds: a known key costs no store read, a revoked one is refused in time.
 * A key in use is read anew beside its requests, before its verdict is stale: none of them waits.
 * @module
 */
import type { Clock } from "../clock.ts";
import type { KeyVerdict } from "./key_record.ts";

/** A revoked key must be refused everywhere within 2 s. */
const FRESH_MS = 2_000;
/** A verdict that is used with no more than this left is asked for anew: a second is ample for a read. */
const RENEWED_MS = 1_000;
/** Verdicts kept, good and bad alike: made-up keys push one another out and grow nothing. */
const KEPT = 10_000;

interface Held {
  readonly verdict: KeyVerdict;
  readonly until: number;
}

/** Keeps verdicts by the hash of the key, so that no plain key stays in memory. */
export class VerdictCache {
  readonly #clock: Clock;
  readonly #verify: (presented: string) => Promise<KeyVerdict>;
  readonly #held = new Map<string, Held>();
  readonly #pending = new Map<string, Promise<KeyVerdict>>();

  /** Asks `verify` for what it does not know. */
  constructor(clock: Clock, verify: (presented: string) => Promise<KeyVerdict>) {
    this.#clock = clock;
    this.#verify = verify;
  }

  /** The verdict on a key; one question at a time for each key. */
  get(presented: string, hash: string): KeyVerdict | Promise<KeyVerdict> {
    const held = this.#held.get(hash);
    const left = held === undefined ? 0 : held.until - this.#clock.monotonic();
    if (held === undefined || left <= 0) {
      return this.#pending.get(hash) ?? this.#ask(presented, hash);
    }
    if (left <= RENEWED_MS && !this.#pending.has(hash)) {
      this.#ask(presented, hash).catch(() => {}); // whoever comes when it is stale asks again, and is told
    }
    return held.verdict;
  }

  #ask(presented: string, hash: string): Promise<KeyVerdict> {
    const pending = this.#read(presented, hash).finally(() => this.#pending.delete(hash));
    this.#pending.set(hash, pending);
    return pending;
  }

  async #read(presented: string, hash: string): Promise<KeyVerdict> {
    const until = this.#clock.monotonic() + FRESH_MS; // from the question on: the answer may be slow
    const verdict = await this.#verify(presented);
    this.#held.delete(hash); // the newest stand last, so that the first to go is the oldest
    this.#held.set(hash, { verdict, until });
    if (this.#held.size > KEPT) {
      const oldest = this.#held.keys().next();
      if (!oldest.done) this.#held.delete(oldest.value);
    }
    return verdict;
  }
}
