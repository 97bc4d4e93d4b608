/**
 * Runs one hook of one plugin: within its deadline, with its refusal remembered, its failure handled by its policy.
 * @module
 */
import { ApiError, type ApiErrorOptions, type ApiErrorType } from "../anthropic/error.ts";
import { errorFields, type Log } from "../log.ts";
import type { Exchange } from "./exchange.ts";
import type { Hooks } from "./plugin.ts";

/** A hook's name. */
export type HookName = keyof Hooks;

/** A plugin that is set up: its hooks, and the policy in force. */
export interface LoadedPlugin {
  /** Its name. */
  readonly name: string;
  /** Its hooks. */
  readonly hooks: Hooks;
  /** Whether a failing hook fails the request. */
  readonly closed: boolean;
  /** Deadline of each async hook, in milliseconds. */
  readonly timeoutMs: number;
  /** Whether `onComplete` wants the whole answer. */
  readonly collectMessage: boolean;
  /** Whether the last bytes wait for its `onComplete`. */
  readonly holdsReply: boolean;
  /** The log that names it. */
  readonly log: Log;
}

/** A hook that threw, overran its deadline or returned nonsense. For the log; clients get {@link clientError}. */
export class PluginFailure extends Error {
  /** Always `PluginFailure`. */
  override readonly name = "PluginFailure";

  /** Names the plugin and the hook, and keeps the cause. */
  constructor(readonly plugin: string, readonly hook: string, cause: unknown) {
    super(`Plugin '${plugin}' failed in ${hook}`, { cause });
  }

  /** What a client is told: that it failed, and nothing of how. */
  clientError(): ApiError {
    return new ApiError(
      "api_error",
      "The gateway failed to apply one of its policies: give its operator the request id",
      { cause: this },
    );
  }
}

/** One run of a hook: what its context stands on. Ends with the hook, so that late calls change nothing. */
export class HookRun {
  /** Whether the hook failed, whatever the policy made of it. */
  failed = false;
  #live = true;
  #abort: AbortController | undefined;

  /** A run of `hook` of `plugin` for `exchange`. */
  constructor(
    readonly exchange: Exchange,
    readonly plugin: LoadedPlugin,
    readonly hook: HookName,
  ) {}

  /** Aborts when the run has ended. */
  get deadlineSignal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (!this.#live) this.#abort.abort(new Error(`${this.hook} has ended`));
    }
    return this.#abort.signal;
  }

  /** Aborts when the client has gone or the run has ended. */
  get signal(): AbortSignal {
    return AbortSignal.any([this.deadlineSignal, this.exchange.signal]);
  }

  /** Refuses the request: remembered, whatever the plugin does with the exception. */
  reject(type: ApiErrorType, message: string, options?: ApiErrorOptions): never {
    const error = new ApiError(type, message, options);
    if (this.#live) this.exchange.rejection ??= { plugin: this.plugin.name, error };
    else this.#tellLate();
    throw error;
  }

  #tellLate(): void {
    const { exchange, plugin, hook } = this;
    plugin.log.error("Plugin {plugin} refused in {hook} after it had ended: that changes nothing", {
      plugin: plugin.name,
      hook,
      request: exchange.id,
      remedy: "await everything inside the hook",
    });
  }

  /**
   * Traps what a plugin does after its hook has ended.
   *
   * @throws {Error} If the hook has ended
   */
  mustBeLive(action: string): void {
    if (this.#live) return;
    throw new Error(`Cannot ${action} as ${this.hook} has ended: await everything inside the hook`);
  }

  /** Ends the run; aborts its signal with `reason`. */
  end(reason?: Error): void {
    this.#live = false;
    this.#abort?.abort(reason ?? new Error(`${this.hook} has ended`));
  }
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === "object" && value !== null && "then" in value &&
    typeof value.then === "function";
}

function withinDeadline<T>(work: Promise<T>, run: HookRun): Promise<T> {
  const { exchange, plugin, hook } = run;
  return new Promise((resolve, reject) => {
    const cancel = exchange.clock.after(plugin.timeoutMs, () => {
      const late = new Error(`${hook} must end within ${plugin.timeoutMs} ms: it still runs`);
      run.end(late);
      reject(late);
    });
    const gone = () => reject(exchange.signal.reason);
    // onComplete tells of the end: it runs to its own end even when the client has gone.
    if (hook !== "onComplete") {
      if (exchange.signal.aborted) gone();
      else exchange.signal.addEventListener("abort", gone, { once: true });
    }
    work.then(resolve, reject).finally(() => {
      cancel();
      exchange.signal.removeEventListener("abort", gone);
    });
  });
}

/**
 * Handles a failed hook by its plugin's policy: logged, and thrown unless the plugin is open.
 *
 * @throws {PluginFailure} If the plugin is closed
 */
export function applyPolicy(run: HookRun, cause: unknown): void {
  const { exchange, plugin, hook } = run;
  run.failed = true;
  plugin.log.error("Plugin {plugin} failed in {hook}: {policy}", {
    plugin: plugin.name,
    hook,
    policy: plugin.closed ? "the request fails" : "the request goes on",
    request: exchange.id,
    fault: "us",
    cause: errorFields(cause),
  });
  if (plugin.closed) throw new PluginFailure(plugin.name, hook, cause);
}

function stopIfRefused(exchange: Exchange): void {
  if (exchange.rejection !== undefined) throw exchange.rejection.error;
  exchange.signal.throwIfAborted();
}

/**
 * Runs an async hook; what it gives at once is given at once. Undefined when it returned nothing, or failed and its plugin is open.
 *
 * @throws {ApiError} If the hook refused the request
 * @throws {PluginFailure} If it failed and its plugin is closed
 * @throws {ClientGone} If the client left meanwhile
 */
export function runHook<T>(
  run: HookRun,
  call: () => T | Promise<T>,
): T | undefined | Promise<T | undefined> {
  let returned: T | Promise<T>;
  try {
    returned = call();
  } catch (error) {
    return failed(run, error);
  }
  return isPromise(returned) ? awaited(run, returned) : ended(run, returned);
}

async function awaited<T>(run: HookRun, returned: Promise<T>): Promise<T | undefined> {
  let result: T;
  try {
    result = await withinDeadline(returned, run);
  } catch (error) {
    return failed(run, error);
  }
  return ended(run, result);
}

function ended<T>(run: HookRun, result: T): T {
  run.end();
  if (run.hook !== "onComplete") stopIfRefused(run.exchange);
  return result;
}

function failed(run: HookRun, error: unknown): undefined {
  run.end();
  if (run.hook !== "onComplete") stopIfRefused(run.exchange);
  applyPolicy(run, error);
}
