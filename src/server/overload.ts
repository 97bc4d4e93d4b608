/**
 * How much is served at a time: requests in flight, and bytes of their bodies. One more is told to come again at once,
 * while it costs nothing, rather than later, when it has cost memory.
 * @module
 */
import { ApiError } from "../anthropic/error.ts";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/schema.ts";
import type { Log } from "../log.ts";

const MEGABYTE = 1_048_576;
/** Reserved for a body whose length is not told, until it is read. */
const UNTOLD_BYTES = MEGABYTE;
/** Refused requests come again so many seconds later at the latest: spread, or they would come all at once. */
const RETRY_WITHIN_S = 3;
/** Refusals are logged together, so often. */
const LOG_EVERY_MS = 10_000;

/** What admission goes by. */
export type AdmissionLimits = Pick<Config["limits"], "in_flight" | "buffered_mb">;

/** What admission needs. */
export interface AdmissionOptions {
  /** Time. */
  clock: Clock;
  /** Told of refusals. */
  log: Log;
  /** A number in [0, 1), to spread those who come again. @default Math.random */
  random?: () => number;
}

/** A request that was let in. */
export interface Place {
  /** Ends the request: see {@link Admission.endAll}. */
  onStop: ((reason: ApiError) => void) | undefined;
  /**
   * Says how many bytes the body holds.
   *
   * @throws {ApiError} `overloaded_error` if that is more than may be held
   */
  hold(bytes: number): void;
  /** Makes room. Call it once, however the request ends. */
  leave(): void;
}

/** Lets requests in, as many as the limits allow. */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #open = new Set<Place>();
  #bytes = 0;
  #refused = 0;
  #quietUntil = -Infinity;

  /** Nobody is in yet. */
  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Requests that are in. */
  get inFlight(): number {
    return this.#open.size;
  }

  /** Bytes of their bodies. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Lets a request in, with the bytes that its `content-length` tells.
   *
   * @throws {ApiError} `overloaded_error` with `retry-after`
   */
  enter(length: string | null, limits: AdmissionLimits): Place {
    const told = length === null ? UNTOLD_BYTES : Number(length);
    const held = Number.isSafeInteger(told) && told > 0 ? told : 0;
    if (this.#open.size >= limits.in_flight || !this.#fits(held, limits)) throw this.#refuse();
    this.#bytes += held;
    const place = new HeldPlace({
      held,
      grow: (by) => {
        if (by > 0 && !this.#fits(by, limits)) throw this.#refuse();
        this.#bytes += by;
      },
      leave: (bytes) => {
        this.#open.delete(place);
        this.#bytes -= bytes;
      },
    });
    this.#open.add(place);
    return place;
  }

  /** Ends whatever is still open: the server stops. Clients are told so, and may come again elsewhere at once. */
  endAll(): void {
    const reason = new ApiError("overloaded_error", "The gateway is stopping: try again", {
      headers: { "retry-after": "1" },
    });
    for (const { onStop } of this.#open) onStop?.(reason);
  }

  /** One body alone is always let in, however large the other limits allow it to be. */
  #fits(more: number, { buffered_mb }: AdmissionLimits): boolean {
    return this.#bytes === 0 || this.#bytes + more <= buffered_mb * MEGABYTE;
  }

  #refuse(): ApiError {
    const { clock, log, random = Math.random } = this.#options;
    this.#refused++;
    const now = clock.monotonic();
    if (now >= this.#quietUntil) {
      log.warning("Overloaded: {refused} requests were told to come again", {
        refused: this.#refused,
        fault: "us",
        in_flight: this.#open.size,
        buffered_mb: Math.round(this.#bytes / MEGABYTE),
      });
      this.#refused = 0;
      this.#quietUntil = now + LOG_EVERY_MS;
    }
    const seconds = 1 + Math.floor(random() * RETRY_WITHIN_S);
    return new ApiError(
      "overloaded_error",
      `The gateway serves as many requests as it can: try again in ${seconds} s`,
      { headers: { "retry-after": String(seconds) } },
    );
  }
}

interface Held {
  readonly held: number;
  readonly grow: (by: number) => void;
  readonly leave: (bytes: number) => void;
}

class HeldPlace implements Place {
  onStop: ((reason: ApiError) => void) | undefined;
  readonly #of: Held;
  #held: number;

  constructor(of: Held) {
    this.#of = of;
    this.#held = of.held;
  }

  hold(bytes: number): void {
    this.#of.grow(bytes - this.#held);
    this.#held = bytes;
  }

  leave(): void {
    this.#of.leave(this.#held);
  }
}
