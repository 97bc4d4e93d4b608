/**
 * `outcrop keys` on a store of its own, and a gateway beside it.
 * @module
 */
import assert from "node:assert/strict";
import { openDenoKvStore } from "../../src/storage/deno_kv.ts";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, withHarness } from "../harness.ts";
import { inFolder, outcrop, type Ran } from "./outcrop.ts";

/** Runs `outcrop keys` with words that are split at spaces. */
export type Cli = (args: string, env?: Record<string, string>) => Promise<Ran>;

/** Runs `run` with a command line whose words are split at spaces, on a store of its own. */
export function withKeys(
  run: (cli: Cli, folder: string) => Promise<void>,
  config: string = "",
): Promise<void> {
  return inFolder(async (folder) => {
    await Deno.writeTextFile(
      `${folder}/config.yaml`,
      `store: { use: deno_kv, path: keys.db }\n${config}`,
    );
    await run((args, env) => outcrop(["keys", ...args.split(" ")], folder, env), folder);
  });
}

/** A key as commands print it. */
export interface KeyDocument {
  /** Its public id. */
  readonly id: string;
  /** Its text, where it was made or rotated. */
  readonly key: string;
  /** What people call it. */
  readonly name: string;
  /** ISO time until which the old text is taken, where it was rotated. */
  readonly previous_valid_until: string;
  /** The rest. */
  readonly [attribute: string]: unknown;
}

/** The document that a command printed. */
export async function json<T = KeyDocument>(ran: Promise<Ran>): Promise<T> {
  const { code, out, err } = await ran;
  assert.equal(code, 0, err);
  return JSON.parse(out);
}

/** A gateway on the folder's store, as of now. */
export async function serving(
  folder: string,
  config: string,
  run: (harness: Harness, clock: FakeClock) => Promise<void>,
): Promise<void> {
  const clock = new FakeClock(Date.now());
  const store = await openDenoKvStore({ path: `${folder}/keys.db`, clock });
  try {
    await withHarness({ clock, simulatorClock: clock, store, config }, (harness) => {
      return run(harness, clock);
    });
  } finally {
    await store.close();
  }
}
