/**
 * `rate_limit`: how many requests and tokens a minute, and how many requests at the same time, for each key, for
 * all keys of a user and for all keys of a team. Token buckets: each holds a minute's worth, is full at first and
 * fills evenly. A request is admitted in every scope or in none.
 *
 * Input and output tokens are reserved by estimate before Bedrock is asked, and settled by what it reported: a
 * bucket may owe the difference, which its refill pays.
 *
 * Limits hold for all workers and machines together. A replica leases of them in blocks, so that a request seldom
 * waits for the store; what it tells as remaining is what it knows: its own lease, and the rest as it last heard of it.
 *
 * @module
 */
import type {
  Billed,
  CallContext,
  Claim,
  Clock,
  KeyRecord,
  Plugin,
  PluginFactory,
  Principal,
  RequestContext,
  Shared,
  SharedBucket,
  Slot,
  State,
} from "../src/pipeline/plugin.ts";

/** Limits of one scope; what is absent is not limited. */
type Figures = { readonly [name in keyof Required<KeyRecord>["limits"]]?: number | undefined };

/** What buckets hold; `…_per_minute` is the setting's name. */
type Kind = "requests" | "input_tokens" | "output_tokens";
const TOKENS: readonly Kind[] = ["input_tokens", "output_tokens"];
const KINDS: readonly Kind[] = ["requests", ...TOKENS];

/** Clients ask for far more output than they use: what is reserved of it is bounded, and the rest settled. */
const MOST_OUTPUT_RESERVED = 4_096;
const LONGEST_RETRY_AFTER_S = 60;
/** A bucket that owes more than this is told as if it owed this: 100 years, for a date must be one. */
const LONGEST_RESET_MS = 100 * 365 * 86_400_000;
/** Nobody knows when a slot is given back, or what others leave: soon. */
const SOON_MS = 1_000;

/** One of the scopes that limit a request. */
interface Scope {
  readonly id: string;
  /** As a sentence ends that tells whose limit it is. */
  readonly who: string;
  readonly concurrency: number | undefined;
  readonly buckets: { readonly [kind in Kind]?: SharedBucket };
}

/** What a request takes of one bucket. */
interface ScopeClaim extends Claim {
  readonly who: string;
  readonly kind: Kind;
}

/** Why a request must wait, and how long. */
interface Wait {
  readonly why: string;
  readonly ms: number;
}

/** A request that was let in: what it must give back. */
interface Admitted {
  readonly scopes: readonly Scope[];
  readonly slots: readonly Slot[];
  reserved: readonly ScopeClaim[];
}

/** What the request takes of each bucket: at most all it can hold, so that a full one always admits. */
function claimsOf(
  scopes: readonly Scope[],
  kinds: readonly Kind[],
  amountOf: (kind: Kind) => number,
): ScopeClaim[] {
  const claims: ScopeClaim[] = [];
  for (const { who, buckets } of scopes) {
    for (const kind of kinds) {
      const bucket = buckets[kind];
      if (bucket === undefined) continue;
      const amount = Math.min(amountOf(kind), Math.max(bucket.limit, 1));
      claims.push({ who, kind, bucket, amount });
    }
  }
  return claims;
}

function noRoom({ who, kind, bucket, amount }: ScopeClaim): Wait {
  const why = `${kind.replace("_", " ")} per minute of ${who} are limited to ${bucket.limit}`;
  return { why, ms: bucket.msUntilAdmits(amount) };
}

function noSlot({ who, concurrency }: Scope): Wait {
  return { why: `requests at the same time of ${who} are limited to ${concurrency}`, ms: SOON_MS };
}

function longest(waits: readonly Wait[]): Wait | undefined {
  return waits.toSorted((a, b) => b.ms - a.ms)[0];
}

type Context = RequestContext | CallContext;

/** Tells in the headers, of each limited kind, where the least is left. */
function tellLeft(ctx: Context, scopes: readonly Scope[], clock: Clock): void {
  for (const kind of KINDS) {
    let least: SharedBucket | undefined;
    for (const { buckets: { [kind]: bucket } } of scopes) {
      if (bucket !== undefined && !(least !== undefined && least.left <= bucket.left)) {
        least = bucket;
      }
    }
    if (least === undefined) continue;
    const { limit, left } = least;
    const name = `anthropic-ratelimit-${kind.replace("_", "-")}`;
    const untilFull = Math.min(least.msUntil(limit), LONGEST_RESET_MS);
    const reset = new Date(Math.ceil(clock.now() + untilFull)).toISOString();
    ctx.responseHeaders.set(`${name}-limit`, String(limit));
    ctx.responseHeaders.set(`${name}-remaining`, String(Math.max(0, Math.floor(left))));
    ctx.responseHeaders.set(`${name}-reset`, reset);
  }
}

/** Refuses a request that must wait. */
function refuse(ctx: Context, wait: Wait): void {
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
function settle(reserved: readonly ScopeClaim[], billed: Billed | null): void {
  const usage = billed?.usage;
  const input = count(usage?.input_tokens) + count(usage?.cache_creation_input_tokens);
  const output = count(usage?.output_tokens);
  const used = { requests: 0, input_tokens: input, output_tokens: output };
  for (const { bucket, kind, amount } of reserved) bucket.give(amount - used[kind]);
}

/** Whose limits they are, and which. */
interface Limited {
  readonly id: string;
  readonly who: string;
  readonly limits: Figures;
}

type Settings = Figures & {
  readonly user?: Figures | undefined;
  readonly team?: Figures | undefined;
};

/** What limits whoever sends a request: the figures of its key, of the key's user, of the key's team. */
function limitsOf(settings: Settings, id: string, key: KeyRecord | undefined): Limited[] {
  const { user, team, ...figures } = settings;
  const all: (readonly [id: string, who: string, limits: Figures | undefined])[] = [
    [`key ${id}`, key ? "this key" : id, { ...figures, ...key?.limits }],
    [`user ${key?.user}`, `user '${key?.user}'`, key?.user === undefined ? undefined : user],
    [`team ${key?.team}`, `team '${key?.team}'`, key?.team === undefined ? undefined : team],
  ];
  return all.flatMap(([id, who, limits = {}]) =>
    Object.values(limits).every((limit) => limit === undefined) ? [] : [{ id, who, limits }]
  );
}

/** Finds the scopes of whoever sends a request. A key's record is the same for many requests: it is looked at once. */
function scopeFinder(settings: Settings, { limits: shared }: Shared) {
  const known = new WeakMap<KeyRecord, readonly Limited[]>();
  return ({ id = "anonymous", key }: Partial<Principal>): Scope[] => {
    const limited = (key && known.get(key)) ?? limitsOf(settings, id, key);
    if (key !== undefined) known.set(key, limited);
    return limited.map(({ id, who, limits }) => {
      const buckets: { [kind in Kind]?: SharedBucket } = {};
      for (const kind of KINDS) {
        const limit = limits[`${kind}_per_minute`];
        if (limit !== undefined) buckets[kind] = shared.bucket(id, kind, limit);
      }
      return { id, who, concurrency: limits.concurrency, buckets };
    });
  };
}

/** A slot in each scope that limits them, or why there is none: then none is taken. */
interface Slots {
  readonly taken: readonly Slot[];
  readonly missing: readonly Wait[];
}

function takeSlots(scopes: readonly Scope[], { slots }: Shared): Slots | Promise<Slots> {
  const limited = scopes.filter(({ concurrency }) => concurrency !== undefined);
  const all = (granted: readonly (Slot | undefined)[]): Slots => {
    const taken = granted.filter((slot) => slot !== undefined);
    if (taken.length === granted.length) return { taken, missing: [] };
    for (const slot of taken) slot.give();
    return { taken: [], missing: limited.filter((_, at) => granted[at] === undefined).map(noSlot) };
  };
  const granted = limited.map(({ id, concurrency = 0 }) => slots.take(id, concurrency));
  return granted.some((one) => one instanceof Promise)
    ? Promise.all(granted).then(all)
    : all(granted as (Slot | undefined)[]);
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
      const { clock, memory, shared } = host;
      /** By the request's own state: gone with the request, whatever becomes of it. Outlives a reload. */
      const admitted = memory.get("admitted") as WeakMap<State, Admitted> | undefined ??
        new WeakMap<State, Admitted>();
      memory.set("admitted", admitted);
      const scopesOf = scopeFinder(settings, shared);

      return {
        // Neither hook waits where leases cover the request: then nothing happens between the look and the taking.
        onRequest(ctx) {
          if (ctx.endpoint !== "messages") return;
          const scopes = scopesOf(ctx.principal ?? {});
          if (scopes.length === 0) return;
          const claims = claimsOf(scopes, ["requests"], () => 1);
          const enter = ({ taken: slots, missing }: Slots): void | Promise<void> => {
            const end = (isTaken: boolean, isGone: boolean): void => {
              if (isTaken && !isGone) admitted.set(ctx.state, { scopes, slots, reserved: [] });
              else for (const slot of slots) slot.give();
              if (isTaken && isGone) settle(claims, null);
              if (isTaken) return; // what is left is told when the request has taken its tokens
              tellLeft(ctx, scopes, clock);
              const wait = longest([...missing, ...claims.map(noRoom)]);
              if (wait !== undefined) refuse(ctx, wait);
            };
            const taken = missing.length === 0 && shared.limits.take(claims);
            return typeof taken === "boolean"
              ? end(taken, isLate && ctx.signal.aborted)
              : taken.then((late) => end(late, ctx.signal.aborted));
          };
          const slots = takeSlots(scopes, shared);
          const isLate = slots instanceof Promise;
          return isLate ? slots.then(enter) : enter(slots);
        },
        onCall(ctx) {
          const request = admitted.get(ctx.state);
          if (request === undefined) return;
          const claims = claimsOf(
            request.scopes,
            TOKENS,
            (kind) =>
              kind === "input_tokens"
                ? ctx.estimate().input_tokens
                : Math.min(ctx.body.max_tokens, MOST_OUTPUT_RESERVED),
          );
          const end = (isTaken: boolean): void => {
            if (isTaken && admitted.has(ctx.state)) request.reserved = claims;
            else if (isTaken) settle(claims, null); // the request has ended meanwhile
            tellLeft(ctx, request.scopes, clock);
            const wait = isTaken ? undefined : longest(claims.map(noRoom));
            if (wait !== undefined) refuse(ctx, wait);
          };
          const taken = shared.limits.take(claims);
          return typeof taken === "boolean" ? end(taken) : taken.then(end);
        },
        onComplete(ctx) {
          const request = admitted.get(ctx.state);
          if (request === undefined) return; // refused here or before: nothing was taken
          admitted.delete(ctx.state);
          for (const slot of request.slots) slot.give();
          settle(request.reserved, ctx.billed);
        },
      };
    },
  });
};

export default rateLimit;
