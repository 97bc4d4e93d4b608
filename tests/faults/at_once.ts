/**
 * Answers for which nobody may wait.
 * @module
 */
import type { FakeClock } from "../fake_clock.ts";
import type { Harness } from "../harness.ts";
import { settled } from "../wait.ts";

/** An answer that is there while time stands still; time passes only for one that is wrongly waited for. */
export async function atOnce(
  { log }: Harness,
  { clock, asked }: { clock: FakeClock; asked: Promise<Response> },
): Promise<Response> {
  let answered = false;
  const watched = asked.finally(() => answered = true);
  const before = log.length;
  const waits = () => log.slice(before).some((line) => line.includes("Trying again in"));
  await settled(() => answered || waits());
  while (!answered) {
    clock.advance(10_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return await watched;
}
