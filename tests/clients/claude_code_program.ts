/**
 * Runs Claude Code against a gateway, in a home of its own.
 *
 * Its programs are installed by `deno task clients` into `tests/clients/.cache`; without them the tests that need
 * them fail, and say so: they are never skipped.
 * @module
 */
import type { Harness } from "../harness.ts";
import { assertNeverRefused, type Exchanged, startWitness } from "./witness.ts";

/** Versions under test: the newest, and the one that plain npm gives on Node 20. */
export const VERSIONS = ["2.1.330", "2.1.197"] as const;
/** One of them. */
export type Version = typeof VERSIONS[number];

/** Where clients are installed. */
export const MODULES = new URL("./.cache/node_modules/", import.meta.url);

/** Path of the program. */
export function programOf(version: Version): string {
  return new URL(`claude-code-${version}/claude`, MODULES).pathname;
}

/** The environment of a run: nothing of this machine's, and no way to anywhere but the gateway. */
export function environmentOf(
  home: string,
  { url, key }: Pick<Harness, "url" | "key">,
): Record<string, string> {
  return {
    PATH: Deno.env.get("PATH") ?? "",
    HOME: home,
    ANTHROPIC_BASE_URL: url,
    ANTHROPIC_API_KEY: key,
    DISABLE_TELEMETRY: "1",
    DISABLE_ERROR_REPORTING: "1",
    DISABLE_AUTOUPDATER: "1",
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    CLAUDE_CODE_MAX_RETRIES: "2",
    // The first request waits for the MCP servers, however slow the machine.
    MCP_CONNECTION_NONBLOCKING: "0",
    MCP_CONNECT_TIMEOUT_MS: "60000",
  };
}

/** How Claude Code runs. */
export interface ClaudeOptions {
  /** Which Claude Code. @default "2.1.330" */
  version?: Version;
  /** Model's name. */
  model?: string;
  /** Tools it may use without asking. */
  allowedTools?: readonly string[];
  /** MCP servers by name: none but these are known. */
  mcpServers?: Readonly<Record<string, McpServer>>;
  /** Further arguments of the program. */
  args?: readonly string[];
  /** Further variables of the environment. */
  env?: Readonly<Record<string, string>>;
  /** Files of the working directory, by name. */
  files?: Readonly<Record<string, string | Uint8Array>>;
}

/** An MCP server over stdio. */
export interface McpServer {
  /** Program. */
  readonly command: string;
  /** Its arguments. */
  readonly args: string[];
  /** Its environment. */
  readonly env: Record<string, string>;
}

/** How it ended. */
export interface Ending {
  /** Exit code. */
  readonly code: number;
  /** Its last words. */
  readonly result: string;
  /** Whether it says that it failed. */
  readonly isError: boolean;
  /** What it wrote besides. */
  readonly stderr: string;
}

/** What came of it. */
export interface Run extends Ending {
  /** What went between it and the gateway. */
  readonly exchanged: readonly Exchanged[];
}

/** Where a run takes place. */
export interface Place {
  /** Working directory, and home. */
  readonly home: string;
  /** Its whole environment. */
  readonly env: Record<string, string>;
}

/**
 * Gives a run a home of its own, and looks on what goes between it and the gateway.
 *
 * @throws {AssertionError} If the gateway refused any of its requests
 */
export async function watched(
  harness: Harness,
  { files = {}, env = {} }: ClaudeOptions,
  run: (place: Place) => Promise<Ending>,
): Promise<Run> {
  const home = await Deno.makeTempDir();
  const witness = startWitness(harness.url);
  try {
    for (const [name, content] of Object.entries(files)) {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      await Deno.writeFile(`${home}/${name}`, bytes);
    }
    const usual = environmentOf(home, { url: witness.url, key: harness.key });
    const ending = await run({ home, env: { ...usual, ...env } });
    assertNeverRefused(witness.exchanged);
    return { ...ending, exchanged: witness.exchanged };
  } finally {
    await witness.close();
    await Deno.remove(home, { recursive: true });
  }
}

function argumentsOf({ model, allowedTools, mcpServers, args = [] }: ClaudeOptions): string[] {
  return [
    ...args,
    ...(model === undefined ? [] : ["--model", model]),
    ...(mcpServers === undefined
      ? []
      : ["--mcp-config", JSON.stringify({ mcpServers }), "--strict-mcp-config"]),
    ...(allowedTools === undefined ? [] : ["--allowedTools", ...allowedTools]),
  ];
}

/** Runs Claude Code with one prompt to its end. `{cwd}` in the prompt stands for its working directory. */
export function claude(
  harness: Harness,
  prompt: string,
  options: ClaudeOptions = {},
): Promise<Run> {
  return watched(harness, options, async ({ home, env }) => {
    const command = new Deno.Command(programOf(options.version ?? "2.1.330"), {
      args: [
        "-p",
        prompt.replaceAll("{cwd}", home),
        "--output-format",
        "json",
        ...argumentsOf(options),
      ],
      clearEnv: true,
      env,
      cwd: home,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
    const { code, stdout, stderr } = await command.output();
    const text = new TextDecoder().decode(stdout);
    const answer = text.trim() === "" ? {} : JSON.parse(text);
    return {
      code,
      result: String(answer.result ?? ""),
      isError: answer.is_error === true,
      stderr: new TextDecoder().decode(stderr),
    };
  });
}
