/**
 * The program as the tasks of deno.json start it, in a process of its own, under exactly their permissions.
 * @module
 */
import assert from "node:assert/strict";

/** The project's folder. */
export const ROOT: string = new URL("../../", import.meta.url).pathname;

/** What a task of deno.json runs. */
export function task(name: string): string {
  const { tasks } = JSON.parse(Deno.readTextFileSync(`${ROOT}deno.json`));
  const command: unknown = tasks[name];
  assert.ok(typeof command === "string", `deno.json has no task ${name}`);
  return command;
}

/** The permission flags of a task. */
export function flagsOf(name: string): string[] {
  return [...task(name).matchAll(/ (-[A-Z]\b|--(?:allow|deny|no|frozen)[-\w=,.]*)/g)]
    .map(([, flag]) => flag ?? "");
}

/** How the program is started. */
export interface StartOptions {
  /** Where it runs, with its config.yaml. */
  readonly folder: string;
  /** Environment. */
  readonly env?: Record<string, string>;
  /** Flags in the place of the tasks' own. */
  readonly flags?: readonly string[];
  /** How many files and connections it may have open. @default what this process may */
  readonly openFiles?: number;
}

function command(args: readonly string[], options: StartOptions): Deno.Command {
  const { folder, env = {}, flags = flagsOf("outcrop"), openFiles } = options;
  const program = [Deno.execPath(), "run", "--quiet", "--no-check", ...flags]
    .concat("--config", `${ROOT}deno.json`, `${ROOT}src/main.ts`, args);
  const limited = ["sh", "-c", `ulimit -n ${openFiles} && exec "$0" "$@"`, ...program];
  const [name = "", ...rest] = openFiles === undefined ? program : limited;
  return new Deno.Command(name, {
    args: rest,
    cwd: folder,
    env: { NO_COLOR: "1", AWS_EC2_METADATA_DISABLED: "true", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

const utf8 = new TextDecoder();

/** Runs a command to its end. */
export async function outcrop(
  args: readonly string[],
  options: StartOptions,
): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await command(args, options).output();
  return { code, out: utf8.decode(stdout), err: utf8.decode(stderr) };
}

/** A server in a process of its own. */
export interface Served {
  /** Base URL. */
  readonly url: string;
  /** Process id. */
  readonly pid: number;
  /** What it has logged so far. */
  log(): string;
  /** Stops it, and gives its exit code. */
  stop(): Promise<number>;
}

/** Starts `outcrop serve`, and waits until it listens. */
export async function serve(args: readonly string[], options: StartOptions): Promise<Served> {
  const process = command(["serve", ...args], options).spawn();
  let log = "";
  let told = () => {};
  const listening = new Promise<void>((resolve) => told = resolve);
  const reading = (async () => {
    for await (const part of process.stderr.pipeThrough(new TextDecoderStream())) {
      log += part;
      if (log.includes("Listening on ")) told();
    }
    told();
  })();
  await listening;
  const url = /Listening on (\S+)/.exec(log)?.[1];
  const stop = async () => {
    process.kill("SIGTERM");
    await Promise.all([reading, process.stdout.cancel()]);
    return (await process.status).code;
  };
  if (url === undefined) {
    await Promise.all([process.stdout.cancel(), process.status]);
    throw new Error(`Cannot serve: ${log}`);
  }
  return { url, pid: process.pid, log: () => log, stop };
}

/** Runs `test` in a new folder with this config.yaml. */
export async function inFolder(
  config: string,
  test: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/config.yaml`, config);
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
