/**
 * `usage`: what every request for a message came to. A record of each is kept for `records_days`; sums by hour,
 * key, user, team and model for `rollup_days`: they are what `outcrop usage` shows. Days and hours are UTC.
 *
 * - Partition `records/<YYYY-MM-DD>`, sort `<ISO time>/<request id>`: the record, see `recordOf`.
 * - Partition `rollup/<YYYY-MM-DD>`, sort `["<YYYY-MM-DDTHH>", key id, user, team, model asked]` as JSON with null
 *   for none, so that no name is taken for another: counters, see `rollupOf`.
 *
 * No answer waits for it: what is to be written is queued. Sums are taken in memory as a request ends, so that
 * they are whole even where a store that is down makes records go.
 *
 * @module
 */
import type { CompleteContext, Host, Plugin, PluginFactory } from "../src/pipeline/plugin.ts";

const DAY_MS = 86_400_000;
const FLUSH_MS = 250;
/** A store that is down is not asked at the pace of one that works. */
const RETRY_MS = 1_000;
/** Writes at the same time; so many requests are written at once. */
const BATCH = 100;
/** Records kept while the store is down: some 10 MB. */
const MOST_RECORDS = 10_000;
/** Sums kept while it is down; beyond them models are not told apart, as clients can make up names without end. */
const MOST_SUMS = 10_000;
const TELL_EVERY_MS = 60_000;
/** Bytes of a name: a key of the store holds four, and has 1,024. */
const LONGEST_NAME = 200;
const LONGEST_HEADER = 200;
/** Beyond what any request uses: figures out of their mind must not make a sum that the store refuses. */
const MOST_COUNTED = 1e13;

interface Days {
  readonly records_days: number;
  readonly rollup_days: number;
}

type UsageRecord = Awaited<ReturnType<typeof recordOf>>;
type Rollup = ReturnType<typeof rollupOf>;

interface KeptRecord {
  readonly record: UsageRecord;
  readonly expiresAt: number;
}

/** A name as a key of the store can hold it: whole, or its beginning and its digest. */
async function fitting(name: string | undefined): Promise<string | null> {
  if (name === undefined) return null;
  const bytes = new TextEncoder().encode(JSON.stringify(name));
  if (bytes.byteLength <= LONGEST_NAME) return name;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return `${name.slice(0, 24)}…${digest.subarray(0, 8).toHex()}`;
}

function whole(count: unknown): number {
  if (typeof count !== "number" || !(count > 0)) return 0;
  return Math.min(Math.trunc(count), MOST_COUNTED);
}

/** Tokens as they are priced: cache writes that are not told by life are those of five minutes. */
function tokensOf({ billed }: CompleteContext) {
  const { usage } = billed ?? {};
  const written = whole(usage?.cache_creation_input_tokens);
  const hour = Math.min(whole(usage?.cache_creation?.ephemeral_1h_input_tokens), written);
  return {
    input_tokens: whole(usage?.input_tokens),
    output_tokens: whole(usage?.output_tokens),
    cache_read_input_tokens: whole(usage?.cache_read_input_tokens),
    cache_write_5m_tokens: written - hour,
    cache_write_1h_tokens: hour,
  };
}

async function recordOf(ctx: CompleteContext) {
  const { principal, served, billed, timings } = ctx;
  const header = (name: string) => ctx.headers.get(name)?.slice(0, LONGEST_HEADER) ?? null;
  return {
    id: ctx.id,
    at: new Date(ctx.startedAt).toISOString(),
    key_id: await fitting(principal?.id),
    key_name: await fitting(principal?.name), // as it is at this time
    user: await fitting(principal?.key?.user),
    team: await fitting(principal?.key?.team),
    model: await fitting(ctx.model), // as the client asked for it
    model_id: served?.modelId ?? null,
    base_model: served?.baseModel ?? null,
    route: served?.route ?? null,
    tier: served === undefined ? null : served.tier ?? "default",
    region: served?.region ?? null,
    ...tokensOf(ctx),
    nano_usd: whole(billed?.nano_usd),
    listed: billed?.listed ?? null,
    estimated: billed?.estimated ?? false,
    total_ms: Math.round(timings.totalMs),
    first_byte_ms: timings.firstByteMs === null ? null : Math.round(timings.firstByteMs),
    stop_reason: ctx.stopReason,
    outcome: ctx.outcome,
    status: ctx.status,
    error_type: ctx.error?.type ?? null,
    user_agent: header("user-agent"),
    session_id: header("x-claude-code-session-id"),
    agent_id: header("x-claude-code-agent-id"),
    bedrock_request_id: served?.bedrockRequestId ?? null,
  };
}

function rollupOf(record: UsageRecord, days: number) {
  const { key_id: key, user, team, model } = record;
  const [day, hour] = [record.at.slice(0, 10), record.at.slice(0, 13)];
  const counters: Readonly<Record<string, number>> = {
    requests: 1,
    input_tokens: record.input_tokens,
    output_tokens: record.output_tokens,
    cache_read_input_tokens: record.cache_read_input_tokens,
    cache_write_5m_tokens: record.cache_write_5m_tokens,
    cache_write_1h_tokens: record.cache_write_1h_tokens,
    nano_usd: record.nano_usd,
    failed: record.outcome === "failed" ? 1 : 0,
    estimated: record.estimated ? 1 : 0,
  };
  return {
    key: [`rollup/${day}`, JSON.stringify([hour, key, user, team, model])] as const,
    counters,
    expiresAt: Date.parse(day) + (days + 1) * DAY_MS, // the day lives as a whole
  };
}

/** Writes items, some at a time, and returns those not taken. A batch of which none is taken is the last. */
async function writeBatches<T>(items: readonly T[], write: (item: T) => Promise<unknown>) {
  const left: T[] = [];
  let error: unknown;
  for (let at = 0; at < items.length; at += BATCH) {
    const batch = items.slice(at, at + BATCH);
    const results = await Promise.allSettled(batch.map(write));
    const refused = batch.filter((_, index) => results[index]?.status === "rejected");
    left.push(...refused);
    error ??= results.find((result) => result.status === "rejected")?.reason;
    if (refused.length === batch.length) {
      return { left: [...left, ...items.slice(at + BATCH)], error };
    }
  }
  return { left, error };
}

/** What waits to be written. */
class Queue {
  #host: Host;
  #records: KeptRecord[] = [];
  #rollups = new Map<string, Rollup>();
  #underWay = 0;
  #added = 0;
  #dropped = 0;
  #failure: unknown;
  #toldAt = -Infinity;
  #writing: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;
  readonly #unpriced = new Set<string>();

  constructor(host: Host) {
    this.#host = host;
  }

  /** The queue of this process: it stays in memory over a reload of config.yaml, which so loses nothing. */
  static of(host: Host): Queue {
    const queue = (host.memory.get("queue") as Queue | undefined) ?? new Queue(host);
    queue.#host = host;
    host.memory.set("queue", queue);
    return queue;
  }

  add(record: UsageRecord, { records_days, rollup_days }: Days): void {
    const summed = this.#rollups.size < MOST_SUMS ? record : { ...record, model: null };
    this.#merge(rollupOf(summed, rollup_days));
    const expiresAt = Date.parse(record.at) + records_days * DAY_MS;
    if (records_days > 0) this.#records.push({ record, expiresAt });
    this.#trim();
    if (record.listed === false) this.#tellUnpriced(record.base_model ?? "");
    if (++this.#added >= BATCH && this.#failure === undefined) void this.#flush();
    else this.#schedule();
  }

  /** Writes all there is; what the store does not take is told, and stays. */
  async drain(): Promise<void> {
    await this.#writing;
    for (let turn = 0; turn < 3 && this.#waiting > 0; turn++) await this.#flush();
    this.#stopTimer();
    if (this.#waiting > 0) this.#tell("Usage is lost with this process: the store did not take it");
  }

  get #waiting(): number {
    return this.#records.length + this.#rollups.size;
  }

  #merge(rollup: Rollup): void {
    const place = rollup.key.join("\n");
    const counters = { ...this.#rollups.get(place)?.counters };
    for (const [name, n] of Object.entries(rollup.counters)) {
      counters[name] = n + (counters[name] ?? 0);
    }
    this.#rollups.set(place, { ...rollup, counters });
  }

  /** The oldest records go first: their sums are taken already. */
  #trim(): void {
    const over = this.#records.length + this.#underWay - MOST_RECORDS;
    if (over > 0) this.#dropped += this.#records.splice(0, over).length;
  }

  #schedule(): void {
    if (this.#writing !== undefined) return; // it schedules what comes meanwhile
    const ms = this.#failure === undefined ? FLUSH_MS : RETRY_MS;
    this.#cancelTimer ??= this.#host.clock.after(ms, () => void this.#flush());
  }

  #stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #flush(): Promise<void> {
    return this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
      if (this.#waiting > 0) this.#schedule();
    });
  }

  async #write(): Promise<void> {
    this.#stopTimer();
    const { store } = this.#host;
    const [rollups, records] = [[...this.#rollups.values()], this.#records];
    [this.#rollups, this.#records] = [new Map(), []];
    [this.#added, this.#underWay] = [0, records.length];
    const sums = await writeBatches(
      rollups,
      ({ key, counters, expiresAt }) => store.add(key, counters, { expiresAt }),
    );
    const kept = await writeBatches(records, ({ record, expiresAt }) => {
      const { at, id } = record;
      return store.put([`records/${at.slice(0, 10)}`, `${at}/${id}`], record, { expiresAt });
    });
    for (const rollup of sums.left) this.#merge(rollup);
    this.#underWay = 0;
    this.#records = [...kept.left, ...this.#records];
    this.#trim();
    this.#failure = sums.error ?? kept.error;
    const due = this.#host.clock.monotonic() - this.#toldAt >= TELL_EVERY_MS;
    if (this.#failure !== undefined && due) this.#tell("Usage waits: the store did not take it");
  }

  #tell(message: string): void {
    this.#toldAt = this.#host.clock.monotonic();
    this.#host.log.error(message, {
      records: this.#records.length,
      sums: this.#rollups.size,
      dropped_records: this.#dropped,
      cause: String(this.#failure),
    });
  }

  #tellUnpriced(model: string): void {
    if (this.#unpriced.has(model)) return;
    this.#unpriced.add(model);
    const remedy = "give it one in the file that 'pricing' in config.yaml names";
    this.#host.log.warning(`{model} has no price and is billed the default: ${remedy}`, { model });
  }
}

/** The `usage` plugin; settings under `with:` are documented on its schema. */
const usage: PluginFactory = ({ define, z }): Plugin =>
  define({
    name: "usage",
    schema: z.strictObject({
      records_days: z.int().min(0).max(3_650).default(30).describe(
        "Days for which a record of each request is kept; 0 = none is.",
      ),
      rollup_days: z.int().min(1).max(3_650).default(400).describe(
        "Days for which sums by hour, key, user, team and model are kept.",
      ),
    }).prefault({}),
    setup(days, host) {
      const queue = Queue.of(host);
      return {
        async onComplete(ctx) {
          // Who has no key leaves nothing: bad keys by the thousand must not grow the store.
          if (ctx.endpoint !== "messages" || ctx.principal === undefined) return;
          queue.add(await recordOf(ctx), days);
        },
        close: () => queue.drain(),
      };
    },
  });

export default usage;
