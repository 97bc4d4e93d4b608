/**
 * The ledger with a journal: see `journal.ts` for what a posting is safe from, `poster.ts` for how it reaches the
 * store once, `overflow.ts` for what becomes of it when the disk is full of others.
 * @module
 */
import type { CancelTimer, Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { BatchLimits, Store, StoreWrite } from "../storage/store.ts";
import { checkPosting } from "./batch.ts";
import { type Claim, JournalFolder } from "./folder.ts";
import { Journal } from "./journal.ts";
import type { Ledger } from "./ledger.ts";
import { Overflow } from "./overflow.ts";
import { Poster } from "./poster.ts";
import { Segment } from "./segment.ts";

/** How often the folder is looked through for what workers and processes have left that ended meanwhile. */
const ADOPT_MS = 15_000;
/** How long `close` waits for the store; what is left then is sent after the next start. */
const CLOSE_MS = 5_000;

/** What the ledger is made from. */
export interface JournalLedgerOptions {
  /** Folder of the journal. */
  readonly path: string;
  /** Bytes that the folder may hold. @default 1 GiB */
  readonly mostBytes?: number;
  /** Where postings go. */
  readonly store: Store;
  /** Time. */
  readonly clock: Clock;
  /** The log. */
  readonly log: Log;
}

/** A {@link Ledger} whose postings survive the end of the process. */
export class JournalLedger implements Ledger {
  readonly #folder: JournalFolder;
  readonly #journal: Journal;
  readonly #overflow: Overflow;
  readonly #poster: Poster;
  readonly #limits: BatchLimits;
  readonly #clock: Clock;
  readonly #log: Log;
  /** What was taken over, and how many segments of it are left. */
  readonly #adopted = new Map<Claim, Set<Segment>>();
  readonly #releasing = new Set<Promise<void>>();
  #adopting: Promise<void> = Promise.resolve();
  #cancelAdopt: CancelTimer | undefined;
  #closed = false;

  private constructor(folder: JournalFolder, options: JournalLedgerOptions) {
    const { clock, log, store, mostBytes = 2 ** 30 } = options;
    this.#folder = folder;
    this.#clock = clock;
    this.#log = log;
    this.#limits = store.batchLimits;
    const onNoted = () => this.#poster.kick();
    this.#journal = new Journal({ folder, clock, log, limits: this.#limits, onNoted });
    this.#overflow = new Overflow({ journal: this.#journal, mostBytes, clock, log });
    this.#poster = new Poster({
      journal: this.#journal,
      store,
      clock,
      log,
      onRemoved: (segment) => this.#removed(segment),
    });
  }

  /**
   * Opens the journal, and takes over what others have left in its folder.
   *
   * @throws {Error} That says what to do, if the folder cannot be used
   */
  static async open(options: JournalLedgerOptions): Promise<JournalLedger> {
    const folder = await JournalFolder.open(options.path);
    const ledger = new JournalLedger(folder, options);
    await ledger.#adopt();
    return ledger;
  }

  /** See {@link Ledger.post}. Rejects with a RangeError where the writes could never be one batch. */
  post(writes: readonly StoreWrite[]): Promise<void> {
    try {
      if (this.#closed) throw new Error("Cannot post to a ledger as it must be open: it is closed");
      checkPosting(writes);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#overflow.note(writes);
  }

  /** See {@link Ledger.settled}. */
  async settled(): Promise<void> {
    this.#overflow.flush();
    await this.#poster.finished(this.#journal.cut());
  }

  /** Sends what there is, for at most five seconds; what is left is told, and sent after the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelAdopt?.();
    await this.#adopting;
    this.#overflow.close();
    await this.#settledInTime();
    await this.#poster.stop();
    await this.#journal.close();
    for (const claim of this.#adopted.keys()) this.#release(claim);
    await Promise.all(this.#releasing);
    await this.#folder.close().catch((error) => this.#tellLock(error));
  }

  async #settledInTime(): Promise<void> {
    const late = Promise.withResolvers<never>();
    const cancel = this.#clock.after(CLOSE_MS, () => {
      late.reject(new Error(`The store did not take it within ${CLOSE_MS} ms`));
    });
    try {
      await Promise.race([this.settled(), late.promise]);
    } catch (error) {
      this.#log.error("What requests leave stays in the journal: it is sent after the next start", {
        journal: this.#folder.path,
        ...this.#journal.left,
        cause: String(error),
      });
    } finally {
      cancel();
    }
  }

  async #adopt(): Promise<void> {
    const claims = await this.#folder.claimOrphans();
    for (const claim of claims) {
      const segments = claim.segments.map((name) =>
        Segment.existing(this.#folder.path, name, this.#limits)
      );
      if (segments.length === 0) {
        await claim.release();
        continue;
      }
      this.#adopted.set(claim, new Set(segments));
      this.#journal.adopt(segments);
      this.#log.warning("Took over what {instance} left in the journal when it ended", {
        instance: claim.instance,
        segments: segments.length,
        bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
      });
    }
    if (claims.length > 0) this.#poster.kick();
    this.#adoptLater();
  }

  #adoptLater(): void {
    if (this.#closed) return;
    this.#cancelAdopt = this.#clock.after(ADOPT_MS, () => {
      this.#adopting = this.#adopt().catch((error) => {
        this.#log.error("The journal's folder cannot be looked through", { cause: String(error) });
        this.#adoptLater();
      });
    });
  }

  #removed(segment: Segment): void {
    for (const [claim, segments] of this.#adopted) {
      if (!segments.delete(segment) || segments.size > 0) continue;
      this.#adopted.delete(claim);
      this.#release(claim);
    }
  }

  #release(claim: Claim): void {
    const release = claim.release().catch((error) => this.#tellLock(error))
      .finally(() => this.#releasing.delete(release));
    this.#releasing.add(release);
  }

  #tellLock(error: unknown): void {
    this.#log.error("A lock of the journal cannot be given up", { cause: String(error) });
  }
}
