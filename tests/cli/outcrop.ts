/**
 * `outcrop` as a process of its own, with a folder of its own.
 * @module
 */
import { SIMULATOR_CREDENTIALS } from "../../src/simulator/simulator.ts";
import { assertNoKey } from "../secret_watch.ts";

/** The checkout, with a slash at its end. */
export const ROOT = new URL("../../", import.meta.url).pathname;

/** What a command came to. */
export interface Ran {
  /** Exit code. */
  readonly code: number;
  /** What it wrote to stdout. */
  readonly out: string;
  /** What it wrote to stderr. */
  readonly err: string;
}

/** The command, not yet run. */
export function command(
  args: readonly string[],
  cwd: string,
  env: Record<string, string> = {},
): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-check",
      "-A",
      "--config",
      `${ROOT}deno.json`,
      `${ROOT}src/main.ts`,
      ...args,
    ],
    cwd,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Runs it to its end. */
export async function outcrop(
  args: readonly string[],
  cwd: string,
  env: Record<string, string> = {},
): Promise<Ran> {
  const { code, stdout, stderr } = await command(args, cwd, env).output();
  const ran = {
    code,
    out: new TextDecoder().decode(stdout),
    err: new TextDecoder().decode(stderr),
  };
  const [group, name = ""] = args;
  assertNoKey("stderr", ran.err);
  // The two that give a key to whoever asks.
  if (group !== "keys" || !["create", "rotate"].includes(name)) assertNoKey("stdout", ran.out);
  return ran;
}

/** Runs `run` with a folder that is gone afterwards. */
export async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What a process writes, as it writes it. */
export class Output {
  readonly #parts: AsyncIterator<string>;
  #text = "";

  /** Of `stdout` or `stderr`. */
  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#parts = stream.pipeThrough(new TextDecoderStream()).values();
  }

  /** The next text that matches; fails when the process ends before. */
  async next(wanted: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = wanted.exec(this.#text);
      if (found !== null) {
        this.#text = this.#text.slice(found.index + found[0].length);
        return found;
      }
      const { done, value } = await this.#parts.next();
      if (done) throw new Error(`Cannot find ${wanted} in ${this.#text}`);
      this.#take(value);
    }
  }

  #take(part: string): void {
    this.#text += part;
    assertNoKey("a server's output", this.#text);
  }

  /** The rest, to the end. */
  async rest(): Promise<string> {
    for (;;) {
      const { done, value } = await this.#parts.next();
      if (done) return this.#text;
      this.#take(value);
    }
  }
}

/** `outcrop serve`, as long as a test needs it. */
export interface Serving {
  /** The process. */
  readonly server: Deno.ChildProcess;
  /** What it writes to stderr. */
  readonly told: Output;
  /** Waits for its end, which is for the test to bring about; gives what it wrote that was not looked at. */
  ended(): Promise<string>;
}

/** Starts it with the simulator's credentials. It is killed where it has not ended within two minutes. */
export function startServe(folder: string, env: Record<string, string> = {}): Serving {
  const server = command(["serve"], folder, {
    AWS_ACCESS_KEY_ID: SIMULATOR_CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: SIMULATOR_CREDENTIALS.secretAccessKey,
    ...env,
  }).spawn();
  const deadline = setTimeout(() => server.kill("SIGKILL"), 120_000);
  const stdout = server.stdout.cancel();
  const told = new Output(server.stderr);
  return {
    server,
    told,
    async ended() {
      const rest = await told.rest();
      await server.status;
      clearTimeout(deadline);
      await stdout;
      return rest;
    },
  };
}
