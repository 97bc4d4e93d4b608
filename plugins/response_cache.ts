/**
 * `response_cache`: an answer that was given once is given again for the same request, without asking the model.
 *
 * A request is cached where its client asks for it (`x-outcrop-cache: allow`), where it is deterministic
 * (`temperature: 0`), or where a rule says so; `x-outcrop-cache: bypass` asks the model in any case. Two requests are
 * the same when model, tier, betas and body are, but for `stream` and `metadata`. Answers are kept in the memory of
 * this process, bounded, for one key alone unless `shared_by` says other.
 *
 * List it behind `auth`, limits and budgets: what stands before it sees a kept answer as it sees a fresh one.
 *
 * @module
 */
import type {
  CallContext,
  CompleteContext,
  Message,
  Plugin,
  PluginFactory,
  Principal,
  Reply,
  State,
} from "../src/pipeline/plugin.ts";

interface Kept {
  readonly message: Message;
  readonly bytes: number;
  /** Monotonic time of its end. */
  readonly until: number;
}

interface Bounds {
  readonly max_mb: number;
  readonly ttl_s: number;
}

/** Why an answer ended, where it is one to be given again. */
const WHOLE: ReadonlySet<string> = new Set(["end_turn", "stop_sequence", "tool_use", "max_tokens"]);

const encoder = new TextEncoder();

/** Answers by request; the least lately used go first. */
class Answers {
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  get(id: string, now: number): Message | undefined {
    const kept = this.#kept.get(id);
    if (kept === undefined) return undefined;
    this.#forget(id);
    if (kept.until <= now) return undefined;
    this.#keep(id, kept);
    return kept.message;
  }

  put(id: string, message: Message, { max_mb, ttl_s }: Bounds, now: number): void {
    const bytes = id.length + encoder.encode(JSON.stringify(message)).byteLength;
    const most = max_mb * 1_048_576;
    this.#forget(id);
    if (bytes > most) return;
    this.#keep(id, { message, bytes, until: now + ttl_s * 1_000 });
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= most) return;
      this.#forget(oldest);
    }
  }

  #keep(id: string, kept: Kept): void {
    this.#kept.set(id, kept);
    this.#bytes += kept.bytes;
  }

  #forget(id: string): void {
    const kept = this.#kept.get(id);
    if (kept === undefined) return;
    this.#kept.delete(id);
    this.#bytes -= kept.bytes;
  }
}

/** JSON in which the order of members says nothing. */
function canonical(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(canonical);
  const members = Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1);
  return members.map(([name, member]) => [name, canonical(member)]);
}

type SharedBy = "key" | "user" | "team" | "all";

/** Whose answers these are; undefined where nobody says who asks, and answers are not for all. */
function tenantOf(principal: Principal | undefined, sharedBy: SharedBy): string | undefined {
  if (sharedBy === "all") return "all";
  if (principal === undefined || principal.id === "anonymous") return undefined;
  const name = sharedBy === "key" ? undefined : principal.key?.[sharedBy];
  return name === undefined ? `key ${principal.id}` : `${sharedBy} ${name}`;
}

async function idOf(ctx: CallContext, tenant: string): Promise<string> {
  const { stream: _, metadata: __, ...body } = ctx.body;
  const betas = ctx.headers.get("anthropic-beta") ?? "";
  const version = ctx.headers.get("anthropic-version") ?? "";
  const parts = [tenant, ctx.model, ctx.tier ?? null, betas, version, canonical(body)];
  const digest = await crypto.subtle.digest("SHA-256", encoder.encode(JSON.stringify(parts)));
  return new Uint8Array(digest).toHex();
}

interface Memory {
  readonly answers: Answers;
  readonly asked: WeakMap<State, string>;
}

/** The `response_cache` plugin; settings under `with:` are documented on its schema. */
const responseCache: PluginFactory = ({ define, z }): Plugin =>
  define({
    name: "response_cache",
    schema: z.strictObject({
      deterministic: z.boolean().default(true).describe("Cache requests with temperature: 0."),
      models: z.array(z.string().min(1)).default([]).describe(
        "Globs over the names clients ask for: requests for these are cached, marked or not.",
      ),
      shared_by: z.enum(["key", "user", "team", "all"]).default("key").describe(
        "Who is given an answer again: the key that asked, or all keys of its user, of its team, or of the gateway.",
      ),
      ttl_s: z.int().min(1).max(604_800).default(3_600).describe("Seconds for which it is kept."),
      max_mb: z.number().positive().max(4_096).default(64).describe(
        "Megabytes of answers kept by each worker; the least lately used go first.",
      ),
    }).prefault({}),
    requires: ["auth"],
    collectMessage: true,
    setup(settings, host) {
      const fresh: Memory = { answers: new Answers(), asked: new WeakMap() };
      const { answers, asked } = host.memory.get("kept") as Memory | undefined ?? fresh;
      host.memory.set("kept", { answers, asked });

      const wants = (ctx: CallContext): boolean => {
        const said = ctx.headers.get("x-outcrop-cache")?.trim().toLowerCase();
        if (said === "bypass") return false;
        return said === "allow" || (settings.deterministic && ctx.body.temperature === 0) ||
          host.matchesGlob(settings.models, ctx.model);
      };

      return {
        async onCall(ctx): Promise<void | Reply> {
          const tenant = wants(ctx) ? tenantOf(ctx.principal, settings.shared_by) : undefined;
          if (tenant === undefined) return;
          const id = await idOf(ctx, tenant);
          const message = answers.get(id, host.clock.monotonic());
          ctx.responseHeaders.set("x-outcrop-cache", message === undefined ? "miss" : "hit");
          if (message !== undefined) return { message };
          asked.set(ctx.state, id);
        },
        onComplete(ctx: CompleteContext) {
          const id = asked.get(ctx.state);
          const { message, outcome } = ctx;
          if (id === undefined || message === undefined || outcome !== "ok") return;
          if (!WHOLE.has(message.stop_reason ?? "")) return;
          answers.put(id, message, settings, host.clock.monotonic());
        },
      };
    },
  });

export default responseCache;
