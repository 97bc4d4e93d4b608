/**
 * Betas: which are sent on, renamed or dropped, by model and route. One unknown beta fails the whole request
 * (`invalid beta flag`), so what is not in the table is dropped and told.
 *
 * Source: api behaviour recorded by several clients of Bedrock ([C], [L 2026-09]).
 * @module
 */
import { defersTools } from "../anthropic/fold_deferred.ts";
import type { MessagesRequest } from "../anthropic/types.ts";
import { compileGlob, type Glob } from "../text/glob.ts";
import type { Config, Route } from "../config/schema.ts";
import { familyOf } from "./model_id.ts";
import { type ClaudeFeatures, claudeFeatures } from "./native/features.ts";

const NATIVE: readonly Route[] = ["invoke", "messages", "mantle"];
const EVERYWHERE: readonly Route[] = [...NATIVE, "converse"];
const MANTLE: readonly Route[] = ["mantle"];
const CONVERSE: readonly Route[] = ["converse"];

/** Betas that Claude takes: on which routes, and which models do, where not all of them. */
const TABLE: readonly (readonly [
  beta: string,
  routes: readonly Route[],
  takes?: (features: ClaudeFeatures) => boolean,
])[] = [
  ["compact-2026-01-12", NATIVE],
  ["computer-use-2025-01-24", NATIVE],
  ["computer-use-2025-11-24", NATIVE],
  ["computer-use-*", CONVERSE],
  ["context-1m-2025-08-07", EVERYWHERE, ({ longContextBeta }) => longContextBeta],
  ["context-management-2025-06-27", NATIVE],
  ["dangerous-tool-use-2026-09-03", NATIVE],
  ["effort-2025-11-24", EVERYWHERE],
  ["fine-grained-tool-streaming-2025-05-14", EVERYWHERE],
  ["interleaved-thinking-2025-05-14", NATIVE],
  ["mid-conversation-output-config-2026-07-01", NATIVE],
  ["mid-conversation-tool-changes-2026-07-01", NATIVE],
  ["thinking-binding-controls-2026-08-01", EVERYWHERE],
  ["thinking-display-updates-2026-08-18", EVERYWHERE],
  ["tool-examples-2025-10-29", NATIVE],
  ["tool-search-tool-2025-10-19", NATIVE],
  ["claude-code-20250219", MANTLE],
  ["output-128k-2025-02-19", MANTLE],
  ["per-turn-control-2026-07-01", MANTLE],
  ["structured-outputs-*", MANTLE],
  ["token-efficient-tools-*", MANTLE],
  ["web-search-2025-03-05", MANTLE],
];

/** Betas that go by another name on Bedrock. */
const RENAME: Readonly<Record<string, string>> = {
  "advanced-tool-use-2025-11-20": "tool-search-tool-2025-10-19",
};

/** Streams a tool's input as it comes: on InvokeModel for all tools at once. */
export const EAGER_INPUT = "fine-grained-tool-streaming-2025-05-14";

/** What Bedrock has only with a beta, while Anthropic has it for all. */
const IMPLIED:
  readonly (readonly [beta: string, wanted: (body: MessagesRequest, route: Route) => boolean])[] = [
    ["tool-search-tool-2025-10-19", defersTools],
    [
      "tool-examples-2025-10-29",
      ({ tools }) => (tools ?? []).some(({ input_examples }) => input_examples !== undefined),
    ],
    [
      "context-management-2025-06-27",
      ({ tools }) => (tools ?? []).some(({ type }) => String(type).startsWith("memory_")),
    ],
    [
      EAGER_INPUT,
      ({ tools, stream }, route) =>
        route === "invoke" && stream === true &&
        (tools ?? []).some(({ eager_input_streaming }) => eager_input_streaming === true),
    ],
  ];

/** Body fields that a beta brings: both are sent, or neither. */
const FIELDS: readonly (readonly [beta: string, field: string])[] = [
  ["fast-mode-*", "speed"],
  ["cache-diagnosis-*", "diagnostics"],
  ["server-side-fallback-*", "fallbacks"],
  ["compact-2026-09-04", "compaction"],
  ["context-management-*", "context_management"],
  ["dangerous-tool-use-*", "safeguards"],
];

const table = TABLE.map(([beta, routes, takes]) => ({ glob: compileGlob(beta), routes, takes }));
const fields = FIELDS.map(([beta, field]) => ({ glob: compileGlob(beta), field }));

/** Whether a body field is one that a beta brings, and none of these betas does. */
export function lacksBeta(field: string, betas: readonly string[]): boolean {
  const bringing = fields.filter((one) => one.field === field);
  return bringing.length > 0 &&
    !bringing.some(({ glob }) => betas.some((beta) => glob.matches(beta)));
}

/** Where betas are to be sent. */
export interface BetaPlace {
  /** The route. */
  readonly route: Route;
  /** Foundation model id. */
  readonly baseId: string;
}

/** What becomes of a request's betas. */
export interface FilteredBetas {
  /** Betas to send. */
  readonly send: readonly string[];
  /** Betas that were dropped. */
  readonly dropped: readonly string[];
  /** Body fields that must go with the dropped. */
  readonly fields: readonly string[];
  /** Body fields that come with the sent. */
  readonly brought: readonly string[];
}

/** The operator's word on betas, over the table: what becomes of those that match, there where it holds. */
export interface BetaRule {
  /** Which betas. */
  readonly glob: Glob;
  /** Which foundation models. */
  readonly models: Glob;
  /** Which routes; undefined for all. */
  readonly routes: readonly Route[] | undefined;
  /** `forward`, `drop`, or the name to send instead. */
  readonly action: string;
}

/** Rules as config.yaml has them. */
export type BetasConfig = Config["models"]["betas"];

/** Rules of config.yaml made ready: the most specific beta first, and of one beta in their order. */
export function betaRules(betas: BetasConfig): readonly BetaRule[] {
  return Object.entries(betas).flatMap(([beta, said]) => {
    const glob = compileGlob(beta);
    const rules = typeof said === "string" ? [{ action: said }] : said;
    return rules.map(({ models = "*", routes, action }) => ({
      glob,
      models: compileGlob(models),
      routes,
      action,
    }));
  }).sort((a, b) => b.glob.literals - a.glob.literals);
}

/** What else than the table decides on betas. */
export interface BetaDecisions {
  /** Betas that the model was found to refuse, by the names that Bedrock knows. */
  readonly refused?: readonly string[] | undefined;
  /** Body fields that the model was found to refuse: the betas that bring them go along. */
  readonly refusedFields?: readonly string[] | undefined;
  /** The operator's rules. */
  readonly rules?: readonly BetaRule[] | undefined;
}

/** What a beta's name is made of. One of a body may hold anything, and becomes part of a header. */
const BETA = /^[\w.:-]{1,128}$/;

/** The name to send a beta by; undefined to drop it. */
function sentAs(
  beta: string,
  { route, baseId }: BetaPlace,
  rules: readonly BetaRule[],
): string | undefined {
  // None but Claude knows betas, whatever the rules say.
  if (!BETA.test(beta) || familyOf(baseId) !== "claude") return undefined;
  const action = rules.find(({ glob, models, routes }) =>
    glob.matches(beta) && models.matches(baseId) && (routes?.includes(route) ?? true)
  )?.action;
  if (action === "drop") return undefined;
  if (action !== undefined) return action === "forward" ? beta : action;
  const name = RENAME[beta] ?? beta;
  const known = table.some(({ glob, routes, takes }) =>
    routes.includes(route) && glob.matches(name) && (takes?.(claudeFeatures(baseId)) ?? true)
  );
  return known ? name : undefined;
}

/** Applies the operator's rules and the table to betas. */
export function filterBetas(
  betas: readonly string[],
  place: BetaPlace,
  { refused = [], rules = [] }: BetaDecisions = {},
): FilteredBetas {
  const send = new Set<string>();
  const dropped: string[] = [];
  for (const beta of betas) {
    const name = sentAs(beta, place, rules);
    if (name === undefined || refused.includes(name)) dropped.push(beta);
    else send.add(name);
  }
  const sent = [...send];
  const brought = fields.filter(({ glob }) => sent.some((beta) => glob.matches(beta)));
  const orphaned = fields.filter((row) =>
    dropped.some((beta) => row.glob.matches(beta)) && !brought.includes(row)
  );
  return {
    send: sent,
    dropped,
    fields: orphaned.map(({ field }) => field),
    brought: brought.map(({ field }) => field),
  };
}

const NO_BETAS: FilteredBetas = { send: [], dropped: [], fields: [], brought: [] };

/**
 * What becomes of the betas of a request: those of its header, those of its body, where the Agent SDK puts them,
 * and on the native routes those that it needs without saying so.
 */
export function betasOf(
  body: MessagesRequest,
  inHeader: readonly string[],
  place: BetaPlace,
  decisions: BetaDecisions = {},
): FilteredBetas {
  const given = [...inHeader];
  if (Array.isArray(body.anthropic_beta)) {
    for (const beta of body.anthropic_beta) if (typeof beta === "string") given.push(beta);
  }
  const implied: string[] = [];
  if (place.route !== "converse") {
    for (const [beta, wanted] of IMPLIED) if (wanted(body, place.route)) implied.push(beta);
  }
  if (given.length === 0 && implied.length === 0) return NO_BETAS;
  const { refused = [], refusedFields = [] } = decisions;
  const orphans = given.filter((beta) =>
    !implied.includes(beta) &&
    fields.some(({ glob, field }) => refusedFields.includes(field) && glob.matches(beta))
  );
  const all = [...new Set([...given, ...implied])];
  return filterBetas(all, place, { ...decisions, refused: [...refused, ...orphans] });
}
