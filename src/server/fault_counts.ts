/**
 * How many requests ended, by whose fault and with which status.
 * @module
 */
import type { Fault } from "../pipeline/complete.ts";

/** What is counted by: whose fault, or nobody's. */
const FAULTS: readonly (Fault | "none")[] = ["none", "client", "policy", "bedrock", "us"];
/** HTTP statuses lie below it. */
const STATUSES = 600;

/** One count. */
export interface FaultCount {
  /** Whose fault; `none` for requests that were served. */
  readonly fault: Fault | "none";
  /** HTTP status. */
  readonly status: number;
  /** Requests. */
  readonly count: number;
}

/** Counts of ended requests, in memory that the workers of a process share. An addition costs some 50 ns. */
export class FaultCounts {
  /** The memory, for workers. */
  readonly shared: SharedArrayBuffer;
  readonly #slots: BigUint64Array;

  /** Counts on in `shared`, or from nothing. */
  constructor(
    shared: SharedArrayBuffer = new SharedArrayBuffer(
      FAULTS.length * STATUSES * BigUint64Array.BYTES_PER_ELEMENT,
    ),
  ) {
    this.shared = shared;
    this.#slots = new BigUint64Array(shared);
  }

  /** One more request that ended so. */
  add(fault: Fault | undefined, status: number): void {
    const row = FAULTS.indexOf(fault ?? "none");
    const column = status >= 0 && status < STATUSES ? status : 0;
    Atomics.add(this.#slots, row * STATUSES + column, 1n);
  }

  /** The counts that are not zero. */
  *all(): Generator<FaultCount> {
    for (const [row, fault] of FAULTS.entries()) {
      for (let status = 0; status < STATUSES; status++) {
        const count = Number(Atomics.load(this.#slots, row * STATUSES + status));
        if (count > 0) yield { fault, status, count };
      }
    }
  }
}
