/**
 * The clients under test, and the ways on which they ask a model.
 * @module
 */
import { agent } from "./agent_sdk_program.ts";
import { claude, type Version } from "./claude_code_program.ts";

/** A model and a way to it. */
export interface Lane {
  /** What it is called. */
  readonly name: string;
  /** The gateway's configuration. */
  readonly config: string;
  /** Where Bedrock is asked. */
  readonly path: RegExp;
  /** Whose body Bedrock is sent. */
  readonly wire: "anthropic" | "converse";
  /** Whose model answers. */
  readonly family: "claude" | "qwen";
}

const INVOKE: Lane = {
  name: "invoke",
  config: "",
  path: /anthropic\.claude-.*\/invoke-with-response-stream$/,
  wire: "anthropic",
  family: "claude",
};
const CONVERSE: Lane = {
  name: "converse",
  config: "models: { claude_route: converse }\n",
  path: /anthropic\.claude-.*\/converse-stream$/,
  wire: "converse",
  family: "claude",
};
const QWEN: Lane = {
  name: "converse as Qwen",
  config: 'models: { aliases: { "claude-*": qwen.qwen3-vl-235b-a22b } }\n',
  path: /qwen\.qwen3-vl-235b-a22b\/converse-stream$/,
  wire: "converse",
  family: "qwen",
};
const MESSAGES: readonly Lane[] = ["messages", "mantle"].map((name) => ({
  name,
  config: `models: { claude_route: ${name} }\n`,
  path: /^\/anthropic\/v1\/messages$/,
  wire: "anthropic",
  family: "claude",
}));

/** Who is run, as what, and on which lanes. */
export interface Client {
  /** What it is called. */
  readonly name: string;
  /** The program. */
  readonly version: Version;
  /** The model that it asks for. */
  readonly model: string;
  /** Ways that it goes. */
  readonly lanes: readonly Lane[];
  /** Runs it. */
  readonly run: typeof claude;
}

const LANES = [INVOKE, CONVERSE, QWEN];

/** The newest Claude Code, on all four routes. */
export const NEWEST: Client = {
  name: "Claude Code 2.1.330",
  version: "2.1.330",
  model: "claude-opus-5-5",
  lanes: [...LANES, ...MESSAGES],
  run: claude,
};

/** What plain npm gives on Node 20. */
export const OLDER: Client = {
  name: "Claude Code 2.1.197",
  version: "2.1.197",
  model: "claude-opus-4-8",
  lanes: LANES,
  run: claude,
};

/** The newest Claude Code, run by the Agent SDK. */
export const AGENT_SDK: Client = { ...NEWEST, name: "the Agent SDK", lanes: LANES, run: agent };
