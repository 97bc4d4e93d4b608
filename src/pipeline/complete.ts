/**
 * Step 13: exactly once, whatever happened.
 * @module
 */
import type { Message, MessagesRequest, Usage } from "../anthropic/types.ts";
import { errorFields } from "../log.ts";
import { ViewContext } from "./context.ts";
import { type Exchange, freezeDeep } from "./exchange.ts";
import { applyPolicy, HookRun, type LoadedPlugin, runHook } from "./guard.ts";
import type { Billed, CompleteContext, Outcome, Principal, Served } from "./plugin.ts";

/** Whose fault it is that a request was not served; `faultOf` of the server says how it is told. */
export type Fault = "client" | "policy" | "bedrock" | "us";

/** How a request ended. */
export interface Ending {
  /** In one word. */
  outcome: Outcome;
  /** HTTP status sent; 499 when the client left before one. */
  status: number;
  /** What the client was told, if it was an error. */
  error?: { type: string; message: string } | undefined;
  /** Whose fault it is that it was not served; absent when it was. */
  fault?: Fault | undefined;
  /** The answer as each collecting plugin passed it on. */
  messages?: ReadonlyMap<string, Message> | undefined;
}

class OnCompleteContext extends ViewContext implements CompleteContext {
  readonly #ending: Ending;
  readonly #bill: () => Billed | null;
  readonly timings: CompleteContext["timings"];

  constructor(run: HookRun, ending: Ending, totalMs: number, bill: () => Billed | null) {
    super(run);
    this.#bill = bill;
    this.#ending = ending;
    this.timings = { firstByteMs: run.exchange.firstByteMs, totalMs };
  }

  get principal(): Principal | undefined {
    return this.run.exchange.principal;
  }

  get body(): MessagesRequest | undefined {
    return this.run.exchange.frozenBody;
  }

  get model(): string | undefined {
    return this.run.exchange.original?.model;
  }

  get outcome(): Outcome {
    return this.#ending.outcome;
  }

  get status(): number {
    return this.#ending.status;
  }

  get error(): CompleteContext["error"] {
    return this.#ending.error;
  }

  get usage(): Usage | null {
    return freezeDeep(this.run.exchange.usage);
  }

  get billed(): Billed | null {
    return freezeDeep(this.#bill());
  }

  get stopReason(): string | null {
    return this.run.exchange.stopReason;
  }

  get served(): Served | undefined {
    return this.run.exchange.served;
  }

  get message(): Message | undefined {
    return freezeDeep(this.#ending.messages?.get(this.run.plugin.name));
  }

  get signal(): AbortSignal {
    return this.run.deadlineSignal;
  }
}

function checkNothing(run: HookRun, result: unknown): void {
  if (result === undefined) return;
  applyPolicy(run, new TypeError("Cannot use what onComplete returned: it must be nothing"));
}

/** The policy has logged it already; the answer is decided, so nothing is left to fail. */
function tellFailed({ plugin, exchange }: HookRun, error: unknown): void {
  plugin.log.debug("Nothing left to fail", { request: exchange.id, cause: errorFields(error) });
}

/** Runs a hook; a promise only where it has to be waited for. */
function runOnComplete(
  run: HookRun,
  context: OnCompleteContext,
): Promise<void> | undefined {
  try {
    const result: unknown = runHook(run, () => run.plugin.hooks.onComplete?.(context));
    if (result instanceof Promise) {
      return result.then((late) => checkNothing(run, late)).catch((error) =>
        tellFailed(run, error)
      );
    }
    checkNothing(run, result);
  } catch (error) {
    tellFailed(run, error);
  }
  return undefined;
}

/** All of them as one; undefined when there is nothing to wait for. */
function together(hooks: readonly Promise<void>[]): Promise<unknown> | undefined {
  return hooks.length > 1 ? Promise.all(hooks) : hooks[0];
}

/** Runs `onComplete` of every plugin, once per exchange. */
export class Completion {
  readonly #plugins: readonly LoadedPlugin[];
  readonly #exchange: Exchange;
  readonly #track: (done: Promise<unknown> | undefined, ending: Ending) => void;
  #ended = false;
  #held: Promise<unknown> | undefined;

  /**
   * For one exchange; nothing runs yet.
   *
   * @param track Handed the promise of all hooks that still run, which may outlive the answer, and how the request ended
   */
  constructor(
    plugins: readonly LoadedPlugin[],
    exchange: Exchange,
    track: (done: Promise<unknown> | undefined, ending: Ending) => void,
  ) {
    this.#track = track;
    this.#plugins = plugins;
    this.#exchange = exchange;
  }

  /**
   * Ends the request. The first call counts; every other returns what the first returned.
   *
   * @returns Undefined when nothing need be waited for, else a promise that resolves when the plugins that
   * hold the reply have finished: the last bytes go out after it.
   */
  end(ending: Ending): Promise<unknown> | undefined {
    if (this.#ended) return this.#held;
    const totalMs = this.#exchange.elapsed();
    let billed: { readonly is: Billed | null } | undefined;
    const bill = () => (billed ??= { is: this.#exchange.bill() }).is;
    const all: Promise<void>[] = [];
    const holding: Promise<void>[] = [];
    for (const plugin of this.#plugins) {
      if (plugin.hooks.onComplete === undefined) continue;
      const run = new HookRun(this.#exchange, plugin, "onComplete");
      const hook = runOnComplete(run, new OnCompleteContext(run, ending, totalMs, bill));
      if (hook === undefined) continue;
      all.push(hook);
      if (plugin.holdsReply) holding.push(hook);
    }
    this.#ended = true;
    this.#track(together(all), ending);
    this.#held = together(holding);
    return this.#held;
  }
}
