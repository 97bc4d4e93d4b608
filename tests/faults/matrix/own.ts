/**
 * Faults of what the gateway itself stands on: its store, its credentials, the plugins beside it.
 * @module
 */
import { openMemoryStore } from "../../../src/storage/memory.ts";
import type { Store } from "../../../src/storage/store.ts";
import type { Clock } from "../../../src/clock.ts";
import { type Act, type Fault, once, type Play, type View } from "./fault.ts";

const SERVED: View = { served: true };
const FAILED: View = { status: 500, error: "api_error", says: /give its operator the request id/ };

/** Served, though a plugin's fault is in the log: it could not write what it wanted to. */
const WELL: Pick<Fault, "streaming" | "whole"> = {
  streaming: once([{ begin: "stream" }, { records: "rest" }, { end: "body" }], SERVED, {
    fault: "us",
  }),
  whole: once([{ whole: "usual" }], SERVED, { fault: "us" }),
};

/** Bedrock is never asked. */
function before(view: View, more: Partial<Play> = {}): Pick<Fault, "streaming" | "whole"> {
  const none: readonly Act[] = [];
  return {
    streaming: once(none, view, { count: 0, ...more }),
    whole: once(none, view, { count: 0, ...more }),
  };
}

/** The rows. */
export const OWN_FAULTS: readonly Fault[] = [
  {
    name: "the store is gone before the key was seen",
    store: "gone",
    ...before(FAILED, { fault: "us" }),
  },
  {
    name: "the store does not answer before the key was seen",
    store: "silent",
    ...before(FAILED, { passMs: 60_000, fault: "us" }),
  },
  { name: "the store is gone after the key was seen", store: "gone later", ...WELL },
  { name: "the store takes no writes", store: "read-only", ...WELL },
  {
    name: "no AWS credentials are to be had",
    credentials: "none",
    ...before({ status: 403, error: "permission_error", says: /none found/ }),
  },
  {
    name: "AWS credentials do not come",
    credentials: "silent",
    ...before(
      { status: 500, error: "api_error", says: /AWS credentials did not come within 10 s/ },
      {
        passMs: 12_000,
        fault: "us",
      },
    ),
  },
];

/** A store that goes wrong when it is told to. */
export class BadStore {
  readonly #store: Store;
  readonly #waiting: (() => void)[] = [];
  #fault: "gone" | "silent" | "read-only" | undefined;

  /** Well at first. */
  constructor(clock: Clock) {
    this.#store = openMemoryStore({ clock });
  }

  /** Goes wrong from now on. */
  break(fault: "gone" | "silent" | "read-only"): void {
    this.#fault = fault;
  }

  /** Is well again; whoever still waits is told that it was not. */
  mend(): void {
    this.#fault = undefined;
    for (const tell of this.#waiting) tell();
    this.#waiting.length = 0;
  }

  /** The store. */
  get store(): Store {
    return new Proxy(this.#store, {
      get: (target, name) => {
        const member = Reflect.get(target, name);
        if (typeof member !== "function" || name === "close") return member;
        return (...given: unknown[]) => {
          const writes = name === "put" || name === "add" || name === "apply" || name === "delete";
          if (this.#fault === "silent") {
            return new Promise((_, reject) => this.#waiting.push(() => reject(new Error("Gone"))));
          }
          if (this.#fault === "gone" || this.#fault === "read-only" && writes) {
            const gone = new Error("The database is not there");
            return name === "list" ? failing(gone) : Promise.reject(gone);
          }
          return Reflect.apply(member, target, given);
        };
      },
    });
  }
}

// deno-lint-ignore require-yield
async function* failing(error: Error): AsyncGenerator<never> {
  await Promise.resolve();
  throw error;
}
