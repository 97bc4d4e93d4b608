/**
 * What all hook contexts have in common: a view of the exchange, through one run of one hook.
 * @module
 */
import type { ApiErrorOptions, ApiErrorType } from "../anthropic/error.ts";
import type { HookRun } from "./guard.ts";
import type { Endpoint, ExchangeView, Reject, State } from "./plugin.ts";

/** A view of the exchange. */
export class ViewContext implements ExchangeView {
  /** The run of the hook this context was made for. */
  protected readonly run: HookRun;

  /** A view through `run`. */
  constructor(run: HookRun) {
    this.run = run;
  }

  /** The request's id. */
  get id(): string {
    return this.run.exchange.id;
  }

  /** The endpoint. */
  get endpoint(): Endpoint {
    return this.run.exchange.endpoint;
  }

  /** The request's headers. */
  get headers(): Headers {
    return this.run.exchange.headers;
  }

  /** Unix milliseconds of arrival. */
  get startedAt(): number {
    return this.run.exchange.startedAt;
  }

  /** Shared between plugins. */
  get state(): State {
    return this.run.exchange.state;
  }
}

/** A view that can refuse the request. */
export class RefusingContext extends ViewContext implements Reject {
  /** Refuses the request; see {@link Reject}. */
  reject(type: ApiErrorType, message: string, options?: ApiErrorOptions): never {
    this.run.reject(type, message, options);
  }
}
