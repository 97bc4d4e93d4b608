/**
 * Runs the Agent SDK, which runs Claude Code, against a gateway.
 *
 * It is no dependency of this project's: `deno task clients` installs it.
 * @module
 */
import type { Harness } from "../harness.ts";
import {
  type ClaudeOptions,
  type McpServer,
  MODULES,
  programOf,
  type Run,
  watched,
} from "./claude_code_program.ts";

/** What of the SDK's messages is looked at. */
export interface SdkMessage {
  /** `assistant`, `user`, `result`, … */
  readonly type: string;
  /** Of a result: how it ended. */
  readonly subtype?: string;
  /** Of a result: whether it failed. */
  readonly is_error?: boolean;
  /** Of a result: the last words. */
  readonly result?: string;
  /** Of a turn: what was said. */
  readonly message?: { readonly content: readonly { readonly type: string }[] };
}

interface AgentSdk {
  query(question: {
    prompt: string;
    options: {
      pathToClaudeCodeExecutable: string;
      cwd: string;
      env: Record<string, string>;
      settingSources: string[];
      model?: string;
      allowedTools?: readonly string[];
      mcpServers?: Readonly<Record<string, McpServer>>;
      strictMcpConfig: boolean;
    };
  }): AsyncIterable<SdkMessage>;
}

/** A run, with every message that the SDK gave. */
export interface AgentRun extends Run {
  /** The messages. */
  readonly messages: readonly SdkMessage[];
}

/** Runs the SDK with one prompt to its end. `{cwd}` in the prompt stands for its working directory. */
export async function agent(
  harness: Harness,
  prompt: string,
  { version = "2.1.330", ...options }: ClaudeOptions = {},
): Promise<AgentRun> {
  const { query }: AgentSdk = await import(
    new URL("@anthropic-ai/claude-agent-sdk/sdk.mjs", MODULES).href
  );
  const messages: SdkMessage[] = [];
  const { model, allowedTools, mcpServers } = options;
  const run = await watched(harness, options, async ({ home, env }) => {
    const asked = query({
      prompt: prompt.replaceAll("{cwd}", home),
      options: {
        pathToClaudeCodeExecutable: programOf(version),
        cwd: home,
        env,
        settingSources: [],
        strictMcpConfig: true,
        ...(model === undefined ? {} : { model }),
        ...(allowedTools === undefined ? {} : { allowedTools }),
        ...(mcpServers === undefined ? {} : { mcpServers }),
      },
    });
    for await (const message of asked) messages.push(message);
    const last = messages.at(-1);
    return {
      code: last?.subtype === "success" ? 0 : 1,
      result: last?.result ?? "",
      isError: last?.is_error !== false,
      stderr: "",
    };
  });
  return { ...run, messages };
}
