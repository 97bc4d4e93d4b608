/**
 * The pipeline whose fairness is tested, without HTTP around it.
 * @module
 */
import { builtins } from "../../plugins/mod.ts";
import { openPrices } from "../../src/cli/assemble.ts";
import { parseConfig } from "../../src/config/load.ts";
import { DirectLedger } from "../../src/ledger/direct.ts";
import { openLog } from "../../src/log.ts";
import { Completion } from "../../src/pipeline/complete.ts";
import { Exchange } from "../../src/pipeline/exchange.ts";
import { loadPlugins } from "../../src/pipeline/load.ts";
import { Billing } from "../../src/pricing/billing.ts";
import { openMemoryStore } from "../../src/storage/memory.ts";
import { Sharing } from "../../src/sharing/shared.ts";
import type { LoadedPlugin } from "../../src/pipeline/guard.ts";
import { rollupsBy, type Summed } from "./usage_rollups.ts";
import { FakeClock } from "../fake_clock.ts";
import { type Holder, KEY, named, TEAM, USER } from "./rate_limit_meter.ts";

/** Plugins, and what a request through them takes. */
export interface Pipeline {
  /** Time. */
  readonly clock: FakeClock;
  /** In list order. */
  readonly plugins: readonly LoadedPlugin[];
  /** Opens a request of a key. */
  readonly open: (id: string) => { readonly exchange: Exchange; readonly completion: Completion };
  /** The buckets and slots that `rate_limit` knows. */
  readonly limits: { readonly size: number };
  /** What `usage` says of November 23rd and 24th: by key, user and team. */
  readonly summed: () => Promise<readonly ReadonlyMap<string, Summed>[]>;
}

/** The pipeline of `auth`, `rate_limit` and `usage`, whose keys are these; whoever else asks is a key of its own user and team. */
export async function openPipeline(keys: readonly Holder[]): Promise<Pipeline> {
  const clock = new FakeClock();
  const log = openLog({ level: "error", format: "json", write: () => {} });
  const settings = { ...named(KEY), user: named(USER), team: named(TEAM) };
  const text = `plugins: [ { use: auth }, { use: rate_limit, with: ${
    JSON.stringify(settings)
  } }, { use: usage } ]`;
  const store = openMemoryStore({ clock });
  const sharing = new Sharing(store, clock);
  const plugins = await loadPlugins({
    loaded: parseConfig(text, { file: "/config.yaml", env: () => undefined }),
    builtins,
    store,
    ledger: new DirectLedger(store, clock),
    sharing,
    keys: {
      verify: (id) => {
        const key = keys.find(({ record }) => record.id === id)?.record ??
          { id, name: id, created_at: "", user: id, team: id };
        return { ok: true, key };
      },
      used: () => {},
    },
    log,
    clock,
    memory: new Map(),
  });
  const billing = new Billing({ prices: await openPrices(null), resolve: () => [] });
  const open = (id: string) => {
    const headers = new Headers({ "x-api-key": id });
    const exchange = new Exchange({ endpoint: "messages", headers, clock, log, billing });
    const completion = new Completion(
      plugins,
      exchange,
      (done) => void completing.push(Promise.resolve(done)),
    );
    return { exchange, completion };
  };
  const completing: Promise<unknown>[] = [];
  const summed = async () => {
    await Promise.all(completing);
    return await rollupsBy(store, ["2026-11-23", "2026-11-24"]);
  };
  return { summed, clock, plugins, open, limits: sharing.of("rate_limit").limits };
}
