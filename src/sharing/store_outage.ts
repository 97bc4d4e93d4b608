/**
 * Whether the store answers: remembered, so that no request waits for one that does not, told once a minute.
 * @module
 */
import type { Clock } from "../clock.ts";
import { errorFields, type Log } from "../log.ts";

const TELL_EVERY_MS = 60_000;
/** A store that failed is asked again so much later. */
const RETRY_MS = 1_000;

/** See the module. */
export class StoreOutage {
  readonly #clock: Clock;
  readonly #log: Log | undefined;
  #isDown = false;
  #askAgainAt = 0;
  #toldAt = -Infinity;

  /** It answers, for all that is known. */
  constructor({ clock, log }: { clock: Clock; log?: Log | undefined }) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Whether it failed when it was last asked. */
  get isDown(): boolean {
    return this.#isDown;
  }

  /** Whether it is time to ask it again. */
  get isDue(): boolean {
    return this.#clock.monotonic() >= this.#askAgainAt;
  }

  /** Notes that it is asked now. */
  asked(): void {
    this.#askAgainAt = this.#clock.monotonic() + RETRY_MS;
  }

  /** Notes that it failed. */
  begin(cause: unknown): void {
    this.#isDown = true;
    this.asked();
    const now = this.#clock.monotonic();
    if (now - this.#toldAt < TELL_EVERY_MS) return;
    this.#toldAt = now;
    this.#log?.warning(
      "The store does not answer: limits are counted by each replica for itself, within its share",
      { cause: errorFields(cause) },
    );
  }

  /** Notes that it answered. */
  end(): void {
    this.#isDown = false;
  }
}
