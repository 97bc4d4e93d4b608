/**
 * `auth`: who sends the request. Asks for an API key in `x-api-key` or `Authorization: Bearer`, and sets the
 * principal that limits, budgets and records go by.
 *
 * @module
 */
import type {
  CallContext,
  Host,
  KeyRecord,
  KeyVerdict,
  Plugin,
  PluginFactory,
  RequestContext,
} from "../src/pipeline/plugin.ts";

const HOW = "send it as 'x-api-key: sk-oc-…' or 'Authorization: Bearer sk-oc-…'";

/** The key of the request; rejects when there is none, or two that differ. */
function presentedKey(ctx: RequestContext): string {
  const header = ctx.headers.get("x-api-key")?.trim() ?? "";
  const bearer =
    /^bearer\s+(.*)$/i.exec(ctx.headers.get("authorization")?.trim() ?? "")?.[1]?.trim() ?? "";
  if (header !== "" && bearer !== "" && header !== bearer) {
    return ctx.reject(
      "authentication_error",
      "x-api-key and Authorization hold two different keys: send one of them, or the same in both",
    );
  }
  const key = header === "" ? bearer : header;
  if (key === "") return ctx.reject("authentication_error", `An API key is required: ${HOW}`);
  return key;
}

/** Same length of work whatever the difference, so that time tells nothing of the key. */
function equalInConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.byteLength ^ b.byteLength;
  for (let at = 0; at < a.byteLength; at++) difference |= (a[at] ?? 0) ^ (b[at] ?? 0);
  return difference === 0;
}

/**
 * Whether a page of another machine's website sends this, from the browser of somebody who can reach the port. A
 * browser names the page's origin with every POST, whatever host the page was made to resolve to.
 */
function isForeignPage(ctx: RequestContext): boolean {
  const origin = ctx.headers.get("origin");
  if (origin === null) return false;
  const host = /^https?:\/\/(\[::1\]|[^:/[\]]+)(?::\d+)?$/i.exec(origin)?.[1]?.toLowerCase() ?? "";
  return !/^(localhost|\[::1\]|127(\.\d{1,3}){3})$/.test(host);
}

const WEB_PAGE = "A web page must show an API key here, though no key is required otherwise: " +
  "whoever can reach this gateway would call it by visiting a page";

/** Why a key is refused. That one was revoked or has expired is told to who shows its very text, and to nobody else. */
const REFUSED = {
  malformed: "invalid x-api-key: this is no key of this gateway; ask its operator for one",
  unknown: "invalid x-api-key: the key is unknown; ask the gateway's operator for one",
  revoked: "invalid x-api-key: the key was revoked; ask the gateway's operator for a new one",
  expired: "invalid x-api-key: the key has expired; ask the gateway's operator for a new one",
} as const;

/** The `auth` plugin; settings under `with:` are documented on its schema. */
const auth: PluginFactory = ({ define, z }): Plugin =>
  define({
    name: "auth",
    failure: "sealed", // who cannot be told does not come in, whatever config.yaml says
    schema: z.strictObject({
      required: z.boolean().default(true).describe(
        "Refuse requests without a key. false serves anybody who can reach the port, but web pages of other machines.",
      ),
      master_key: z.string().min(20).nullable().default(null).describe(
        "A key that is not in the store and may use every model; give it as ${OUTCROP_MASTER_KEY}.",
      ),
    }).prefault({}),
    setup({ required, master_key }, host) {
      if (!required) {
        host.log.warning("No key is required: anybody who can reach the port is served");
      }
      const encoder = new TextEncoder();
      const master = master_key === null ? undefined : encoder.encode(master_key);
      const isMaster = (key: string) =>
        master !== undefined && equalInConstantTime(encoder.encode(key), master);

      const admitAnybody = (ctx: RequestContext): void => {
        if (isForeignPage(ctx)) return ctx.reject("permission_error", WEB_PAGE);
        ctx.principal = { id: "anonymous", name: "anonymous" };
      };

      const admit = (ctx: RequestContext, verdict: KeyVerdict): void => {
        if (!verdict.ok) {
          if (required) return ctx.reject("authentication_error", REFUSED[verdict.reason]);
          return admitAnybody(ctx);
        }
        const { key } = verdict;
        host.keys.used(key.id);
        ctx.principal = { id: key.id, name: key.name, key };
      };

      return {
        onRequest(ctx) {
          const anonymous = !required && !ctx.headers.has("x-api-key") &&
            !ctx.headers.has("authorization");
          if (anonymous) return admitAnybody(ctx);
          const presented = presentedKey(ctx);
          if (isMaster(presented)) {
            ctx.principal = { id: "master", name: "master" };
            return;
          }
          // A known key's verdict is at hand: then nothing need be waited for.
          const verdict = host.keys.verify(presented);
          return verdict instanceof Promise
            ? verdict.then((late) => admit(ctx, late))
            : admit(ctx, verdict);
        },
        onCall(ctx) {
          return checkModel(ctx, ctx.principal?.key, host);
        },
      };
    },
  });

function checkModel(ctx: CallContext, key: KeyRecord | undefined, host: Host): void {
  const allowed = key?.models;
  if (allowed === undefined || host.matchesGlob(allowed, ctx.model)) return;
  return ctx.reject(
    "permission_error",
    `model: this key may not use ${ctx.model}; it may use ${allowed.join(", ")}`,
  );
}

export default auth;
