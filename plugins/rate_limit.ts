/**
 * `rate_limit`: how many requests and tokens a minute, and how many requests at the same time, for each key, for
 * all keys of a user and for all keys of a team. Token buckets: each holds a minute's worth, is full at first and
 * fills evenly. A request is admitted in every scope or in none.
 *
 * Input and output tokens are reserved by estimate before Bedrock is asked, and settled by what it reported: a
 * bucket may owe the difference, which its refill pays. Counts are those of this process.
 *
 * @module
 */
import type {
  Billed,
  CallContext,
  Clock,
  KeyRecord,
  Plugin,
  PluginFactory,
  Principal,
  RequestContext,
  State,
} from "../src/pipeline/plugin.ts";

/** Limits of one scope; what is absent is not limited. */
type Figures = { readonly [name in keyof Required<KeyRecord>["limits"]]?: number | undefined };

/** What buckets hold; `…_per_minute` is the setting's name. */
type Kind = "requests" | "input_tokens" | "output_tokens";
const TOKENS: readonly Kind[] = ["input_tokens", "output_tokens"];

/** Clients ask for far more output than they use: what is reserved of it is bounded, and the rest settled. */
const MOST_OUTPUT_RESERVED = 4_096;
const LONGEST_RETRY_AFTER_S = 60;
/** Looked at with each request, to be forgotten if idle: more than the three that one request can add. */
const SWEPT = 8;
/** A bucket that owes more than this is told as if it owed this: 100 years, for a date must be one. */
const LONGEST_RESET_MS = 100 * 365 * 86_400_000;

/**
 * Parts of a token, or of a request. A limit per minute refills as many parts a millisecond as it has tokens, so
 * that whole milliseconds and whole tokens are counted without rounding.
 */
const PARTS = 60_000;

interface Bucket {
  limit: number;
  /** Parts that are left; below zero is owed. */
  level: number;
  /** Monotonic time at which `level` was right. */
  at: number;
}

/** What is kept of one key, user or team. */
interface Account {
  /** Requests under way. */
  running: number;
  readonly buckets: { [kind in Kind]?: Bucket };
}

/** One of the scopes that limit a request. */
interface Scope {
  /** As a sentence ends that tells whose limit it is. */
  readonly who: string;
  readonly limits: Figures;
  readonly account: Account;
}

/** What a request takes, or would take, of one bucket. */
interface Claim {
  readonly scope: Scope;
  readonly kind: Kind;
  readonly bucket: Bucket;
  readonly amount: number;
}

/** Why a request must wait, and how long. */
interface Wait {
  readonly why: string;
  readonly ms: number;
}

/** A request that was let in: what it must give back. */
interface Admitted {
  readonly scopes: readonly Scope[];
  reserved: readonly Claim[];
}

/** What outlives a reload of the configuration. */
interface Kept {
  readonly accounts: Map<string, Account>;
  /** By the request's own state: gone with the request, whatever becomes of it. */
  readonly admitted: WeakMap<State, Admitted>;
}

function refill(bucket: Bucket, now: number): void {
  const level = bucket.level + bucket.limit * (now - bucket.at);
  bucket.level = Math.min(level, bucket.limit * PARTS);
  bucket.at = now;
}

/** The bucket as it stands now. A changed limit moves what is left by the change: what was used stays used. */
function bucketOf({ buckets }: Account, kind: Kind, limit: number, now: number): Bucket {
  const bucket = buckets[kind] ??= { limit, level: limit * PARTS, at: now };
  refill(bucket, now);
  bucket.level += (limit - bucket.limit) * PARTS;
  bucket.limit = limit;
  return bucket;
}

/** Milliseconds until the bucket holds so many parts. */
function msUntil({ level, limit }: Bucket, parts: number): number {
  if (level >= parts) return 0;
  return limit > 0 ? (parts - level) / limit : Infinity;
}

function isIdle({ running, buckets }: Account, now: number): boolean {
  return running === 0 &&
    Object.values(buckets).every((bucket) =>
      msUntil(bucket, bucket.limit * PARTS) <= now - bucket.at
    );
}

/** Forgets accounts that are as good as new; the others go to the end, so that each has its turn. */
function sweep(accounts: Map<string, Account>, now: number): void {
  let looked = 0;
  for (const [id, account] of accounts) {
    if (looked++ === SWEPT) return;
    accounts.delete(id);
    if (!isIdle(account, now)) accounts.set(id, account);
  }
}

/** What the request takes of each bucket: at most all it can hold, so that a full one always admits. */
function claimsOf(
  scopes: readonly Scope[],
  kinds: readonly Kind[],
  { now, amountOf }: { now: number; amountOf: (kind: Kind) => number },
): Claim[] {
  return scopes.flatMap((scope) =>
    kinds.flatMap((kind) => {
      const limit = scope.limits[`${kind}_per_minute`];
      if (limit === undefined) return [];
      const bucket = bucketOf(scope.account, kind, limit, now);
      return [{ scope, kind, bucket, amount: Math.min(amountOf(kind), Math.max(limit, 1)) }];
    })
  );
}

function take(claims: readonly Claim[]): void {
  for (const { bucket, amount } of claims) bucket.level -= amount * PARTS;
}

/** The longest wait for one of the claims, or for a slot; undefined where there is none. */
function longestWait(claims: readonly Claim[], scopes: readonly Scope[]): Wait | undefined {
  const waits: Wait[] = claims.map(({ scope: { who }, kind, bucket, amount }) => ({
    why: `${kind.replace("_", " ")} per minute of ${who} are limited to ${bucket.limit}`,
    ms: msUntil(bucket, amount * PARTS),
  }));
  for (const { who, limits: { concurrency = Infinity }, account } of scopes) {
    if (account.running < concurrency) continue;
    const why = `requests at the same time of ${who} are limited to ${concurrency}`;
    waits.push({ why, ms: 1_000 }); // nobody knows when one ends: soon
  }
  return waits.filter(({ ms }) => ms > 0).sort((a, b) => b.ms - a.ms)[0];
}

/** Tells in the headers, of each limited kind, where the least is left; refuses the request if it must wait. */
function answer(
  ctx: RequestContext | CallContext,
  scopes: readonly Scope[],
  { wait, clock }: { wait: Wait | undefined; clock: Clock },
): void {
  const as = { now: clock.monotonic(), amountOf: () => 0 };
  for (const kind of ["requests", ...TOKENS] as const) {
    const [least] = claimsOf(scopes, [kind], as).sort((a, b) => a.bucket.level - b.bucket.level);
    if (least === undefined) continue;
    const { limit, level } = least.bucket;
    const name = `anthropic-ratelimit-${kind.replace("_", "-")}`;
    const untilFull = Math.min(msUntil(least.bucket, limit * PARTS), LONGEST_RESET_MS);
    const reset = new Date(Math.ceil(clock.now() + untilFull)).toISOString();
    ctx.responseHeaders.set(`${name}-limit`, String(limit));
    ctx.responseHeaders.set(`${name}-remaining`, String(Math.max(0, Math.floor(level / PARTS))));
    ctx.responseHeaders.set(`${name}-reset`, reset);
  }
  if (wait === undefined) return;
  const seconds = Math.max(1, Math.ceil(wait.ms / 1_000));
  const when = Number.isFinite(seconds) ? `try again in ${seconds} s, or ` : "";
  return ctx.reject(
    "rate_limit_error",
    `Cannot admit this request as the ${wait.why}: ${when}ask the gateway's operator for a higher limit`,
    { headers: { "retry-after": String(Math.min(seconds, LONGEST_RETRY_AFTER_S)) } },
  );
}

function count(value: number | null | undefined): number {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? value : 0;
}

/** Replaces what was reserved by what was used. Reads from the cache are free, as at Anthropic (Rate limits). */
function settle(reserved: readonly Claim[], billed: Billed | null, now: number): void {
  const usage = billed?.usage;
  const input = count(usage?.input_tokens) + count(usage?.cache_creation_input_tokens);
  const output = count(usage?.output_tokens);
  for (const { bucket, kind, amount } of reserved) {
    refill(bucket, now); // first: what ran over meanwhile is lost; what runs over now, at the next look
    bucket.level += (amount - (kind === "input_tokens" ? input : output)) * PARTS;
  }
}

/** The scopes that limit whoever sends the request: its key, the key's user, the key's team. */
function scopesOf(
  principal: Principal | undefined,
  settings: Figures & { readonly user?: Figures | undefined; readonly team?: Figures | undefined },
  accounts: Map<string, Account>,
): Scope[] {
  const { id = "anonymous", key } = principal ?? {};
  const { user, team, ...figures } = settings;
  const scopes: (readonly [id: string, who: string, limits: Figures | undefined])[] = [
    [`key ${id}`, key ? "this key" : id, { ...figures, ...key?.limits }],
    [`user ${key?.user}`, `user '${key?.user}'`, key?.user === undefined ? undefined : user],
    [`team ${key?.team}`, `team '${key?.team}'`, key?.team === undefined ? undefined : team],
  ];
  return scopes.flatMap(([account, who, limits = {}]) => {
    if (Object.values(limits).every((limit) => limit === undefined)) return [];
    const kept = accounts.get(account) ?? { running: 0, buckets: {} };
    accounts.set(account, kept);
    return [{ who, limits, account: kept }];
  });
}

/** The `rate_limit` plugin; settings under `with:` are documented on its schema. */
const rateLimit: PluginFactory = ({ define, z }): Plugin => {
  const limit = (what: string) => z.int().min(1).optional().describe(what);
  const figures = (whose: string) => ({
    requests_per_minute: limit(`Requests per minute ${whose}.`),
    input_tokens_per_minute: limit(`Input tokens per minute ${whose}; cache reads are free.`),
    output_tokens_per_minute: limit(`Output tokens per minute ${whose}.`),
    concurrency: limit(`Requests at the same time ${whose}.`),
  });
  const shared = (whose: string) =>
    z.strictObject(figures(whose)).optional().describe(`Limits ${whose}; what is absent is none.`);

  return define({
    name: "rate_limit",
    schema: z.strictObject({
      ...figures("of a key, where it has no limit of its own"),
      user: shared("of all keys of a user together"),
      team: shared("of all keys of a team together"),
    }).prefault({}),
    requires: ["auth"],
    setup(settings, host) {
      const { clock, memory } = host;
      const fresh: Kept = { accounts: new Map(), admitted: new WeakMap() };
      const { accounts, admitted } = memory.get("kept") as Kept | undefined ?? fresh;
      memory.set("kept", { accounts, admitted });

      return {
        // The hooks are not async: between the look at a bucket and the taking, nobody else takes.
        onRequest(ctx) {
          if (ctx.endpoint !== "messages") return;
          const now = clock.monotonic();
          sweep(accounts, now);
          const scopes = scopesOf(ctx.principal, settings, accounts);
          const claims = claimsOf(scopes, ["requests"], { now, amountOf: () => 1 });
          const wait = longestWait(claims, scopes);
          if (wait === undefined) {
            take(claims);
            for (const { account } of scopes) account.running++;
            admitted.set(ctx.state, { scopes, reserved: [] });
          }
          answer(ctx, scopes, { wait, clock });
        },
        onCall(ctx) {
          const request = admitted.get(ctx.state);
          if (request === undefined) return;
          const amountOf = (kind: Kind) =>
            kind === "input_tokens"
              ? ctx.estimate().input_tokens
              : Math.min(ctx.body.max_tokens, MOST_OUTPUT_RESERVED);
          const claims = claimsOf(request.scopes, TOKENS, { now: clock.monotonic(), amountOf });
          const wait = longestWait(claims, []);
          if (wait === undefined) {
            take(claims);
            request.reserved = claims;
          }
          answer(ctx, request.scopes, { wait, clock });
        },
        onComplete(ctx) {
          const request = admitted.get(ctx.state);
          if (request === undefined) return; // refused here or before: nothing was taken
          admitted.delete(ctx.state);
          for (const { account } of request.scopes) account.running--;
          settle(request.reserved, ctx.billed, clock.monotonic());
        },
      };
    },
  });
};

export default rateLimit;
