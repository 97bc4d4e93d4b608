/**
 * Betas on the native routes: which are sent on, renamed or dropped. One unknown beta fails the whole request
 * (`invalid beta flag`), so what is not in the table is dropped and told.
 *
 * Source: api behaviour recorded by several clients of Bedrock ([C], [L 2026-09]).
 * @module
 */
import { compileGlob } from "../../text/glob.ts";
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

/** Applies the table to the betas of a request; `refused` are those that the model was found to refuse. */
export function filterBetas(
  betas: readonly string[],
  route: Route,
  refused: readonly string[] = [],
): FilteredBetas {
  const known = route === "mantle" ? forwardMantle : forward;
  const send = new Set<string>();
  const dropped: string[] = [];
  for (const beta of betas) {
    const name = RENAME[beta] ?? beta;
    if (!refused.includes(name) && known.some((glob) => glob.matches(name))) send.add(name);
    else dropped.push(beta);
  }
  const orphaned = fields.filter(({ glob }) =>
    dropped.some((beta) => glob.matches(beta)) && ![...send].some((beta) => glob.matches(beta))
  );
  return { send: [...send], dropped, fields: orphaned.map(({ field }) => field) };
}
