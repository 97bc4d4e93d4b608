/**
 * What a model can do through this gateway, as Anthropic's list of models tells it.
 *
 * Source: Anthropic API reference, ModelCapabilities ([T]); what models take on Bedrock stands in the tables of
 * features and quirks, and in the account's catalog.
 * @module
 */
import type { Route } from "../config/schema.ts";
import type { ModelFacts } from "./catalog_read.ts";
import { type Quirks, quirksOf } from "./converse/quirks.ts";
import { type ClaudeFeatures, claudeFeatures } from "./native/features.ts";

/** Whether something can be done. */
export interface Supported {
  /** Whether it can. */
  readonly supported: boolean;
}

/** Whether things can be done, by name. */
export type Named = Readonly<Record<string, Supported>>;

/** Whether something can be done, and by name what of it. */
export interface Detailed extends Supported {
  /** One of its kinds. */
  readonly [name: string]: Supported | boolean;
}

/** What a model can do, by Anthropic's names. */
export interface Capabilities {
  /** Batches: nobody here takes them. */
  readonly batch: Supported;
  /** Citations. */
  readonly citations: Supported;
  /** Tools called by code that Anthropic's servers run: never here. */
  readonly code_execution: Supported;
  /** Edits of the context, by name. */
  readonly context_management: Detailed;
  /** Levels of effort. */
  readonly effort: Detailed;
  /** Pictures. */
  readonly image_input: Supported;
  /** PDF documents. */
  readonly pdf_input: Supported;
  /** Tools that Anthropic's servers run: never here. */
  readonly server_tools: Detailed;
  /** Formats of the answer, by the model or by a tool that it must call. */
  readonly structured_outputs: Supported;
  /** Which `thinking.type` may be sent. */
  readonly thinking: Supported & { readonly types: Named };
}

/** Which model is asked, and how. */
export interface CapableModel {
  /** Foundation model id. */
  readonly baseId: string;
  /** `claude`, or the vendor. */
  readonly family: string;
  /** Way to it. */
  readonly route: Route;
  /** What the account's catalog says of it. */
  readonly facts: ModelFacts | undefined;
}

const EFFORTS = ["low", "medium", "high", "xhigh", "max"];
const THINKING_TYPES = ["enabled", "adaptive", "disabled", "between_tools"];
const EDITS = ["clear_thinking_20251015", "clear_tool_uses_20250919"];
const COMPACTION = "compact_20260112";

function support(supported: boolean): Supported {
  return { supported };
}

function named(names: readonly string[], can: (name: string) => boolean): Named {
  return Object.fromEntries(names.map((name) => [name, support(can(name))]));
}

/** The same of every model: none of it is on Bedrock. */
const NEVER = {
  batch: support(false),
  code_execution: support(false),
  server_tools: { ...support(false), ...named(["code_execution", "web_search"], () => false) },
};

function ofClaude(route: Route, { efforts, thinking }: ClaudeFeatures): Capabilities {
  const edits = route !== "converse" && efforts.length > 0;
  return {
    ...NEVER,
    citations: support(true),
    context_management: {
      ...support(edits),
      ...named(EDITS, () => edits),
      [COMPACTION]: support(edits && thinking.includes("adaptive")),
    },
    effort: { ...support(efforts.length > 0), ...named(EFFORTS, (name) => efforts.includes(name)) },
    image_input: support(true),
    pdf_input: support(true),
    structured_outputs: support(true),
    thinking: {
      ...support(true),
      types: named(THINKING_TYPES, (type) => thinking.includes(type)),
    },
  };
}

/** What a family does not know of thinking is left out of a request, and refused by nobody. */
function ofFamily(quirks: Quirks, { images, pdf }: ModelFacts): Capabilities {
  const thinks = quirks.thinking !== "none";
  const byEffort = thinks && quirks.thinkingDefault !== "off";
  return {
    ...NEVER,
    citations: support(quirks.cites),
    context_management: {
      ...support(false),
      ...named([...EDITS, COMPACTION], () => false),
    },
    effort: {
      ...support(byEffort),
      ...named(EFFORTS, (name) => byEffort && quirks.efforts.includes(name)),
    },
    image_input: support(images === true),
    pdf_input: support(pdf === true),
    structured_outputs: support(quirks.tools !== "none"),
    thinking: { ...support(thinks), types: named(THINKING_TYPES, () => true) },
  };
}

/** What a model can do; null where nobody has told what it takes. */
export function capabilitiesOf(
  { baseId, family, route, facts }: CapableModel,
): Capabilities | null {
  if (family === "claude") return ofClaude(route, claudeFeatures(baseId));
  return facts?.images === undefined ? null : ofFamily(quirksOf(baseId, facts), facts);
}
