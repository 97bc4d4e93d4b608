/**
 * Cuts a gateway off its DynamoDB for a while under load, and counts.
 * @module
 */
import { localServer } from "../dynamodb_local.ts";
import { Stage } from "./stage.ts";
import type { Tally } from "./tally.ts";
import { Wire } from "./wire.ts";

/** What an outage came to. */
export interface OutageResult extends Tally {
  readonly seconds: number;
  /** Answers with a status from 500 on, by status and type. */
  readonly server_errors: Readonly<Record<string, number>>;
  /** What `/ready` said, in the order in which it changed. */
  readonly ready: readonly string[];
  /** Warnings and errors in the gateway's log. */
  readonly log_lines: number;
  readonly seed: number;
}

/** Runs it: a while of load, the outage, and a while of load. */
export async function outage(
  { seconds, seed, clients }: { seconds: number; seed: number; clients?: number },
): Promise<OutageResult> {
  const wire = new Wire((await localServer()).url);
  wire.join();
  const stage = await Stage.open({
    store: "dynamodb",
    workers: 1,
    seed,
    dynamodb: wire.url,
    ...(clients === undefined ? {} : { clients }),
  });
  const ready: string[] = [];
  const watch = async (ms: number) => {
    for (const end = performance.now() + ms; performance.now() < end;) {
      const response = await fetch(`${stage.url}/ready`);
      const said = `${response.status} ${(await response.json()).status}`;
      if (ready.at(-1) !== said) ready.push(said);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  };
  await watch(2_000);
  wire.cut();
  await watch(seconds * 1_000);
  wire.join();
  await watch(3_000);
  const { tally, seen, log } = await stage.end();
  wire.cut();
  const server_errors: Record<string, number> = {};
  for (const { status, error } of seen) {
    if (status < 500) continue;
    const name = `${status} ${error}`;
    server_errors[name] = (server_errors[name] ?? 0) + 1;
  }
  const log_lines = log.split("\n").filter((line) => / (wrn|err) /.test(line)).length;
  return { seconds, server_errors, ready, log_lines, seed, ...tally };
}
