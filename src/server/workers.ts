/**
 * Workers: one port, served by several threads of this process. Each is a replica of its own that shares state with
 * the others through the store, as machines of a fleet do; here they are started, watched, replaced and stopped.
 * @module
 */
import type { CancelTimer, Clock } from "../clock.ts";
import type { Log } from "../log.ts";

/** What a worker is told. */
export type ToWorker<Start> =
  | { readonly tell: "start"; readonly start: Start }
  | { readonly tell: "all_listening"; readonly all: boolean }
  | { readonly tell: "alive?" }
  | { readonly tell: "reload" }
  | { readonly tell: "stop" };

/** What a worker tells. */
export type FromWorker<Facts> =
  | { readonly told: "listening"; readonly facts: Facts }
  | { readonly told: "failed"; readonly message: string }
  | { readonly told: "alive" }
  | { readonly told: "reloaded"; readonly waiting: readonly string[] }
  | { readonly told: "not_reloaded"; readonly message: string }
  | { readonly told: "stopped" };

/** What a group of workers is made of. */
export interface WorkerGroupOptions<Start> {
  /** How many. */
  count: number;
  /** The module that each runs. */
  entry: URL;
  /** What each is started with. */
  start: Start;
  /** Time. */
  clock: Clock;
  /** Where crashes are told. */
  log: Log;
}

/** How often each is asked whether it is alive. */
const ASK_MS = 5_000;
/** A worker that answers nothing for so long hangs: it is replaced. */
const SILENT_MS = 30_000;
/** A worker that crashes again and again is not started at the pace of one that crashed once. */
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 30_000;

/** One worker, from its start to its end. */
class Thread<Start, Facts> {
  readonly #worker: Worker;
  readonly #waiting = new Map<string, (told: FromWorker<Facts> | Error) => void>();
  /** Monotonic time of its last sign of life. */
  heardAt: number;

  constructor(
    name: string,
    { entry, clock }: WorkerGroupOptions<Start>,
    onCrash: (reason: string) => void,
  ) {
    this.#worker = new Worker(entry.href, { type: "module", name });
    this.heardAt = clock.monotonic();
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker<Facts>>) => {
      this.heardAt = clock.monotonic();
      this.#answer(data.told, data);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault(); // else the whole process would end by it
      this.end(new Error(event.message));
      onCrash(event.message);
    };
  }

  tell(message: ToWorker<Start>): void {
    this.#worker.postMessage(message);
  }

  /** Tells, and waits for one of two answers. Rejects when the worker ends before. */
  ask(
    message: ToWorker<Start>,
    answers: readonly FromWorker<Facts>["told"][],
  ): Promise<FromWorker<Facts>> {
    return new Promise((resolve, reject) => {
      const done = (told: FromWorker<Facts> | Error) => {
        for (const answer of answers) this.#waiting.delete(answer);
        if (told instanceof Error) reject(told);
        else resolve(told);
      };
      for (const answer of answers) this.#waiting.set(answer, done);
      this.tell(message);
    });
  }

  end(reason: Error): void {
    this.#worker.terminate();
    for (const done of [...this.#waiting.values()]) done(reason);
  }

  #answer(name: string, told: FromWorker<Facts>): void {
    this.#waiting.get(name)?.(told);
  }
}

/** The workers of one port. */
export class WorkerGroup<Start, Facts> {
  readonly #options: WorkerGroupOptions<Start>;
  /** By place; undefined while one is being replaced. */
  readonly #threads: (Thread<Start, Facts> | undefined)[];
  #cancelAsking: CancelTimer = () => {};
  #waitMs = FIRST_WAIT_MS;
  #stopping = false;

  private constructor(options: WorkerGroupOptions<Start>) {
    this.#options = options;
    this.#threads = Array.from({ length: options.count });
  }

  /**
   * Starts them: the first alone, so that what is wrong with the configuration is told once.
   *
   * @returns The group, and what the first one says of itself, when all listen
   * @throws {Error} If one cannot start
   */
  static async open<Start, Facts>(
    options: WorkerGroupOptions<Start>,
  ): Promise<{ group: WorkerGroup<Start, Facts>; facts: Facts }> {
    const group = new WorkerGroup<Start, Facts>(options);
    try {
      const facts = await group.#start(0);
      await Promise.all(group.#threads.slice(1).map((_, index) => group.#start(index + 1)));
      group.#tellAll();
      group.#askWhetherAlive();
      return { group, facts };
    } catch (error) {
      group.#end();
      throw error;
    }
  }

  /**
   * Has each take the configuration anew.
   *
   * @returns Parts that wait for a restart
   * @throws {Error} If it cannot be used
   */
  async reload(): Promise<readonly string[]> {
    const answers = await Promise.all(
      this.#running().map((thread) => thread.ask({ tell: "reload" }, ["reloaded", "not_reloaded"])),
    );
    const waiting = answers.map((answer) => {
      if (answer.told === "reloaded") return answer.waiting;
      throw new Error(answer.told === "not_reloaded" ? answer.message : "a worker has ended");
    });
    return waiting[0] ?? [];
  }

  /** Stops accepting in all of them, lets open answers finish, resolves when all have. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#cancelAsking();
    await Promise.allSettled(
      this.#running().map((thread) => thread.ask({ tell: "stop" }, ["stopped"])),
    );
    this.#end();
  }

  async #start(place: number): Promise<Facts> {
    const thread = new Thread<Start, Facts>(
      `worker ${place + 1}`,
      this.#options,
      (reason) => this.#replace(place, reason),
    );
    this.#threads[place] = thread;
    const { start } = this.#options;
    const answer = await thread.ask({ tell: "start", start }, ["listening", "failed"]);
    if (answer.told === "listening") return answer.facts;
    thread.end(new Error("It could not start"));
    this.#threads[place] = undefined;
    throw new Error(answer.told === "failed" ? answer.message : "a worker has ended");
  }

  #replace(place: number, reason: string): void {
    this.#threads[place] = undefined;
    this.#tellAll();
    if (this.#stopping) return;
    const { clock, log } = this.#options;
    log.error("Worker {worker} has crashed: another takes its place", {
      worker: place + 1,
      reason,
      wait_ms: this.#waitMs,
    });
    clock.after(this.#waitMs, () => void this.#restart(place));
    this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS);
  }

  async #restart(place: number): Promise<void> {
    if (this.#stopping) return;
    try {
      await this.#start(place);
      this.#waitMs = FIRST_WAIT_MS;
      this.#options.log.info("Worker {worker} listens again", { worker: place + 1 });
      this.#tellAll();
    } catch (error) {
      // One that crashed while it started is replaced already; one that said why it could not is not.
      if (this.#threads[place] === undefined) this.#replace(place, String(error));
    }
  }

  #running(): Thread<Start, Facts>[] {
    return this.#threads.filter((thread) => thread !== undefined);
  }

  #tellAll(): void {
    const all = this.#threads.every((thread) => thread !== undefined);
    for (const thread of this.#running()) thread.tell({ tell: "all_listening", all });
  }

  #askWhetherAlive(): void {
    const { clock } = this.#options;
    for (const [place, thread] of this.#threads.entries()) {
      if (thread === undefined) continue;
      if (clock.monotonic() - thread.heardAt > SILENT_MS) {
        const reason = `it has answered nothing for ${SILENT_MS / 1_000} s`;
        thread.end(new Error(reason));
        this.#replace(place, reason);
      } else {
        thread.tell({ tell: "alive?" });
      }
    }
    this.#cancelAsking = clock.after(ASK_MS, () => this.#askWhetherAlive());
  }

  #end(): void {
    this.#stopping = true;
    this.#cancelAsking();
    for (const thread of this.#running()) thread.end(new Error("The server has stopped"));
  }
}
