/**
 * The servers that are measured: each a process of its own, whose CPU time and memory are read from /proc (Linux).
 * @module
 */

const HERE = new URL(".", import.meta.url).pathname;
const CONFIG = new URL("../deno.json", import.meta.url).pathname;
const TICK_US = 10_000; // USER_HZ is 100 on Linux

/** A port that nobody listens on. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}

/** Waits for a condition, looking again each few milliseconds. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  everyMs: number = 25,
): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!await condition()) {
    if (performance.now() > deadline) throw new Error(`Cannot go on as ${what} did not come`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

async function listens(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false; // not yet
  }
}

/** A server under measurement. */
export class ServerProcess {
  /** Base URL. */
  readonly url: string;
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;

  private constructor(child: Deno.ChildProcess, port: number) {
    this.#child = child;
    this.url = `http://127.0.0.1:${port}`;
    this.#lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#stdin = child.stdin.getWriter();
  }

  /** Starts a script of this folder with a port and further arguments, and waits until it listens. */
  static start(script: string, ...args: readonly string[]): Promise<ServerProcess> {
    return ServerProcess.startAt(freePort(), script, ...args);
  }

  /** The same, on a port that is given. */
  static async startAt(
    port: number,
    script: string,
    ...args: readonly string[]
  ): Promise<ServerProcess> {
    const server = ServerProcess.spawn([`${HERE}${script}`, String(port), ...args], { port });
    await until(() => listens(port), `the server of ${script}`);
    return server;
  }

  /** Starts a program without waiting for it; `quiet` leaves out what it logs. */
  static spawn(
    args: readonly string[],
    options: { port: number; env?: Record<string, string>; quiet?: boolean },
  ): ServerProcess {
    const { port, env = {}, quiet = false } = options;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--config", CONFIG, "--allow-all", ...args],
      stdin: "piped",
      stdout: "piped",
      stderr: quiet ? "null" : "inherit",
      env,
    }).spawn();
    return new ServerProcess(child, port);
  }

  /** User and system time of a process so far, in microseconds. */
  static cpuOf(pid: number): number {
    const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) * TICK_US;
  }

  /** User and system time so far, in microseconds. */
  cpu(): number {
    return ServerProcess.cpuOf(this.#child.pid);
  }

  /** A figure of /proc/PID/status in bytes: `VmRSS`, or `VmHWM` for the most there has been. */
  memory(name: "VmRSS" | "VmHWM" = "VmRSS"): number {
    const status = Deno.readTextFileSync(`/proc/${this.#child.pid}/status`);
    return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) * 1_024;
  }

  /** Forgets the most memory there has been. */
  resetPeak(): void {
    Deno.writeTextFileSync(`/proc/${this.#child.pid}/clear_refs`, "5");
  }

  /** The next line it prints. */
  async line(): Promise<string> {
    const { value } = await this.#lines.read();
    if (value === undefined) throw new Error("Cannot read a line: the server has ended");
    return value.trim();
  }

  /** Asks for a line. */
  async ask(): Promise<string> {
    await this.#stdin.write(new TextEncoder().encode("\n"));
    return await this.line();
  }

  /** Ends it. */
  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }
}

/** The middle one. */
export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** The value that so many of a hundred do not exceed. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const index = Math.ceil(sorted.length * percent / 100) - 1;
  return sorted[Math.max(0, Math.min(index, sorted.length - 1))] ?? 0;
}
