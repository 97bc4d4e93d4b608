/**
 * The scripted models: a table from name to behaviour.
 *
 * A behaviour is chosen by the model id (`sim.throttle-2`, `anthropic.sim-think`) or by a mark in the last user
 * text (`[[sim:throttle-2]]`, `[[sim:tool Bash {"command":"ls"}]]`); without either the model acts as an agent.
 * @module
 */
import { type Conversation, type Json, object, type OfferedTool } from "./conversation.ts";
import { CoralError } from "./coral.ts";
import { call, type Fault, inParts, type Plan, say, signatureOf } from "./plan.ts";

/** What a behaviour goes by. */
export interface Situation {
  /** The request. */
  readonly conversation: Conversation;
  /** What stands behind the behaviour's name. */
  readonly argument: string;
  /** How many requests with the same model and text came before this one. */
  readonly earlier: number;
}

type Behaviour = (situation: Situation) => Plan;

/** An input that fits a schema, made up. */
export function inputFor(schema: Json): Json {
  const properties = object(schema.properties);
  const required = Array.isArray(schema.required)
    ? schema.required.map(String)
    : Object.keys(properties);
  return Object.fromEntries(required.map((name) => [name, valueFor(object(properties[name]))]));
}

function valueFor(schema: Json): unknown {
  if (Array.isArray(schema.enum)) return schema.enum[0];
  switch (schema.type) {
    case "number":
    case "integer":
      return 1;
    case "boolean":
      return true;
    case "array":
      return [];
    case "object":
      return inputFor(schema);
    default:
      return "Paris";
  }
}

function inputOf({ name, schema }: OfferedTool): Json {
  return name === "Bash"
    ? { command: "echo outcrop-tool-ok", description: "Print a word" }
    : inputFor(schema);
}

function toolNamed(conversation: Conversation, name: string): OfferedTool | undefined {
  return conversation.tools.find((tool) => tool.name === name);
}

const agent: Behaviour = ({ conversation }) => {
  const { toolResult, tools, lastUserText, mustCall } = conversation;
  if (toolResult !== undefined) return say(`The tool said: ${toolResult}`);
  const tool = toolNamed(conversation, "Bash") ?? tools[0];
  if (tool !== undefined && (mustCall || /(run|use) the tool/i.test(lastUserText))) {
    return call(tool.name, inputOf(tool));
  }
  return say("Hello from the simulated model.");
};

/** The call in `Bash {"command":"ls"}`; `mcp__city*` is the first offered tool whose name begins so. */
function callOf(argument: string, { tools }: Conversation): Plan {
  const [wanted = "", ...json] = argument.split(" ");
  const offered = wanted.endsWith("*")
    ? tools.find(({ name }) => name.startsWith(wanted.slice(0, -1)))
    : undefined;
  return call(offered?.name ?? wanted, JSON.parse(json.join(" ") || "{}"));
}

function failing(what: Fault): Behaviour {
  return () => ({
    ...say("This answer will not end well, and here is its beginning."),
    fault: { after: 4, what },
  });
}

function unless(
  limit: string,
  earlier: number,
  error: () => CoralError,
  situation: Situation,
): Plan {
  if (earlier < Number(limit || 1)) throw error();
  return agent({ ...situation, argument: "" });
}

/** By name; an argument follows the name after `-` or a space. */
const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  agent,
  echo: ({ conversation }) => say(conversation.lastUserText.replace(MARK, "").trim() || "."),
  "echo-json": ({ conversation }) => say(JSON.stringify(conversation.body)),
  count: ({ argument }) => ({
    steps: [{
      kind: "text",
      parts: Array.from({ length: Number(argument || 10) }, (_, n) => `${n + 1} `),
    }],
    stopReason: "end_turn",
  }),
  think: ({ argument, conversation }) => {
    const text = "Let me think about this for a moment.";
    const [tool] = conversation.tools;
    const after = conversation.toolResult !== undefined || tool === undefined
      ? say("I have thought.")
      : argument === ""
      ? call(tool.name, inputOf(tool))
      : callOf(argument, conversation);
    return {
      ...after,
      steps: [{ kind: "thinking", text, signature: signatureOf(text) }, ...after.steps],
    };
  },
  mumble: () => ({
    ...say("I have thought."),
    steps: [
      { kind: "thinking", text: "Nobody signs this.", signature: undefined },
      { kind: "text", parts: inParts("I have thought.") },
    ],
  }),
  tool({ argument, conversation }) {
    if (conversation.toolResult !== undefined) {
      return say(`The tool said: ${conversation.toolResult}`);
    }
    return callOf(argument, conversation);
  },
  noinput: ({ conversation }) => call(conversation.tools[0]?.name ?? "ping", {}, false),
  parallel: ({ conversation }) => {
    const tools = conversation.tools.length > 1
      ? conversation.tools.slice(0, 2)
      : [conversation.tools[0], conversation.tools[0]];
    const steps = tools.map((tool) => ({
      kind: "tool" as const,
      name: tool?.name ?? "ping",
      input: tool === undefined ? {} : inputOf(tool),
      deltas: true,
    }));
    return {
      steps: [{ kind: "text", parts: ["Both at once."] }, ...steps],
      stopReason: "tool_use",
    };
  },
  cache: () => ({ ...say("From the cache."), cache: { read: 900, write: 100 } }),
  slow: ({ argument }) => ({
    ...say("One word at a time, and no faster than that."),
    paceMs: Number(argument || 100),
  }),
  silent: ({ argument }) => ({ ...say("Here I am."), silentMs: Number(argument || 30_000) }),
  stall: () => ({ ...say("never"), fault: { after: 0, what: { kind: "stall" } } }),
  "stall-mid": failing({ kind: "stall" }),
  "cut-mid": failing({ kind: "cut" }),
  "cut-before-stop": failing({ kind: "early_end" }),
  "crc-mid": failing({ kind: "corrupt", how: "crc" }),
  "fail-mid": (situation) =>
    failing({
      kind: "exception",
      name: situation.argument || "internalServerException",
      message: "The model failed midway",
    })(situation),
  "fail-first": ({ argument }) => ({
    ...say("never"),
    fault: {
      after: 0,
      what: {
        kind: "exception",
        name: argument || "throttlingException",
        message: "Too many tokens, please wait before trying again.",
      },
    },
  }),
  throttle: (situation) =>
    unless(
      situation.argument,
      situation.earlier,
      () =>
        new CoralError(
          "ThrottlingException",
          "Too many requests, please wait before trying again.",
        ),
      situation,
    ),
  unready: (situation) =>
    unless(
      situation.argument,
      situation.earlier,
      () =>
        new CoralError(
          "ModelNotReadyException",
          "Model is not ready for inference. Please retry your request.",
        ),
      situation,
    ),
  error({ argument }) {
    const [status = "500", exception = "InternalServerException"] = argument.split(/[- ]/);
    throw new CoralError(
      exception,
      `The simulator was asked to fail with ${exception}`,
      Number(status),
    );
  },
  context() {
    throw new CoralError(
      "ValidationException",
      "prompt is too long: 210000 tokens > 200000 maximum",
    );
  },
  "stop-max": () => ({ ...say("This answer is cut off right"), stopReason: "max_tokens" }),
  "stop-guardrail": () => ({
    ...say("Sorry, that is not allowed."),
    stopReason: "guardrail_intervened",
  }),
  "stop-malformed": () => ({ ...say("{"), stopReason: "malformed_tool_use" }),
  "stop-sequence": () => ({
    ...say("Up to here"),
    stopReason: "stop_sequence",
    stopSequence: "END",
  }),
};

const MARK = /\[\[sim:([^\]]*(?:\][^\]]+)*)\]\]/;
const BY_LENGTH = Object.keys(BEHAVIOURS).sort((a, b) => b.length - a.length);

/** The behaviour's name and argument in `throttle-2` or `tool Bash {…}`; undefined if it is none. */
function parseBehaviour(text: string): { name: string; argument: string } | undefined {
  const name = BY_LENGTH.find((one) =>
    text === one || text.startsWith(`${one}-`) || text.startsWith(`${one} `)
  );
  return name === undefined ? undefined : { name, argument: text.slice(name.length + 1) };
}

/** What the model does about a request: by the mark in the text, else by its id, else as an agent. */
export function planFor(modelId: string, conversation: Conversation, earlier: number): Plan {
  const mark = MARK.exec(conversation.lastUserText)?.[1];
  const fromId = /(?:^|[./])sim[.-](.+)$/.exec(modelId)?.[1];
  const chosen = parseBehaviour(mark ?? "") ?? parseBehaviour(fromId ?? "") ??
    { name: "agent", argument: "" };
  const behaviour = BEHAVIOURS[chosen.name] ?? agent;
  return behaviour({ conversation, argument: chosen.argument, earlier });
}

/** Names of the scripted models. */
export const BEHAVIOUR_NAMES: readonly string[] = Object.keys(BEHAVIOURS);
