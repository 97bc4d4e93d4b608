/**
 * `budget`: what may be spent a day, a week and a month by each key, by all keys of a user, by all keys of a team,
 * and overall. Periods are of the calendar in UTC: days begin at midnight, weeks on Monday, months on the first.
 *
 * What a request can cost at most is reserved before Bedrock is asked, in every cap that holds for it, and what it
 * did cost is spent after. A request is let in while its reservation fits into what is left. Where it does not, but
 * something is left, it is let in alone: when no other holds anything. So a cap is overspent by one request at most,
 * whatever the number of requests, workers and machines; see `src/sharing/pool.ts` for how they share it. Spending is
 * counted in a period from when a cap for it is first in force.
 *
 * Partition `<YYYY-MM-DD of the first day>/<day, week or month>`, sort `key <id>`, `user <name>`, `team <name>` or
 * `overall`: a pool, whose counter `spent` is in nano-dollars.
 *
 * @module
 */
import type {
  CallContext,
  CompleteContext,
  Host,
  KeyRecord,
  Period,
  Plugin,
  PluginFactory,
  Pool,
  Reservation,
  Reserved,
  Span,
  State,
} from "../src/pipeline/plugin.ts";

const NANO_PER_USD = 1_000_000_000;
/** Late postings must find the counters of a span that is over. */
const KEPT_MS = 35 * 86_400_000;
const TELL_EVERY_MS = 60_000;
const MOST_USD = 1_000_000;
const LONGEST_RETRY_AFTER_S = 60;
const HELD_RETRY_AFTER_S = 2; // requests under way end at any moment

const SETTING = { day: "daily_usd", week: "weekly_usd", month: "monthly_usd" } as const;

/** Caps as settings spell them; what is absent is not capped. */
export type Caps = {
  readonly [setting in "daily_usd" | "weekly_usd" | "monthly_usd"]?: number | undefined;
};

/** The plugin's settings; each is documented on the schema. */
export type BudgetSettings =
  & Caps
  & { readonly [scope in "user" | "team" | "overall"]?: Caps | undefined }
  & {
    readonly reserve_output_tokens?: number | undefined;
    readonly warn_at_percent: number;
    readonly store_down: "open" | "closed";
  };

/** A cap that holds for somebody. */
export interface CapRule {
  /** Name of its scope: for counters and the log. */
  readonly scope: string;
  /** As a sentence goes on that tells the client whose it is. */
  readonly who: string;
  /** In each of these. */
  readonly period: Period;
  /** US dollars. */
  readonly usd: number;
}

const PERIODS: readonly Period[] = ["day", "week", "month"];
const ADJECTIVE = { day: "daily", week: "weekly", month: "monthly" } as const;

/**
 * Every cap that holds for whoever sends a request: of its key, the key's user, its team, and everybody. A budget of
 * the key's own is in place of the settings' for the same period.
 */
export function capRules(
  { user, team, overall, ...figures }: BudgetSettings,
  { id = "anonymous", key }: { readonly id?: string; readonly key?: KeyRecord },
): CapRule[] {
  const own = key?.budget === undefined ? {} : { [SETTING[key.budget.per]]: key.budget.usd };
  const scopes: (readonly [scope: string, who: string, caps: Caps | undefined])[] = [
    [`key ${id}`, key === undefined ? id : "this key", { ...figures, ...own }],
    [`user ${key?.user}`, `user '${key?.user}'`, key?.user === undefined ? undefined : user],
    [`team ${key?.team}`, `team '${key?.team}'`, key?.team === undefined ? undefined : team],
    ["overall", "all keys together", overall],
  ];
  const found: CapRule[] = [];
  for (const [scope, who, caps] of scopes) {
    for (const period of caps === undefined ? [] : PERIODS) {
      const usd = caps?.[SETTING[period]];
      if (usd !== undefined) found.push({ scope, who, period, usd });
    }
  }
  return found;
}

/** One cap that holds for a request. */
type Cap = CapRule & { readonly span: Span; readonly pool: Pool };

function nano(usd: number): number {
  return Math.round(usd * NANO_PER_USD);
}

function dollars(usd: number): string {
  return `$${Number.isInteger(usd * 100) ? usd.toFixed(2) : usd}`;
}

/** Budgets of one configuration. */
class Budgets {
  readonly #settings: BudgetSettings;
  readonly #host: Host;
  /** By the request's own state: gone with the request, whatever becomes of it. */
  readonly #held = new WeakMap<State, { reservation: Reservation; caps: readonly Cap[] }>();
  /** Caps of which the log has told that they are nearly spent, by the ends of their spans. */
  readonly #warned = new Map<string, number>();
  /** A key's record is the same for many requests: it is looked at once. */
  readonly #rules = new WeakMap<KeyRecord, readonly CapRule[]>();
  #toldDownAt = -Infinity;

  constructor(settings: BudgetSettings, host: Host) {
    this.#settings = settings;
    this.#host = host;
  }

  /** Takes what the request may cost out of every cap, or refuses it. At once where this replica holds as much. */
  admit(ctx: CallContext): void | Promise<void> {
    const { principal: { key } = {} } = ctx;
    const rules = (key && this.#rules.get(key)) ?? capRules(this.#settings, ctx.principal ?? {});
    if (key !== undefined) this.#rules.set(key, rules);
    if (rules.length === 0) return;
    const caps = rules.map((rule) => this.#capOf(rule));
    const wants = caps.map(({ pool, usd }) => ({ pool, capacity: nano(usd) }));
    const reservation = this.#host.shared.reservation(wants);
    this.#held.set(ctx.state, { reservation, caps });
    const reserved = reservation.take(this.#amountOf(ctx));
    return reserved instanceof Promise
      ? reserved.then((late) => this.#answer(ctx, caps, late))
      : this.#answer(ctx, caps, reserved);
  }

  /** Spends what the request cost, and gives back the rest. Resolves when what it cost will not be lost. */
  settle(ctx: CompleteContext): void | Promise<void> {
    const held = this.#held.get(ctx.state);
    if (held === undefined) return;
    const spent = ctx.billed?.nano_usd ?? 0;
    if (spent === 0) return held.reservation.giveBack();
    const writes = held.reservation.spend(spent);
    if (writes.length === 0) return;
    return this.#host.ledger.post(writes).then(async () => {
      for (const cap of held.caps) await this.#warnOperator(cap);
    });
  }

  #answer(ctx: CallContext, caps: readonly Cap[], reserved: Reserved): void {
    if (reserved.is === "refused") {
      return this.#refuse(ctx, caps[reserved.at] as Cap, reserved.why);
    }
    if (reserved.is === "unknown") this.#handleDown(ctx, reserved.cause);
    this.#warnClient(ctx, caps);
  }

  /** The store does not say what is left. Whoever is let in is counted all the same. */
  #handleDown(ctx: CallContext, cause: unknown): void {
    const isOpen = this.#settings.store_down === "open";
    const { clock, log } = this.#host;
    const now = clock.monotonic();
    if (now - this.#toldDownAt >= TELL_EVERY_MS) {
      this.#toldDownAt = now;
      log.error("Budgets: the store does not say what is left: requests are {policy}", {
        policy: isOpen ? "let in all the same" : "refused",
        cause: String(cause),
      });
    }
    if (isOpen) return;
    return ctx.reject(
      "api_error",
      "Cannot admit this request as the gateway's store must say what is left of its budget: it does not answer; try again soon",
      { status: 503, headers: { "retry-after": "5" } },
    );
  }

  #refuse(ctx: CallContext, { who, period, usd, span }: Cap, why: "held" | "spent"): void {
    const budget = `the ${ADJECTIVE[period]} budget of ${who}, ${dollars(usd)},`;
    const seconds = Math.ceil((span.end - this.#host.clock.now()) / 1_000);
    if (why === "held") {
      return ctx.reject(
        "rate_limit_error",
        `Cannot admit this request yet as requests under way hold the rest of ${budget} until they end: ` +
          `try again in ${HELD_RETRY_AFTER_S} s`,
        { headers: { "retry-after": String(HELD_RETRY_AFTER_S) } },
      );
    }
    return ctx.reject(
      "billing_error",
      `Cannot admit this request as ${budget} is spent: the next begins at ` +
        `${new Date(span.end).toISOString()}; ask the gateway's operator for a higher one`,
      {
        status: 429,
        headers: {
          "x-should-retry": "false",
          "retry-after": String(Math.min(Math.max(seconds, 1), LONGEST_RETRY_AFTER_S)),
        },
      },
    );
  }

  #capOf(rule: CapRule): Cap {
    const span = this.#host.shared.span(rule.period);
    const key = [span.name, rule.scope] as const;
    return { ...rule, span, pool: this.#host.shared.pool(key, { expiresAt: span.end + KEPT_MS }) };
  }

  #amountOf(ctx: CallContext): number {
    const { nano_usd, output_nano_usd, output_tokens } = ctx.estimate(ctx.principal?.key?.tier);
    const most = this.#settings.reserve_output_tokens ?? output_tokens;
    if (most >= output_tokens) return Math.max(nano_usd, 1);
    return Math.ceil(nano_usd - output_nano_usd * (1 - most / output_tokens));
  }

  #shareOf({ pool, usd }: Cap): number {
    return Math.floor(100 * pool.spent / nano(usd));
  }

  #warnClient(ctx: CallContext, caps: readonly Cap[]): void {
    const warnings = caps.filter((cap) => this.#shareOf(cap) >= this.#settings.warn_at_percent)
      .map((cap) => {
        const budget = `${ADJECTIVE[cap.period]} budget of ${cap.who}, ${dollars(cap.usd)}`;
        const end = new Date(cap.span.end).toISOString();
        return `${this.#shareOf(cap)} % of the ${budget}, is spent; it ends at ${end}`;
      });
    if (warnings.length === 0) return;
    const text = warnings.join(", ").replace(/[^\x20-\x7e]/g, "?"); // names may hold what a header cannot
    ctx.responseHeaders.set("x-outcrop-budget-warning", text);
  }

  /** Once for each scope and span, whichever replica comes first. */
  async #warnOperator(cap: Cap): Promise<void> {
    const share = this.#shareOf(cap);
    if (share < this.#settings.warn_at_percent) return;
    const { scope, period, usd, span } = cap;
    const key = [`warned/${span.name}`, scope] as const;
    const name = key.join("/");
    if (this.#warned.has(name)) return;
    for (const [old, end] of this.#warned) {
      if (end <= this.#host.clock.now()) this.#warned.delete(old);
    }
    this.#warned.set(name, span.end);
    const first = await this.#host.store.put(key, true, { when: "absent", expiresAt: span.end });
    if (first === undefined) return;
    this.#host.log.warning(`{percent} % of the {period} budget of {scope}, {budget}, is spent`, {
      percent: share,
      period: ADJECTIVE[period],
      scope,
      budget: dollars(usd),
      ends_at: new Date(span.end).toISOString(),
    });
  }
}

/** The `budget` plugin; settings under `with:` are documented on its schema. */
const budget: PluginFactory = ({ define, z }): Plugin => {
  const usd = (what: string) => z.number().positive().max(MOST_USD).optional().describe(what);
  const caps = (whose: string) => ({
    daily_usd: usd(`US dollars a day ${whose}.`),
    weekly_usd: usd(`US dollars a week ${whose}.`),
    monthly_usd: usd(`US dollars a month ${whose}.`),
  });
  const shared = (whose: string) =>
    z.strictObject(caps(whose)).optional().describe(`Caps ${whose}; what is absent is none.`);

  return define({
    name: "budget",
    schema: z.strictObject({
      ...caps("of a key, where it has no budget of its own for the same period"),
      user: shared("of all keys of a user together"),
      team: shared("of all keys of a team together"),
      overall: shared("of everybody together"),
      reserve_output_tokens: z.int().min(1).optional().describe(
        "Most output tokens reserved for a request. All of its max_tokens when absent: then one request at most overspends. Less lets in more at a time, each of which may overspend by the rest.",
      ),
      warn_at_percent: z.number().min(1).max(100).default(80).describe(
        "Answers and the log warn when so much of a cap is spent.",
      ),
      store_down: z.enum(["open", "closed"]).default("closed").describe(
        "Let requests in, or refuse them, while the store does not say what is left.",
      ),
    }).prefault({}),
    requires: ["auth"],
    holdsReply: true, // what was spent must not be lost with the process
    setup(settings, host) {
      const budgets = new Budgets(settings, host);
      return {
        onCall: (ctx) => ctx.endpoint === "messages" ? budgets.admit(ctx) : undefined,
        onComplete: (ctx) => budgets.settle(ctx),
      };
    },
  });
};

export default budget;
