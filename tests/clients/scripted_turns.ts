/**
 * Turns said in advance, on whichever wire they are asked for, each with ids of its own: Claude Code takes
 * answers of one id for one answer, and the scripted models always say the same.
 * @module
 */
import { anthropicEvents } from "../../src/simulator/anthropic_wire.ts";
import { ofAnthropic } from "../../src/simulator/conversation.ts";
import { converseEvents } from "../../src/simulator/converse_wire.ts";
import type { Plan } from "../../src/simulator/plan.ts";
import type { Simulator } from "../../src/simulator/simulator.ts";
import { CONVERSE_WIRE, invokeWire, SSE_WIRE, type Wire } from "../../src/simulator/stream.ts";

const EMPTY = ofAnthropic({});

/** The next requests to a model, which must stream, are answered by these plans. */
export function scriptTurns(simulator: Simulator, plans: readonly Plan[]): void {
  plans.forEach((said, turn) => {
    const plan = { ...said, serial: 900 + turn };
    simulator.script({
      status: 200,
      headers: {},
      stream(route, random) {
        const wires: Record<typeof route, Wire> = {
          converse: CONVERSE_WIRE,
          invoke: invokeWire(random),
          sse: SSE_WIRE,
        };
        const wire = wires[route];
        const events = route === "converse"
          ? converseEvents(plan, EMPTY, random)
          : anthropicEvents("anthropic.scripted", plan, { conversation: EMPTY, metrics: true })
            .map((payload) => ({ type: String(payload.type), payload }));
        return events.map((event) => ({
          kind: "bytes",
          bytes: wire.event(event),
        }));
      },
    });
  });
}
