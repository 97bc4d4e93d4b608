/**
 * Kills a gateway, or one of its workers, at random moments under load, over and over, and counts.
 * @module
 */
import { Seeded } from "./seeded.ts";
import { Stage, type StageOptions } from "./stage.ts";
import type { Tally } from "./tally.ts";

/** What a campaign came to. */
export interface CampaignResult extends Tally {
  readonly store: string;
  readonly workers: number;
  /** Kills of the whole process. */
  readonly killed: number;
  /** Crashes of one worker. */
  readonly crashed: number;
  readonly seed: number;
}

/** Runs it. With several workers, two of three kills are of a worker. */
export async function crashCampaign(
  options: StageOptions & { readonly kills: number; readonly onKill?: (n: number) => void },
): Promise<CampaignResult> {
  const { kills, seed, store, workers } = options;
  const random = new Seeded(seed);
  const stage = await Stage.open(options);
  let crashed = 0;
  for (let n = 0; n < kills; n++) {
    await new Promise((resolve) => setTimeout(resolve, 100 + random.below(1_200)));
    if (workers > 1 && random.below(3) > 0) {
      await stage.crashWorker();
      crashed++;
    } else {
      await stage.kill();
      await stage.start();
    }
    options.onKill?.(n + 1);
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  const { tally } = await stage.end();
  return { store, workers, killed: kills - crashed, crashed, seed, ...tally };
}
