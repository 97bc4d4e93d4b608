/**
 * Step 11: events pass outward, through the plugins in reverse order, whether they are streamed or not.
 * @module
 */
import { type EventBatch, WireEvent } from "../anthropic/event.ts";
import { expandMessage } from "../anthropic/expand.ts";
import { Folder } from "../anthropic/fold.ts";
import type { AnthropicEvent, Message, MessagesRequest } from "../anthropic/types.ts";
import { RefusingContext } from "./context.ts";
import { type Exchange, freezeDeep } from "./exchange.ts";
import { applyPolicy, HookRun, type LoadedPlugin } from "./guard.ts";
import type { EventContext, EventResult, Principal } from "./plugin.ts";

class OnEventContext extends RefusingContext implements EventContext {
  readonly streaming: boolean;

  constructor(run: HookRun, streaming: boolean) {
    super(run);
    this.streaming = streaming;
  }

  get principal(): Principal | undefined {
    return this.run.exchange.principal;
  }

  get body(): MessagesRequest {
    return this.run.exchange.frozenBody as MessagesRequest;
  }
}

function isEvent(value: unknown): value is AnthropicEvent {
  return typeof value === "object" && value !== null && "type" in value &&
    typeof value.type === "string";
}

function checkResult(result: EventResult): readonly AnthropicEvent[] | undefined {
  if (result === undefined) return undefined;
  const events: readonly unknown[] = Array.isArray(result) ? result : [result];
  if (events.every(isEvent)) return events;
  // A promise is no result; one that rejects must not end the process for want of somebody who awaits it.
  if (result instanceof Promise) result.catch(() => undefined);
  throw new TypeError(
    "Cannot use what onEvent returned: it must be nothing, an event or a list of events",
  );
}

/** One plugin's place on the way out. */
class Station {
  readonly plugin: LoadedPlugin;
  readonly folder: Folder | undefined;
  readonly #run: HookRun;
  readonly #ctx: OnEventContext;
  #on: boolean;

  constructor(plugin: LoadedPlugin, exchange: Exchange, streaming: boolean) {
    this.plugin = plugin;
    this.folder = plugin.collectMessage ? new Folder() : undefined;
    this.#on = plugin.hooks.onEvent !== undefined;
    this.#run = new HookRun(exchange, plugin, "onEvent");
    this.#ctx = new OnEventContext(this.#run, streaming);
  }

  pass(event: WireEvent, out: WireEvent[]): void {
    if (event.type === "ping") {
      out.push(event);
      return;
    }
    const events = this.#on ? this.#hook(event) : undefined;
    if (events === undefined) {
      this.folder?.push(event.value);
      out.push(event);
      return;
    }
    for (const changed of events) {
      this.folder?.push(changed);
      out.push(WireEvent.from(changed));
    }
  }

  #hook(event: WireEvent): readonly AnthropicEvent[] | undefined {
    const { exchange } = this.#run;
    const value = freezeDeep(event.value); // an event that is none is no fault of the plugin's
    try {
      const result = checkResult(this.plugin.hooks.onEvent?.(value, this.#ctx));
      if (exchange.rejection === undefined) return result;
    } catch (error) {
      if (exchange.rejection === undefined) {
        this.#on = false; // an open plugin that failed is out for the rest of this answer
        applyPolicy(this.#run, error);
        return undefined;
      }
    }
    throw exchange.rejection.error;
  }
}

/**
 * The way out for one answer. Keep-alive pings pass by every plugin.
 *
 * A plugin with `collectMessage` is folded at its own place, after its own `onEvent`: a cached answer and a
 * fresh one then go through the same outer plugins.
 */
export class Outward {
  /** From the innermost plugin to the outermost. */
  readonly #stations: readonly Station[];

  private constructor(stations: readonly Station[]) {
    this.#stations = stations;
  }

  /** The way out through `plugins` (in list order), or undefined when none of them wants events. */
  static open(
    plugins: readonly LoadedPlugin[],
    exchange: Exchange,
    streaming: boolean,
  ): Outward | undefined {
    const stations = plugins
      .filter((plugin) => plugin.hooks.onEvent !== undefined || plugin.collectMessage)
      .map((plugin) => new Station(plugin, exchange, streaming))
      .reverse();
    return stations.length === 0 ? undefined : new Outward(stations);
  }

  /**
   * Passes events through every plugin; what comes out goes to the client.
   *
   * @throws {ApiError} If a plugin refuses
   * @throws {PluginFailure} If a closed plugin fails
   */
  push(batch: EventBatch): EventBatch {
    let events = batch;
    for (const station of this.#stations) {
      const out: WireEvent[] = [];
      for (const event of events) station.pass(event, out);
      events = out;
    }
    return events;
  }

  /**
   * Passes a whole answer: expanded to events, passed, folded back.
   *
   * @throws {TypeError} If what the plugins left is no message
   */
  pushMessage(message: Message): Message {
    const folder = new Folder();
    const events = expandMessage(message).map((event) => WireEvent.from(event));
    for (const event of this.push(events)) folder.push(event.value);
    const folded = folder.message();
    if (folded === undefined) {
      throw new TypeError("Cannot fold the events that plugins left: they are no whole message");
    }
    return folded;
  }

  /** The answer as each plugin with `collectMessage` passed it on, by the plugin's name. */
  messages(): ReadonlyMap<string, Message> {
    const messages = new Map<string, Message>();
    for (const { plugin, folder } of this.#stations) {
      const message = folder?.message();
      if (message !== undefined) messages.set(plugin.name, message);
    }
    return messages;
  }
}
