/**
 * API keys: made, listed, revoked, and told apart.
 *
 * A key exists in plain text once, in the answer to its making. Stored is a keyed hash (HMAC-SHA-256), so
 * that a dump of the store gives nobody a key.
 * @module
 */
import { Buffer } from "node:buffer";
import { randomBytes, timingSafeEqual } from "node:crypto";
import type { Clock } from "../clock.ts";
import { Hmac } from "../sha256.ts";
import { type Answer, VerdictCache } from "./key_cache.ts";
import type { KeyFields, KeyRecord, KeyVerdict } from "./key_record.ts";
import { idOfKey, isTagged, type KeyedHash, newKeyId, newKeyText } from "./key_text.ts";
import { KeyUses } from "./key_uses.ts";
import type { Store } from "./store.ts";

export type { KeyFields, KeyRecord, KeyVerdict };

/** A record as stored: with hashes, of which several may be valid while a key is rotated. */
interface StoredKey extends KeyRecord {
  readonly hashes: readonly { readonly hash: string; readonly valid_until?: string }[];
}

const PARTITION = "keys";
const SECRET_KEY = ["meta", "key_secret"] as const;
const MALFORMED: KeyVerdict = { ok: false, reason: "malformed" };
const NO_HASH = Buffer.alloc(32);

/** What `update` changes: absent = left as it is, null = taken away. */
export type KeyChanges = { readonly [field in keyof KeyFields]?: KeyFields[field] | null };

/** A key with a new text. */
export interface RotatedKey {
  /** The key. */
  readonly record: KeyRecord;
  /** Its text, here and never again. */
  readonly key: string;
  /** ISO time until which the old text is taken. */
  readonly previous_valid_until: string;
}

function earlier(a: string | undefined, b: string): string {
  return a === undefined || Date.parse(a) > Date.parse(b) ? b : a;
}

function soonest(textEndsAt: number | undefined, expires_at: string | undefined) {
  const ends = [
    textEndsAt ?? Infinity,
    expires_at === undefined ? Infinity : Date.parse(expires_at),
  ];
  const end = Math.min(...ends);
  return end === Infinity ? undefined : end;
}

function withUse(record: KeyRecord, last_used_at: string | undefined): KeyRecord {
  return last_used_at === undefined ? record : { ...record, last_used_at };
}

function publicPart({ hashes: _, ...record }: StoredKey): KeyRecord {
  return record;
}

/** The keys of one store. */
export class Keys {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #hash: KeyedHash;
  readonly #cache: VerdictCache;
  readonly #uses: KeyUses;

  private constructor(
    store: Store,
    { clock, secret, validWhileDownMs }: {
      clock: Clock;
      secret: Buffer;
      validWhileDownMs: number;
    },
  ) {
    this.#store = store;
    this.#clock = clock;
    const hmac = new Hmac(secret);
    this.#hash = (text) => hmac.hex(text);
    this.#uses = new KeyUses(store, clock);
    const ask = (presented: string) => this.#verify(presented);
    this.#cache = new VerdictCache(clock, ask, validWhileDownMs);
  }

  /**
   * Opens the keys of a store.
   *
   * @param options.secret The secret of the hash. Default: one made once and kept in the store
   * @param options.validWhileDownMs How long a verdict counts on while the store does not answer. Default: not at all
   */
  static async open(
    store: Store,
    options: { clock: Clock; secret?: string; validWhileDownMs?: number },
  ): Promise<Keys> {
    const { clock, validWhileDownMs = 0 } = options;
    const secret = Buffer.from(options.secret ?? await sharedSecret(store), "utf8");
    return new Keys(store, { clock, secret, validWhileDownMs });
  }

  /** Monotonic time at which the store last answered a question about a key. */
  get answeredAt(): number {
    return this.#cache.answeredAt;
  }

  /** Makes a key. `key` is its text, here and never again. */
  async create(fields: KeyFields): Promise<{ record: KeyRecord; key: string }> {
    const id = newKeyId();
    const text = newKeyText(id, this.#hash);
    const created_at = new Date(this.#clock.now()).toISOString();
    const stored: StoredKey = { id, ...fields, created_at, hashes: [{ hash: this.#hash(text) }] };
    if (await this.#store.put([PARTITION, id], stored, { when: "absent" }) === undefined) {
      throw new Error(`Cannot make key ${id} as its id must be new: it is taken; try again`);
    }
    return { record: publicPart(stored), key: text };
  }

  /** The key with this id. */
  async get(id: string): Promise<KeyRecord | undefined> {
    if (id === "") return undefined;
    const entry = await this.#store.get<StoredKey>([PARTITION, id]);
    if (entry === undefined) return undefined;
    return withUse(publicPart(entry.value), await this.#uses.of(id));
  }

  /** Every key, revoked ones too, by id. */
  async *list(): AsyncIterable<KeyRecord> {
    const uses = await this.#uses.all();
    for await (const { value } of this.#store.list<StoredKey>(PARTITION)) {
      yield withUse(publicPart(value), uses.get(value.id));
    }
  }

  /** How many keys are in force. */
  async count(): Promise<number> {
    let count = 0;
    for await (const key of this.list()) if (this.#refusal(key) === undefined) count++;
    return count;
  }

  /** Revokes a key. Servers that run refuse it within 2 s. Undefined if there is none with this id. */
  async revoke(id: string): Promise<KeyRecord | undefined> {
    const revoked_at = new Date(this.#clock.now()).toISOString();
    return await this.#change(
      id,
      (key) => key.revoked_at === undefined ? { ...key, revoked_at } : key,
    );
  }

  /**
   * Changes what a key's holder may do; null takes a field away. Servers that run follow within 2 s. Undefined if
   * there is none with this id.
   *
   * @param changes What changes, or what tells it of the key as it is: told again when others changed it meanwhile
   */
  async update(
    id: string,
    changes: KeyChanges | ((before: KeyRecord) => KeyChanges),
  ): Promise<KeyRecord | undefined> {
    return await this.#change(id, (key) => {
      const told = typeof changes === "function" ? changes(publicPart(key)) : changes;
      const changed = Object.entries({ ...key, ...told }).filter(([, value]) => value !== null);
      return Object.fromEntries(changed) as unknown as StoredKey;
    });
  }

  /**
   * Gives a key a new text under its old id; the old text stays valid for `graceMs`. Undefined if there is none
   * with this id.
   *
   * @throws {Error} If the key is revoked
   */
  async rotate(id: string, graceMs: number): Promise<RotatedKey | undefined> {
    const key = newKeyText(id, this.#hash);
    const now = this.#clock.now();
    const valid_until = new Date(now + graceMs).toISOString();
    const record = await this.#change(id, (stored) => {
      if (stored.revoked_at !== undefined) {
        throw new Error(
          `Cannot rotate ${id} as it must be in force: it is revoked; make a new key`,
        );
      }
      const still = stored.hashes
        .filter((one) => one.valid_until === undefined || Date.parse(one.valid_until) > now)
        .map((one) => ({ hash: one.hash, valid_until: earlier(one.valid_until, valid_until) }));
      return { ...stored, hashes: [{ hash: this.#hash(key) }, ...still] };
    });
    return record === undefined ? undefined : { record, key, previous_valid_until: valid_until };
  }

  /** Notes that a key is used now; see {@link KeyUses.note}. */
  used(id: string): void {
    this.#uses.note(id);
  }

  /** Resolves when what was noted of keys has been written. */
  async settled(): Promise<void> {
    await this.#uses.settled();
  }

  /** Changes a stored key, over again while others change it too. */
  async #change(id: string, change: (key: StoredKey) => StoredKey): Promise<KeyRecord | undefined> {
    if (id === "") return undefined;
    for (;;) {
      const entry = await this.#store.get<StoredKey>([PARTITION, id]);
      if (entry === undefined) return undefined;
      const changed = change(entry.value);
      if (changed === entry.value) return publicPart(changed);
      const when = { version: entry.version };
      if (await this.#store.put([PARTITION, id], changed, { when }) !== undefined) {
        return publicPart(changed);
      }
    }
  }

  /**
   * Whose key this is, or why it is refused. From memory for 2 s; rejects if the store does not answer and nothing is
   * known of the key that may count on.
   */
  verify(presented: string): KeyVerdict | Promise<KeyVerdict> {
    // What this gateway did not make is told by its shape and its tag, and costs the store nothing.
    if (idOfKey(presented) === undefined) return MALFORMED;
    const hash = this.#hash(presented);
    if (!this.#cache.has(hash) && !isTagged(presented, this.#hash)) return MALFORMED;
    return this.#cache.get(presented, hash);
  }

  async #verify(presented: string): Promise<Answer> {
    const id = idOfKey(presented) ?? "";
    const entry = await this.#store.get<StoredKey>([PARTITION, id]);
    const hash = Buffer.from(this.#hash(presented), "hex");
    const now = this.#clock.now();
    let matches = false;
    let textEndsAt: number | undefined;
    // An unknown id takes as long as a known one, and no comparison ends early.
    for (
      const { hash: wanted, valid_until } of entry?.value.hashes ??
        [{ hash: NO_HASH.toString("hex") }]
    ) {
      const endsAt = valid_until === undefined ? undefined : Date.parse(valid_until);
      const inTime = endsAt === undefined || endsAt > now;
      const equal = timingSafeEqual(hash, Buffer.from(wanted, "hex"));
      if (equal && inTime) textEndsAt = endsAt;
      matches = (equal && inTime) || matches;
    }
    if (entry === undefined || !matches) {
      return { verdict: { ok: false, reason: "unknown" }, endsAt: undefined };
    }
    const reason = this.#refusal(entry.value);
    if (reason !== undefined) return { verdict: { ok: false, reason }, endsAt: undefined };
    const key = publicPart(entry.value);
    return { verdict: { ok: true, key }, endsAt: soonest(textEndsAt, key.expires_at) };
  }

  #refusal({ revoked_at, expires_at }: KeyRecord): "revoked" | "expired" | undefined {
    if (revoked_at !== undefined) return "revoked";
    return expires_at !== undefined && Date.parse(expires_at) <= this.#clock.now()
      ? "expired"
      : undefined;
  }
}

/** Made by whoever opens the store first; everybody else reads it. */
async function sharedSecret(store: Store): Promise<string> {
  const mine = randomBytes(32).toString("hex");
  if (await store.put(SECRET_KEY, mine, { when: "absent" }) !== undefined) return mine;
  const kept = await store.get<string>(SECRET_KEY);
  if (kept === undefined) {
    throw new Error("Cannot open keys as their secret must be in the store: it is gone");
  }
  return kept.value;
}
