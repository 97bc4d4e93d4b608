/**
 * A pool: a sum that all replicas share, e.g. the dollars of a budget or the slots of a limit. Workers and machines
 * are replicas alike; they share through one entry of the store, see `pool_entry.ts`.
 *
 * A replica holds a part of the sum for some time, and lets requests in from it without asking the store. Where its
 * part is too small it takes more, by compare-and-set, so that all parts and what is spent never exceed the sum. The
 * more it uses the larger the blocks it takes, but at most a quarter of what others have left it; what it does not
 * use it gives back: within half a second where that is of more use to others, else after ten seconds. The part of a replica that
 * ended without a word falls back when its time is over.
 *
 * An amount that is spent moves from the part to what is spent by a posting of the ledger, in one step, so that it
 * is never counted twice and never forgotten, however late the posting comes. One case is beyond this: a replica that
 * could not renew its part for half a minute (it crashed, or the store was out of its reach) may have spent what is
 * not yet posted; until it is, others may spend as much again.
 *
 * @module
 */
import type { CancelTimer, Clock } from "../clock.ts";
import type { StoreWrite } from "../storage/store.ts";
import { LEASE_MS, PoolPart, type PoolPlace, type PoolView } from "./pool_part.ts";

/** What a replica holds is looked over so often. */
export const RENEW_MS = 10_000;
/** The same, where what it holds idle is too little for a request like the last, or much of what others have left. */
export const IDLE_MS = 250;
/** A refusal is repeated for so long without asking the store: what others hold changes soon, what is spent does not. */
export const REFUSED_MS = { held: 100, spent: 2_000 } as const;
/** The store must have answered by then. */
export const ANSWER_MS = 1_000;
/** A part that holds more than this share of what is left is much. */
const MUCH = 1 / 8;
/** Of what is left, a replica takes at most this share beyond its need. */
const BLOCK_SHARE = 1 / 4;

/** What became of {@link Pool.take}: how much was granted; or that others hold what is left; or that nothing is left. */
export type Grant = number | "held" | "spent";

/** How to take. */
export interface TakeOptions {
  /** The whole sum, as it stands now. */
  readonly capacity: number;
  /**
   * Grant what is left, if anything is, where it is less than the amount and nobody holds anything: so that a
   * request which may be larger than the rest is let in alone.
   * @default false
   */
  readonly alone?: boolean;
}

/** What a pool stands on. */
export interface PoolOptions extends PoolPlace {
  /** Called when the pool has been idle, and holds nothing. */
  readonly onIdle: () => void;
}

interface Waiter {
  readonly amount: number;
  readonly alone: boolean;
  readonly grant: (grant: Grant) => void;
  readonly fail: (error: unknown) => void;
}

/** What an exchange with the store is to bring. */
interface Plan {
  /** By how much the part grows or shrinks. */
  readonly delta: number;
  /** What is then left for others. */
  readonly left: number;
  /** What the part grows by beyond the need. */
  readonly extra: number;
  /** Who was asked for. */
  readonly asked: readonly Waiter[];
  /** Who is let in though it does not fit. */
  readonly alone: Waiter | undefined;
  /** Why others are not. */
  readonly why: "held" | "spent";
}

/** A pool, as one replica uses it. All amounts are whole numbers above 0. */
export class Pool {
  readonly #clock: Clock;
  readonly #onIdle: () => void;
  readonly #part: PoolPart;
  #capacity = NaN;
  /** What was spent by the last look into the store, less what was spent here until then; and what was spent here. */
  #spentElsewhere = 0;
  #spentHere = 0;
  /** What was left for others at the last look into the store. */
  #left = 0;
  /** Least that was free since the part was looked over, and in the turn before: nobody needed it. */
  #low = 0;
  #lowBefore = 0;
  #isUsed = false;
  #lastAmount = 0;
  /** What was taken beyond the need, and when. */
  #block = 0;
  #grewAt = -Infinity;
  #refused: { why: "held" | "spent"; amount: number; until: number } | undefined;
  #waiting: Waiter[] = [];
  /** Exchanges with the store, one after the other. */
  #turn: Promise<void> | undefined;
  #cancelTimer: CancelTimer | undefined;
  #timerIsShort = false;
  #isClosed = false;

  /** Holds nothing yet. */
  constructor(options: PoolOptions) {
    this.#clock = options.clock;
    this.#onIdle = options.onIdle;
    this.#part = new PoolPart(options);
    this.#schedule();
  }

  /**
   * Takes an amount out of the sum: at once where this replica holds it. Give it back by {@link give} or
   * {@link spend}.
   *
   * @returns What was granted: the amount, or less of it where that was asked for with `alone`
   * @throws {Error} If the store fails, or does not answer within a second
   */
  take(amount: number, { capacity, alone = false }: TakeOptions): Grant | Promise<Grant> {
    const now = this.#clock.monotonic();
    this.#isUsed = true;
    this.#lastAmount = amount;
    if (capacity !== this.#capacity) {
      this.#capacity = capacity;
      this.#refused = undefined;
    } else if (
      amount <= this.#part.free && this.#part.isOurs(now) && this.#turn === undefined
    ) {
      return this.#reserve(amount);
    } else if (
      this.#refused !== undefined && now < this.#refused.until && amount >= this.#refused.amount
    ) {
      return this.#refused.why;
    }
    return this.#ask(amount, alone);
  }

  /** What is spent, as far as this replica knows: all of its own, and what others posted until it last looked. */
  get spent(): number {
    return this.#spentElsewhere + this.#spentHere;
  }

  /** Gives back what was granted. */
  give(granted: number): void {
    this.#part.give(granted);
    this.#noteGiven();
  }

  /**
   * Gives back what was granted, less what was spent, which may be more.
   *
   * @returns What the ledger must post
   */
  spend(granted: number, spent: number): StoreWrite {
    const write = this.#part.spend(granted, spent);
    this.#spentHere += spent;
    this.#low = Math.min(this.#low, this.#part.free);
    this.#noteGiven();
    return write;
  }

  /** Gives back to the others whatever is free. Call it when no request is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer?.();
    await this.#turn;
    if (this.#part.isHeld) await this.#part.exchange((view) => this.#plan(view, Infinity));
  }

  #reserve(amount: number): number {
    this.#part.reserve(amount);
    this.#low = Math.min(this.#low, this.#part.free);
    return amount;
  }

  #noteGiven(): void {
    this.#refused = undefined;
    if (!this.#timerIsShort && this.#isBetterGiven()) this.#schedule();
  }

  /** Whether what is free is of little use here, or of more use to others. */
  #isBetterGiven(): boolean {
    const { free } = this.#part;
    return free > 0 && (free < this.#lastAmount || free > this.#left * MUCH);
  }

  #ask(amount: number, alone: boolean): Promise<Grant> {
    return new Promise((resolve, reject) => {
      const end = () => {
        cancelTimer();
        this.#waiting = this.#waiting.filter((other) => other !== waiter);
      };
      const waiter: Waiter = {
        amount,
        alone,
        grant: (grant) => (end(), resolve(grant)),
        fail: (error) => (end(), reject(error)),
      };
      const cancelTimer = this.#clock.after(ANSWER_MS, () => {
        waiter.fail(new Error(`Cannot wait for the store any longer: it took ${ANSWER_MS} ms`));
      });
      this.#waiting = [...this.#waiting, waiter]; // a turn has its own list
      this.#turn ??= this.#serve(0);
    });
  }

  /** Gives back a surplus, or renews the lease, where nobody waits; then lets in who waits until nobody does. */
  async #serve(surplus: number): Promise<void> {
    try {
      if (this.#waiting.length === 0) {
        this.#settle(await this.#part.exchange((view) => this.#plan(view, surplus)));
      }
      while (this.#waiting.length > 0) {
        this.#settle(await this.#part.exchange((view) => this.#plan(view, 0)));
      }
    } catch (error) {
      for (const waiter of this.#waiting) waiter.fail(error);
    } finally {
      this.#turn = undefined;
      this.#schedule();
    }
  }

  /** What to take for those who wait, first come first served; or to give back. */
  #plan({ spent, mine, others }: PoolView, surplus: number): Plan {
    const { free, reserved } = this.#part;
    const asked = this.#waiting;
    const left = this.#capacity - spent - others - mine;
    const unposted = Math.max(mine - free - reserved, 0);
    const why = this.#capacity - spent - unposted > 0 ? "held" : "spent";
    this.#spentElsewhere = spent + unposted - this.#spentHere;
    let [fitting, demand] = [0, 0];
    for (const { amount } of asked) {
      demand += amount;
      if (fitting + amount <= free + left) fitting += amount;
    }
    const fitsAlone = fitting === 0 && reserved === 0 && others === 0 && free + left > 0;
    const alone = fitsAlone ? asked.find((waiter) => waiter.alone) : undefined;
    const need = Math.max(fitting - free, 0);
    const extra = need > 0 && fitting === demand ? this.#extra(need, left - need) : 0;
    // Whoever came meanwhile needs it; or it is too little for all, as it may be in each replica: none would get in.
    const isTooLittle = asked.length > 0 && fitting === 0;
    const idle = isTooLittle ? free : asked.length > 0 ? 0 : surplus;
    const owed = Math.min(Math.max(idle, -left), free);
    const delta = alone !== undefined ? left : owed > 0 ? -owed : need + extra;
    return { delta, left: left - delta, extra, asked, alone, why };
  }

  /** What to take beyond the need: more than the last time, if that did not last long; nothing after a long rest. */
  #extra(need: number, left: number): number {
    const lasted = this.#clock.monotonic() - this.#grewAt;
    const wanted = lasted < RENEW_MS ? 2 * this.#block + need : lasted < LEASE_MS ? this.#block : 0;
    return Math.max(0, Math.min(wanted, Math.floor(left * BLOCK_SHARE)));
  }

  #settle({ delta, left, extra, asked, alone, why }: Plan): void {
    const now = this.#clock.monotonic();
    this.#left = left;
    if (delta > 0) [this.#block, this.#grewAt] = [extra, now];
    for (const waiter of asked) {
      const { amount } = waiter;
      const { free, reserved } = this.#part;
      if (!this.#waiting.includes(waiter)) continue; // it waits no longer
      if (amount <= free) waiter.grant(this.#reserve(amount));
      else if (waiter === alone && reserved === 0 && free > 0) waiter.grant(this.#reserve(free));
      else {
        const before = this.#refused;
        if (before === undefined || before.until <= now || amount < before.amount) {
          this.#refused = { why, amount, until: now + REFUSED_MS[why] };
        }
        waiter.grant(why);
      }
    }
  }

  #schedule(): void {
    this.#cancelTimer?.();
    if (this.#isClosed) return;
    this.#timerIsShort = this.#isBetterGiven();
    const ms = this.#timerIsShort ? IDLE_MS : RENEW_MS;
    this.#cancelTimer = this.#clock.after(ms, () => this.#lookOver());
  }

  /** Gives back what nobody needed since the last time, and keeps the lease. */
  #lookOver(): void {
    this.#timerIsShort = false;
    if (this.#turn !== undefined) return; // it schedules at its end
    const { free, reserved, isHeld } = this.#part;
    const isIdle = !this.#isUsed && reserved === 0;
    const surplus = isIdle ? free : Math.min(this.#low, this.#lowBefore, free);
    this.#isUsed = false;
    [this.#lowBefore, this.#low] = [this.#low, free - surplus];
    if (isIdle && !isHeld) return this.#onIdle();
    const isDue = this.#part.isDue(this.#clock.monotonic());
    if (surplus > 0 || isHeld && (isIdle || isDue)) this.#turn = this.#serve(surplus);
    else this.#schedule();
  }
}
