/**
 * Slow streams: an event each 50 ms, with the time at which it was sent. Streams are spread over the 50 ms, and
 * those that are due together share one event's bytes, so that thousands of them cost this side little.
 * @module
 */
import { CLAUDE_END, CLAUDE_START, claudeText, inChunks, invokeFrame } from "./answers.ts";

/** Events of text in a slow stream. */
export const SLOW_EVENTS = 120;
const PERIOD_MS = 50;
const PHASES = 10;

interface Slow {
  readonly controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  sent: number;
}

const phases: Set<Slow>[] = Array.from({ length: PHASES }, () => new Set());
const start = inChunks(CLAUDE_START.map(invokeFrame), CLAUDE_START.length)[0];
const end = inChunks(CLAUDE_END.map(invokeFrame), CLAUDE_END.length)[0];
let turn = 0;
let opened = 0;

/** Milliseconds, the same for every process of the machine. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now();
}

function tick(): void {
  const due = phases[turn++ % PHASES] ?? new Set();
  const frame = invokeFrame(claudeText(`at ${wallMs().toFixed(3)}`));
  for (const slow of due) {
    if (slow.sent++ < SLOW_EVENTS) {
      slow.controller.enqueue(frame);
      continue;
    }
    if (end !== undefined) slow.controller.enqueue(end);
    slow.controller.close();
    due.delete(slow);
  }
}

/** The body of one slow stream. */
export function slowStream(): ReadableStream<Uint8Array<ArrayBuffer>> {
  if (opened === 0) setInterval(tick, PERIOD_MS / PHASES);
  const phase = phases[opened++ % PHASES] ?? new Set();
  let slow: Slow | undefined;
  return new ReadableStream({
    start(controller) {
      if (start !== undefined) controller.enqueue(start);
      slow = { controller, sent: 0 };
      phase.add(slow);
    },
    cancel() {
      if (slow !== undefined) phase.delete(slow);
    },
  });
}
