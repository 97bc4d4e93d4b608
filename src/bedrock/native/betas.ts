/**
 * Betas on the native routes: which are sent on, renamed or dropped. One unknown beta fails the whole request
 * (`invalid beta flag`), so what is not in the table is dropped and told.
 *
 * Source: api behaviour recorded by several clients of Bedrock ([C], [L 2026-09]).
 * @module
 */
import { defersTools } from "../../anthropic/fold_deferred.ts";
import type { MessagesRequest } from "../../anthropic/types.ts";
import { compileGlob, type Glob } from "../../text/glob.ts";
import type { Route } from "../../config/schema.ts";

/** Betas that Bedrock takes on InvokeModel and on its Messages endpoint. */
const FORWARD = [
  "compact-2026-01-12",
  "computer-use-2025-01-24",
  "computer-use-2025-11-24",
  "context-1m-2025-08-07",
  "context-management-2025-06-27",
  "dangerous-tool-use-2026-09-03",
  "effort-2025-11-24",
  "fine-grained-tool-streaming-2025-05-14",
  "interleaved-thinking-2025-05-14",
  "mid-conversation-output-config-2026-07-01",
  "mid-conversation-tool-changes-2026-07-01",
  "thinking-binding-controls-2026-08-01",
  "thinking-display-updates-2026-08-18",
  "tool-examples-2025-10-29",
  "tool-search-tool-2025-10-19",
];

/** What mantle takes beside those. */
const FORWARD_MANTLE = [
  "claude-code-20250219",
  "output-128k-2025-02-19",
  "per-turn-control-2026-07-01",
  "structured-outputs-*",
  "token-efficient-tools-*",
  "web-search-2025-03-05",
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

/** Betas of a request: of the header, of the body, where the Agent SDK puts them, and those that it needs. */
export function betasOf(
  body: MessagesRequest,
  inHeader: readonly string[],
  route: Route,
): readonly string[] {
  const inBody: readonly unknown[] = Array.isArray(body.anthropic_beta) ? body.anthropic_beta : [];
  const implied = IMPLIED.filter(([, wanted]) => wanted(body, route)).map(([beta]) => beta);
  const given = inBody.filter((beta) => typeof beta === "string");
  return [...new Set([...inHeader, ...given, ...implied])];
}

/** Body fields that a beta brings: both are sent, or neither. */
const FIELDS: readonly (readonly [beta: string, field: string])[] = [
  ["fast-mode-*", "speed"],
  ["cache-diagnosis-*", "diagnostics"],
  ["server-side-fallback-*", "fallbacks"],
  ["compact-2026-09-04", "compaction"],
  ["context-management-*", "context_management"],
  ["dangerous-tool-use-*", "safeguards"],
];

const forward = FORWARD.map(compileGlob);
const forwardMantle = [...FORWARD, ...FORWARD_MANTLE].map(compileGlob);
const fields = FIELDS.map(([beta, field]) => ({ glob: compileGlob(beta), field }));

/** What becomes of a request's betas. */
export interface FilteredBetas {
  /** Betas to send. */
  readonly send: readonly string[];
  /** Betas that were dropped. */
  readonly dropped: readonly string[];
  /** Body fields that must go with them. */
  readonly fields: readonly string[];
}

/** The operator's word on betas, over the table: by glob, what becomes of those that match. */
export interface BetaRule {
  /** Which betas. */
  readonly glob: Glob;
  /** `forward`, `drop`, or the name to send instead. */
  readonly action: string;
}

/** Rules of config.yaml made ready: the most specific first. */
export function betaRules(betas: Readonly<Record<string, string>>): readonly BetaRule[] {
  return Object.entries(betas).map(([source, action]) => ({ glob: compileGlob(source), action }))
    .sort((a, b) => b.glob.literals - a.glob.literals);
}

/** What else than the table decides on betas. */
export interface BetaDecisions {
  /** Betas that the model was found to refuse, by the names that Bedrock knows. */
  readonly refused?: readonly string[];
  /** The operator's rules. */
  readonly rules?: readonly BetaRule[];
}

/** What a beta's name is made of. One of a body may hold anything, and becomes part of a header. */
const BETA = /^[\w.:-]{1,128}$/;

/** The name to send a beta by; undefined to drop it. */
function sentAs(
  beta: string,
  known: readonly Glob[],
  rules: readonly BetaRule[],
): string | undefined {
  if (!BETA.test(beta)) return undefined;
  const action = rules.find(({ glob }) => glob.matches(beta))?.action;
  if (action === "drop") return undefined;
  if (action !== undefined) return action === "forward" ? beta : action;
  const name = RENAME[beta] ?? beta;
  return known.some((glob) => glob.matches(name)) ? name : undefined;
}

/** Applies the operator's rules and the table to the betas of a request. */
export function filterBetas(
  betas: readonly string[],
  route: Route,
  { refused = [], rules = [] }: BetaDecisions = {},
): FilteredBetas {
  const known = route === "mantle" ? forwardMantle : forward;
  const send = new Set<string>();
  const dropped: string[] = [];
  for (const beta of betas) {
    const name = sentAs(beta, known, rules);
    if (name === undefined || refused.includes(name)) dropped.push(beta);
    else send.add(name);
  }
  const orphaned = fields.filter(({ glob }) =>
    dropped.some((beta) => glob.matches(beta)) && ![...send].some((beta) => glob.matches(beta))
  );
  return { send: [...send], dropped, fields: orphaned.map(({ field }) => field) };
}
