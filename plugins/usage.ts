/**
 * `usage`: what every request for a message came to. A record of each is kept for `records_days`; sums by hour,
 * key, user, team and model for `rollup_days`: they are what `outcrop usage` shows. Days and hours are UTC.
 *
 * - Partition `records/<YYYY-MM-DD>`, sort `<ISO time>/<request id>`: the record, see `recordOf`. With
 *   `record_partitions`, a part of the day's records lies in `records/<YYYY-MM-DD>/<n>` each, see {@link recordPartition}.
 * - Partition `rollup/<YYYY-MM-DD>`, sort `["<YYYY-MM-DDTHH>", key id, user, team, model asked]` as JSON with null
 *   for none, so that no name is taken for another: counters, see {@link rollupOf}.
 *
 * Record and sum are one posting of the ledger: both reach the store, once, or neither. The end of the answer waits
 * until it is noted, so that what a client saw to its end is counted, whatever ends after it.
 *
 * @module
 */
import type {
  CompleteContext,
  Host,
  Plugin,
  PluginFactory,
  StoreWrite,
} from "../src/pipeline/plugin.ts";

const DAY_MS = 86_400_000;
/** Bytes of a name: a key of the store holds four, and has 1,024. */
const LONGEST_NAME = 200;
const LONGEST_HEADER = 200;
/** Beyond what any request uses: figures out of their mind must not make a sum that the store refuses. */
const MOST_COUNTED = 1e13;

/** What sums need to know of a record. */
export interface CountedRecord {
  /** ISO time at which the request came. */
  readonly at: string;
  /** Id of the key. */
  readonly key_id: string | null;
  /** Whose key. */
  readonly user: string | null;
  /** Whose team's key. */
  readonly team: string | null;
  /** Model asked for. */
  readonly model: string | null;
  /** Tokens neither read from nor written to the cache. */
  readonly input_tokens: number;
  /** Tokens of the answer. */
  readonly output_tokens: number;
  /** Tokens read from the cache. */
  readonly cache_read_input_tokens: number;
  /** Tokens written to the cache for five minutes. */
  readonly cache_write_5m_tokens: number;
  /** Tokens written to the cache for an hour. */
  readonly cache_write_1h_tokens: number;
  /** Nano-dollars. */
  readonly nano_usd: number;
  /** How it ended. */
  readonly outcome: string;
  /** Whether the final figures never came. */
  readonly estimated: boolean;
}

/** Printable ASCII: JSON writes at most two bytes for each. */
const PLAIN = /^[\x20-\x7e]{0,99}$/;

/** A name as a key of the store can hold it: whole, or its beginning and its digest. */
function fitting(name: string | undefined): string | null | Promise<string> {
  if (name === undefined) return null;
  return PLAIN.test(name) ? name : shortened(name);
}

async function shortened(name: string): Promise<string> {
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

/** Names as keys of the store can hold them: at once, where all of them fit as they are. */
function namesOf({ principal, model }: CompleteContext): Names | Promise<Names> {
  const names = [
    fitting(principal?.id),
    fitting(principal?.name),
    fitting(principal?.key?.user),
    fitting(principal?.key?.team),
    fitting(model),
  ];
  return names.some((name) => name instanceof Promise) ? Promise.all(names) : names as Names;
}

/** Of key, key's name, user, team and model. */
type Names = readonly (string | null)[];

function recordOf(ctx: CompleteContext, names: Names) {
  const [id = null, name = null, user = null, team = null, model = null] = names;
  const { served, billed, timings } = ctx;
  const header = (name: string) => ctx.headers.get(name)?.slice(0, LONGEST_HEADER) ?? null;
  return {
    id: ctx.id,
    at: new Date(ctx.startedAt).toISOString(),
    key_id: id,
    key_name: name, // as it is at this time
    user,
    team,
    model, // as the client asked for it
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

/** The sum that a record counts for, and what it adds. */
export function rollupOf(record: CountedRecord): {
  readonly key: readonly [partition: string, sort: string];
  readonly add: Readonly<Record<string, number>>;
} {
  const { at, key_id: key, user, team, model } = record;
  const hour = at.slice(0, 13);
  return {
    key: [`rollup/${at.slice(0, 10)}`, JSON.stringify([hour, key, user, team, model])],
    add: {
      requests: 1,
      input_tokens: record.input_tokens,
      output_tokens: record.output_tokens,
      cache_read_input_tokens: record.cache_read_input_tokens,
      cache_write_5m_tokens: record.cache_write_5m_tokens,
      cache_write_1h_tokens: record.cache_write_1h_tokens,
      nano_usd: record.nano_usd,
      failed: record.outcome === "failed" ? 1 : 0,
      estimated: record.estimated ? 1 : 0,
    },
  };
}

/**
 * The partition of a record. A day's records come in order of time: whatever its size, a store writes the end of a
 * partition in one place, DynamoDB 1,000 units a second. So a large fleet spreads them.
 */
export function recordPartition(day: string, part: number): string {
  return part === 0 ? `records/${day}` : `records/${day}/${part}`;
}

/** Which part of so many a request's record lies in: by its id, as one key or one moment may have all of them. */
function partOf(id: string, parts: number): number {
  if (parts === 1) return 0;
  let hash = 0x811c9dc5; // FNV-1a
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % parts;
}

/** Unix milliseconds at which a sum ends: `days` after its day, which lives as a whole. */
export function rollupEnd(at: string, days: number): number {
  return Date.parse(at.slice(0, 10)) + (days + 1) * DAY_MS;
}

/** Who tells that a model has no price tells it once. */
function unpricedTeller(host: Host): (model: string) => void {
  const told = new Set<string>();
  return (model) => {
    if (told.has(model)) return;
    told.add(model);
    const remedy = "give it one in the file that 'pricing' in config.yaml names";
    host.log.warning(`{model} has no price and is billed the default: ${remedy}`, { model });
  };
}

/** The `usage` plugin; settings under `with:` are documented on its schema. */
const usage: PluginFactory = ({ define, z }): Plugin =>
  define({
    name: "usage",
    schema: z.strictObject({
      records_days: z.int().min(0).max(3_650).default(30).describe(
        "Days for which a record of each request is kept; 0 = none is.",
      ),
      record_partitions: z.int().min(1).max(512).default(1).describe(
        "Partitions that a day's records are spread over. DynamoDB takes some 400 records a second in each; see docs/scale.md. The same on all replicas; lowered, what lay in the others is no longer verified.",
      ),
      rollup_days: z.int().min(1).max(3_650).default(400).describe(
        "Days for which sums by hour, key, user, team and model are kept.",
      ),
    }).prefault({}),
    holdsReply: true,
    setup({ records_days, record_partitions, rollup_days }, host) {
      const tellUnpriced = unpricedTeller(host);
      const post = (record: ReturnType<typeof recordOf>): Promise<void> => {
        const { at, id, listed, base_model } = record;
        if (listed === false) tellUnpriced(base_model ?? "");
        const writes: StoreWrite[] = [
          { ...rollupOf(record), expiresAt: rollupEnd(at, rollup_days) },
        ];
        if (records_days > 0) {
          const expiresAt = Date.parse(at) + records_days * DAY_MS;
          writes.push({
            key: [
              recordPartition(at.slice(0, 10), partOf(id, record_partitions)),
              `${at}/${id}`,
            ],
            put: record,
            expiresAt,
          });
        }
        return host.ledger.post(writes);
      };
      return {
        onComplete(ctx) {
          // Who has no key leaves nothing: bad keys by the thousand must not grow the store.
          if (ctx.endpoint !== "messages" || ctx.principal === undefined) return;
          const names = namesOf(ctx);
          return names instanceof Promise
            ? names.then((late) => post(recordOf(ctx, late)))
            : post(recordOf(ctx, names));
        },
      };
    },
  });

export default usage;
