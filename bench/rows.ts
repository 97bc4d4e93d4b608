/**
 * Rows of the benchmark's tables.
 * @module
 */
import type { Measured } from "./scenarios.ts";
import type { SlowResult } from "./slow.ts";
import type { Figures } from "./targets.ts";

/** A figure with so many digits behind the point. */
export function round(value: number, digits: number = 2): number {
  return Number(value.toFixed(digits));
}

/** What servers made of one scenario. */
export function requestRow(
  scenario: string,
  events: number,
  measured: ReadonlyMap<string, Measured>,
): Figures {
  const [hop, floor, ours, peer] = ["hop", "floor", "ours", "peer"].map((name) =>
    measured.get(name)
  );
  const cpu = ours?.cpuUs ?? 0;
  return {
    scenario,
    "hop us": round(hop?.cpuUs ?? 0, 0),
    "floor us": round(floor?.cpuUs ?? 0, 0),
    us: round(cpu, 0),
    ratio: round(cpu / (hop?.cpuUs ?? 0)),
    "us/event": events === 0 ? "" : round(cpu / events, 1),
    "hop/s": round(hop?.perSecond ?? 0, 0),
    "req/s": round(ours?.perSecond ?? 0, 0),
    "p50 ms": round(ours?.p50 ?? 0, 1),
    "p99 ms": round(ours?.p99 ?? 0, 1),
    ...(peer === undefined ? {} : {
      "peer us": peer.cpuUs === undefined ? "?" : round(peer.cpuUs, 0),
      "peer/s": round(peer.perSecond, 0),
      "peer p50": round(peer.p50, 1),
    }),
  };
}

/** What so many slow streams came to, through the raw hop and through Outcrop. */
export function slowRow(
  { hop, floor, ours }: Readonly<Record<"hop" | "floor" | "ours", SlowResult>>,
): Figures {
  return {
    streams: ours.streams,
    lost: ours.lost,
    broken: ours.broken,
    "hop us/event": round(hop.cpuUs, 1),
    "floor us/event": round(floor.cpuUs, 1),
    "us/event": round(ours.cpuUs, 1),
    ratio: round(ours.cpuUs / hop.cpuUs),
    "added p50 ms": round(ours.delayMs.p50 - hop.delayMs.p50, 1),
    "p99 ms": round(ours.delayMs.p99 - hop.delayMs.p99, 1),
    "hop KB": round(hop.memoryKb, 0),
    "floor KB": round(floor.memoryKb, 0),
    KB: round(ours.memoryKb, 0),
    "memory ratio": round(ours.memoryKb / hop.memoryKb),
  };
}
