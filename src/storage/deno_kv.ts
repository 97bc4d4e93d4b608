/**
 * A store in one file, on Deno KV (SQLite). Several processes may open the same file: the server, and the
 * command line beside it.
 * @module
 */
import type { Clock } from "../clock.ts";
import { addCounters, batchKey, checkBatch, checkKey, StoreClosed } from "./common.ts";
import { whenUnlocked } from "./deno_kv_lock.ts";
import { sortRange } from "./range.ts";
import type {
  AddOptions,
  BatchLimits,
  Entry,
  ListOptions,
  PutOptions,
  Store,
  StoreKey,
  StoreWrite,
  Version,
} from "./store.ts";

/** What is stored: the value, and its end by our clock, which tests can move. */
interface Envelope {
  readonly value: unknown;
  readonly expiresAt?: number;
}

/** Deno KV's own limit is 64 KiB for key and value; JSON text is stored, so its size is known beforehand. */
const LARGEST_VALUE = 60_000;
/** Concurrent writers of one entry each win once in turn: so many turns are more than there are writers. */
const MOST_TURNS = 1_000;
/** Deno KV reads so many entries at once. */
const MOST_READ = 10;

/**
 * Opens the file, and makes it if it is not there.
 *
 * @param options.path Path of the file; `:memory:` for none
 * @throws {Error} That says what to do, if the file cannot be opened or written
 */
export async function openDenoKvStore(
  { path, clock }: { path: string; clock: Clock },
): Promise<Store> {
  try {
    if (path !== ":memory:") await makePrivate(path);
    return new DenoKvStore(await whenUnlocked(() => Deno.openKv(path)), clock);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`Cannot open the store ${path}: ${reason}. ${remedyOf(reason)}`, { cause });
  }
}

function remedyOf(reason: string): string {
  if (/disk is full|disk I\/O error/.test(reason)) {
    return "Make room on its disk, or set store.path to a file on another";
  }
  return /not a database|malformed/.test(reason)
    ? "Move the file away, or put a backup in its place: a new one is made where there is none"
    : "Set store.path to a file in a folder that exists and may be written";
}

/**
 * Makes the file for its owner's eyes, where it is not there yet: it holds the hashes of keys, and the secret that they
 * are made with. What SQLite puts beside it has the same rights.
 */
async function makePrivate(path: string): Promise<void> {
  try {
    (await Deno.open(path, { write: true, createNew: true, mode: 0o600 })).close();
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}

class DenoKvStore implements Store {
  /** Deno KV takes 1,000 writes at once, 100 checks (one of each sum, one of the mark), and 80 KiB of keys, coded. */
  readonly batchLimits: BatchLimits = { writes: 500, sums: 90, keyBytes: 76_000 };
  readonly #kv: Deno.Kv;
  readonly #clock: Clock;
  #closed = false;

  constructor(kv: Deno.Kv, clock: Clock) {
    this.#kv = kv;
    this.#clock = clock;
  }

  async get<T>(key: StoreKey): Promise<Entry<T> | undefined> {
    this.#check(key);
    return this.#entry<T>(key, await this.#read(key));
  }

  async put(key: StoreKey, value: unknown, options: PutOptions = {}): Promise<Version | undefined> {
    this.#check(key);
    const { when } = options;
    const envelope = {
      value,
      ...(options.expiresAt === undefined ? {} : { expiresAt: options.expiresAt }),
    };
    if (when === undefined) {
      const encoded = this.#encode(key, envelope);
      const done = await whenUnlocked(() => this.#kv.set([...key], encoded, this.#life(envelope)));
      return done.versionstamp;
    }
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      const stored = await this.#read(key);
      const live = this.#entry(key, stored);
      const holds = when === "absent" ? live === undefined : live?.version === when.version;
      if (!holds) return undefined;
      const done = await this.#commit(key, stored, envelope);
      if (done !== undefined) return done;
    }
    throw this.#contended(key);
  }

  async delete(key: StoreKey, when?: { version: Version }): Promise<boolean> {
    this.#check(key);
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      const stored = await this.#read(key);
      const live = this.#entry(key, stored);
      if (live === undefined || (when !== undefined && live.version !== when.version)) return false;
      const { ok } = await whenUnlocked(() =>
        this.#kv.atomic().check(stored).delete([...key]).commit()
      );
      if (ok) return true;
    }
    throw this.#contended(key);
  }

  async add(
    key: StoreKey,
    deltas: Readonly<Record<string, number>>,
    options: AddOptions = {},
  ): Promise<Readonly<Record<string, number>>> {
    this.#check(key);
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      const stored = await this.#read(key);
      const live = this.#entry<Record<string, number>>(key, stored);
      const sums = addCounters(live === undefined ? {} : live.value, deltas);
      const expiresAt = live === undefined ? options.expiresAt : live.expiresAt;
      const envelope = { value: sums, ...(expiresAt === undefined ? {} : { expiresAt }) };
      if (await this.#commit(key, stored, envelope) === undefined) continue;
      return options.sums === false ? {} : sums;
    }
    throw this.#contended(key);
  }

  async apply(
    id: string,
    writes: readonly StoreWrite[],
    { expiresAt }: { expiresAt: number },
  ): Promise<boolean> {
    checkBatch(id, writes, this.batchLimits);
    const mark = batchKey(id);
    this.#check(mark);
    // What is put is not read: of a batch of records that leaves the mark and a few sums.
    const added = writes.filter(({ add }) => add !== undefined);
    const keys = [mark, ...added.map(({ key }) => key)];
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      const [marked, ...sums] = await this.#readAll(keys);
      if (marked === undefined || this.#entry(mark, marked) !== undefined) return false;
      const batch = this.#kv.atomic().check(marked);
      this.#set(batch, mark, { value: true, expiresAt });
      for (const { key, put: value, add, expiresAt } of writes) {
        if (add !== undefined) continue;
        this.#set(batch, key, { value, ...(expiresAt === undefined ? {} : { expiresAt }) });
      }
      for (const [at, write] of added.entries()) {
        const before = sums[at] as Deno.KvEntryMaybe<string>;
        batch.check(before);
        this.#set(batch, write.key, this.#sum(write, before));
      }
      if ((await whenUnlocked(() => batch.commit())).ok) return true;
    }
    throw this.#contended(mark);
  }

  async *list<T>(partition: string, options: ListOptions = {}): AsyncIterable<Entry<T>> {
    this.#check([partition, "any"]);
    const range = sortRange(options);
    let left = options.limit ?? Infinity;
    if (range === undefined || left <= 0) return;
    const { lower = "", upper } = range;
    const selector = {
      start: [partition, lower],
      end: [partition, upper ?? true], // true sorts after every string
    };
    const { reverse = false } = options;
    for await (const stored of this.#kv.list<string>(selector, { reverse })) {
      const sort = stored.key[1];
      if (typeof sort !== "string") continue;
      const entry = this.#entry<T>([partition, sort], stored);
      if (entry === undefined) continue;
      yield entry;
      if (--left <= 0) return;
    }
  }

  async ping(): Promise<void> {
    if (this.#closed) throw new StoreClosed();
    await this.#read(["outcrop", "ping"]);
  }

  // deno-lint-ignore require-await
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#kv.close();
  }

  #read(key: StoreKey): Promise<Deno.KvEntryMaybe<string>> {
    return whenUnlocked(() => this.#kv.get<string>([...key]));
  }

  async #readAll(keys: readonly StoreKey[]): Promise<Deno.KvEntryMaybe<string>[]> {
    const found: Deno.KvEntryMaybe<string>[] = [];
    for (let at = 0; at < keys.length; at += MOST_READ) {
      const some = keys.slice(at, at + MOST_READ).map((key) => [...key]);
      found.push(...await whenUnlocked(() => this.#kv.getMany<string[]>(some)));
    }
    return found;
  }

  #sum(write: StoreWrite, before: Deno.KvEntryMaybe<string>): Envelope {
    const live = this.#entry<Record<string, number>>(write.key, before);
    const value = addCounters(live === undefined ? {} : live.value, write.add ?? {});
    const expiresAt = live === undefined ? write.expiresAt : live.expiresAt;
    return { value, ...(expiresAt === undefined ? {} : { expiresAt }) };
  }

  #set(batch: Deno.AtomicOperation, key: StoreKey, envelope: Envelope): void {
    batch.set([...key], this.#encode(key, envelope), this.#life(envelope));
  }

  #check(key: StoreKey): void {
    if (this.#closed) throw new StoreClosed();
    checkKey(key);
  }

  #encode(key: StoreKey, envelope: Envelope): string {
    const json = JSON.stringify(envelope);
    if (
      json.length * 3 > LARGEST_VALUE && new TextEncoder().encode(json).byteLength > LARGEST_VALUE
    ) {
      throw new RangeError(
        `Cannot store ${key.join("/")} as it must be at most ${LARGEST_VALUE} bytes of JSON`,
      );
    }
    return json;
  }

  /** The database forgets a while after the entry has ended; until then reads leave it out. */
  #life({ expiresAt }: Envelope): { expireIn?: number } {
    return expiresAt === undefined
      ? {}
      : { expireIn: Math.max(expiresAt - this.#clock.now(), 1) + 60_000 };
  }

  async #commit(
    key: StoreKey,
    stored: Deno.KvEntryMaybe<string>,
    envelope: Envelope,
  ): Promise<Version | undefined> {
    const value = this.#encode(key, envelope);
    const done = await whenUnlocked(() =>
      this.#kv.atomic().check(stored).set([...key], value, this.#life(envelope)).commit()
    );
    return done.ok ? done.versionstamp : undefined;
  }

  #entry<T>(
    key: StoreKey,
    { value, versionstamp }: Deno.KvEntryMaybe<string>,
  ): Entry<T> | undefined {
    if (value === null) return undefined;
    const { value: content, expiresAt } = JSON.parse(value) as { value: T; expiresAt?: number };
    if (expiresAt !== undefined && expiresAt <= this.#clock.now()) return undefined;
    const entry = { key, value: content, version: versionstamp };
    return expiresAt === undefined ? entry : { ...entry, expiresAt };
  }

  #contended(key: StoreKey): Error {
    return new Error(
      `Cannot write ${key.join("/")} as other writers came first ${MOST_TURNS} times`,
    );
  }
}
