/**
 * A client's wish for thinking, in each family's own words.
 *
 * Source: Bedrock User Guide, the families' inference parameters; live probes ([D], [L 2026-09]).
 * @module
 */
import { checkOneOf } from "../../anthropic/field.ts";
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

type Level = "low" | "medium" | "high";

const EFFORTS = ["low", "medium", "high", "xhigh", "max"];

/** Budgets in tokens up to which an effort is low, then medium. */
const LOW_UP_TO = 4_096;
const MEDIUM_UP_TO = 16_384;

function levelOf(body: MessagesRequest): Level {
  const effort = body.output_config?.effort;
  if (effort === "low" || effort === "medium") return effort;
  if (typeof effort === "string") {
    checkOneOf(effort, "output_config.effort", EFFORTS);
    return "high";
  }
  const budget = body.thinking?.budget_tokens ?? MEDIUM_UP_TO;
  return budget <= LOW_UP_TO ? "low" : budget <= MEDIUM_UP_TO ? "medium" : "high";
}

function claude(body: MessagesRequest): Reasoning {
  const { thinking } = body;
  const effort = body.output_config?.effort;
  return {
    fields: {
      ...(thinking === undefined || thinking === null ? {} : { thinking }),
      ...(effort === undefined || effort === null ? {} : { output_config: { effort } }),
    },
    bare: false,
    dropped: [],
  };
}

/** Adaptive leaves it to the model; asking these for reasoning would turn it on in every turn. */
function asksOutright({ thinking }: MessagesRequest): boolean {
  return thinking?.type === "enabled";
}

type Mapping = (body: MessagesRequest, quirks: Quirks) => Reasoning;

const MAPPINGS: Readonly<Record<Quirks["thinking"], Mapping>> = {
  claude,
  reasoning_config(body, { thinkingNeeded }) {
    return thinkingNeeded && !asksOutright(body)
      ? unasked(body)
      : given(body, { reasoning_config: levelOf(body) });
  },
  reasoning_effort: (body) => given(body, { reasoning_effort: levelOf(body) }),
  nova(body) {
    const level = levelOf(body);
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

/** For models that must be asked: by the effort that the body names, else as little as can be. */
function unasked(body: MessagesRequest): Reasoning {
  const named = typeof body.output_config?.effort === "string";
  return {
    fields: { reasoning_config: named ? levelOf(body) : "low" },
    bare: false,
    dropped: body.thinking?.type === "disabled" ? ["thinking"] : [],
  };
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
