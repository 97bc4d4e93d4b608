/**
 * What a process uses, and how it grows.
 * @module
 */

/** One look at a process. */
export interface Sample {
  /** Seconds since the first look. */
  readonly at: number;
  /** Resident memory, in MB. */
  readonly mb: number;
  /** Open files, connections among them. */
  readonly files: number;
}

/** Looks at a process of Linux's. */
export function look(pid: number, at: number): Sample {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const kilobytes = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
  const files = [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
  return { at, mb: kilobytes / 1_024, files };
}

/** Growth by the minute of a straight line through the samples of the second half: the first is warming up. */
export function slope(
  samples: readonly Sample[],
  of: (sample: Sample) => number,
): number {
  const half = samples.slice(Math.floor(samples.length / 2));
  const mean = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1);
  const x = mean(half.map(({ at }) => at));
  const y = mean(half.map(of));
  const above = half.reduce((sum, sample) => sum + (sample.at - x) * (of(sample) - y), 0);
  const below = half.reduce((sum, { at }) => sum + (at - x) ** 2, 0);
  return below === 0 ? 0 : above / below * 60;
}
