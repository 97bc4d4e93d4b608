/**
 * What the simulator keeps between requests.
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Random } from "./random.ts";
import type { Script } from "./script.ts";

/** What answering needs. */
export interface SimulatorState {
  /** Cuts and padding. */
  readonly random: Random;
  /** Time. */
  readonly clock: Clock;
  /** Whether to refuse what Bedrock refuses. */
  readonly strict: boolean;
  /** Answers said in advance. */
  readonly scripts: Script[];
  /** Requests that came before with the same model and text. */
  readonly counts: Map<string, number>;
  /** Answers so far. */
  answers: number;
}
