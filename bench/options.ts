/**
 * The command line of the benchmark.
 * @module
 */
import { Command } from "commander";

/** What is asked for. */
export interface BenchOptions {
  /** Rounds of each scenario; medians are taken. */
  readonly rounds: number;
  /** Fewer rounds, fewer streams, fewer starts: for CI and for a look. */
  readonly quick: boolean;
  /** Parts to run: those whose name holds this text. */
  readonly only: string;
  /** Base URL of another gateway, which gets the same requests. */
  readonly peer: string | undefined;
  /** Headers of its requests. */
  readonly headers: Readonly<Record<string, string>>;
  /** Its process, whose CPU time is read. */
  readonly peerPid: number | undefined;
  /** Port of the upstream: a peer must be told it beforehand. */
  readonly upstreamPort: number | undefined;
}

function addHeader(
  text: string,
  before: Readonly<Record<string, string>>,
): Record<string, string> {
  const colon = text.indexOf(":");
  if (colon < 1) {
    throw new SyntaxError(`Cannot read the header '${text}' as it must be 'name: value'`);
  }
  return { ...before, [text.slice(0, colon).trim()]: text.slice(colon + 1).trim() };
}

/** Reads the command line. */
export function readOptions(args: readonly string[]): BenchOptions {
  const command = new Command("bench")
    .description("Measures Outcrop against a raw hop in the same run; writes bench/results.json.")
    .option("--rounds <n>", "rounds of each scenario", Number)
    .option("--quick", "a short run, which writes no results", false)
    .option("--only <text>", "parts whose name holds this text; writes no results", "")
    .option("--peer <url>", "another gateway, which gets the same requests")
    .option(
      "--header <name: value>",
      "a header of the peer's requests; may be repeated",
      addHeader,
      {},
    )
    .option("--peer-pid <pid>", "the peer's process, whose CPU time is read", Number)
    .option("--upstream-port <port>", "port of the upstream that the peer was told", Number)
    .parse(args, { from: "user" });
  const { rounds, quick, only, peer, header, peerPid, upstreamPort } = command.opts();
  return {
    rounds: rounds ?? (quick ? 2 : 5),
    quick,
    only,
    peer,
    headers: header,
    peerPid,
    upstreamPort,
  };
}
