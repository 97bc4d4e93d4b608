/**
 * A client's wish for thinking, in each family's own words.
 *
 * Source: Bedrock User Guide, the families' inference parameters; live probes ([D], [L 2026-09]).
 * @module
 */
import { checkOneOf } from "../../anthropic/field.ts";
import { withoutDisplay } from "../../anthropic/thinking.ts";
import type { MessagesRequest } from "../../anthropic/types.ts";
import type { Quirks } from "./quirks.ts";
import { isThinking } from "./tools.ts";

/** What asking for thinking adds and forbids. */
export interface Reasoning {
  /** Members of `additionalModelRequestFields`. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Whether maxTokens, temperature and topP must be left out. */
  readonly bare: boolean;
  /** Names of what was left out. */
  readonly dropped: readonly string[];
}

/** All that a client may ask for, least first. */
const EFFORTS = ["low", "medium", "high", "xhigh", "max"];

/** Budgets in tokens up to which an effort is low, then medium. */
const LOW_UP_TO = 4_096;
const MEDIUM_UP_TO = 16_384;

function namesEffort({ output_config }: MessagesRequest): boolean {
  return typeof output_config?.effort === "string";
}

function effortOf({ output_config, thinking }: MessagesRequest): string {
  const effort = output_config?.effort;
  if (typeof effort === "string") return checkOneOf(effort, "output_config.effort", EFFORTS);
  const budget = thinking?.budget_tokens ?? MEDIUM_UP_TO;
  return budget <= LOW_UP_TO ? "low" : budget <= MEDIUM_UP_TO ? "medium" : "high";
}

/** The most of what the family knows that is not above what is asked for; else its least. */
function levelOf(body: MessagesRequest, { efforts }: Quirks): string {
  const asked = EFFORTS.indexOf(effortOf(body));
  const known = efforts.filter((effort) => EFFORTS.includes(effort));
  return known.findLast((effort) => EFFORTS.indexOf(effort) <= asked) ?? known[0] ?? "low";
}

function claude(body: MessagesRequest, { thinkingDisplay }: Quirks): Reasoning {
  const { thinking } = body;
  const effort = body.output_config?.effort;
  const undisplayed = thinkingDisplay ? undefined : withoutDisplay(thinking);
  return {
    fields: {
      ...(thinking === undefined || thinking === null ? {} : { thinking: undisplayed ?? thinking }),
      ...(effort === undefined || effort === null ? {} : { output_config: { effort } }),
    },
    bare: false,
    dropped: undisplayed === undefined ? [] : ["thinking.display"],
  };
}

/** Adaptive leaves it to the model; asking these for reasoning would turn it on in every turn. */
function asksOutright({ thinking }: MessagesRequest): boolean {
  return thinking?.type === "enabled";
}

type Mapping = (body: MessagesRequest, quirks: Quirks) => Reasoning;

const MAPPINGS: Readonly<Record<Quirks["thinking"], Mapping>> = {
  claude,
  reasoning_config: (body, quirks) => byEffort("reasoning_config", body, quirks),
  reasoning_effort: (body, quirks) => byEffort("reasoning_effort", body, quirks),
  nova(body, quirks) {
    const level = levelOf(body, quirks);
    const reasoning = given(body, {
      reasoningConfig: { type: "enabled", maxReasoningEffort: level },
    });
    return { ...reasoning, bare: asksOutright(body) && level === "high" };
  },
  none: (body) => ({ fields: {}, bare: false, dropped: leftOut(body, []) }),
};

function given(body: MessagesRequest, fields: Record<string, unknown>): Reasoning {
  if (asksOutright(body)) {
    return { fields, bare: false, dropped: leftOut(body, ["thinking", "effort"]) };
  }
  return { fields: {}, bare: false, dropped: leftOut(body, []) };
}

/** For families that are asked by one word. */
function byEffort(field: string, body: MessagesRequest, quirks: Quirks): Reasoning {
  const { thinkingDefault, efforts } = quirks;
  const level = levelOf(body, quirks);
  if (thinkingDefault === "off") return given(body, { [field]: level });
  const say = (effort: string | undefined, dropped: readonly string[]): Reasoning => ({
    fields: effort === undefined ? {} : { [field]: effort },
    bare: false,
    dropped,
  });
  const type = body.thinking?.type;
  if (type === "disabled" || type === "between_tools") {
    return say(efforts[0], efforts[0] === "none" ? [] : ["thinking"]);
  }
  const dropped = leftOut(body, ["thinking", "effort"]);
  if (asksOutright(body) || namesEffort(body)) return say(level, dropped);
  // For models that never answer without a word, as little as can be.
  return say(thinkingDefault === "stuck" ? efforts[0] : undefined, dropped);
}

function leftOut(body: MessagesRequest, said: readonly string[]): string[] {
  const dropped: string[] = [];
  if (isThinking(body) && !said.includes("thinking")) dropped.push("thinking");
  const effort = body.output_config?.effort;
  if (effort !== undefined && effort !== null && !said.includes("effort")) {
    dropped.push("output_config.effort");
  }
  if (said.includes("thinking") && typeof body.thinking?.display === "string") {
    dropped.push("thinking.display");
  }
  return dropped;
}

/** How this family is asked for the thinking that the body wants. */
export function reasoningFields(body: MessagesRequest, quirks: Quirks): Reasoning {
  return MAPPINGS[quirks.thinking](body, quirks);
}
