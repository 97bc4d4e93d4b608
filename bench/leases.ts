/**
 * Limits of a whole fleet in simulated time: the program's own lease code, a clock that jumps, a store that answers in
 * milliseconds. `deno task leases` prints a line for each, and writes
 * `bench/leases.json`, `bench/costs.json` and the tables of docs/scale.md; `deno task leases --check` writes nothing,
 * and fails where they tell other figures.
 * @module
 */
import { between, seededRandom } from "../src/simulator/random.ts";
import { openMemoryStore } from "../src/storage/memory.ts";
import { entrySize, readUnits, writeUnits } from "./dynamodb_units.ts";
import { costTable } from "./costs.ts";
import { type LeaseRow, withTable } from "./lease_table.ts";
import { SimulatedClock, SimulatedReplica } from "../tests/sharing/simulated.ts";

/** A fleet and its traffic. */
interface Fleet {
  readonly name: string;
  /** Requests a second that are asked for, of all replicas. */
  readonly perSecond: number;
  readonly replicas: number;
  readonly keys: number;
  /** Replicas that one key comes to. */
  readonly spread: number;
  /** Requests a minute that a key may. */
  readonly limit: number;
  /** Seconds that are measured. */
  readonly seconds: number;
  /** Before them. @default {@link WARM_UP_MS} */
  readonly warmUpMs?: number;
  /** The share of keys, and of requests, that is simulated: one key's leases are not another's. @default 1 */
  readonly sample?: number;
}

const TEN = { perSecond: 10, keys: 5, limit: 600, seconds: 60 };
const THOUSAND = { perSecond: 1_000, replicas: 4, spread: 4, seconds: 30 };
const MANY = { perSecond: 100_000, replicas: 200, seconds: 10 };
/** Leases that last for twenty seconds are seen in no ten. */
const LONG = { spread: 200, warmUpMs: 20_000, seconds: 20 };
const SAMPLED = { spread: 200, warmUpMs: 40_000, seconds: 40, sample: 1 / 50 };
const LOW = { perSecond: 10_000, replicas: 100, keys: 1_000, limit: 1_200 };
const FLEETS: readonly Fleet[] = [
  { name: "one process", ...TEN, replicas: 1, spread: 1 },
  { name: "two machines", ...TEN, replicas: 2, spread: 2 },
  { name: "one key", ...THOUSAND, keys: 1, limit: 120_000 },
  { name: "busy keys", ...THOUSAND, keys: 50, limit: 6_000, warmUpMs: 30_000 },
  { name: "slow keys", ...THOUSAND, keys: 1_000, limit: 600, warmUpMs: 30_000 },
  { name: "ten times the limit", ...THOUSAND, keys: 10, limit: 600 },
  { name: "one key", ...MANY, ...LONG, keys: 1, limit: 12_000_000 },
  { name: "one key, ten times the limit", ...MANY, spread: 200, keys: 1, limit: 600_000 },
  { name: "keys on all replicas", ...MANY, ...SAMPLED, keys: 1_000, limit: 12_000 },
  { name: "keys on two replicas", ...MANY, ...SAMPLED, spread: 2, keys: 1_000, limit: 12_000 },
  { name: "low limits, on all replicas", ...LOW, spread: 100, seconds: 30, warmUpMs: 20_000 },
  { name: "low limits, on two replicas", ...LOW, spread: 2, seconds: 10 },
];

/** Before the measured time: each key has come to each of its replicas, rates are found. */
const WARM_UP_MS = 4_000;

/** How many of a Poisson process in a time in which `mean` are expected. */
function poisson(mean: number, random: () => number): number {
  let count = 0;
  for (let left = mean; left > 0; left -= 30) {
    const bound = Math.exp(-Math.min(left, 30));
    for (let product = random(); product > bound; product *= random()) count++;
  }
  return count;
}

async function measure(fleet: Fleet): Promise<LeaseRow> {
  const { sample = 1 } = fleet;
  const [perSecond, keys] = [fleet.perSecond * sample, fleet.keys * sample];
  const random = seededRandom(1);
  const clock = new SimulatedClock();
  const store = openMemoryStore({ clock });
  const written = new Map<string, number>();
  const units = { read: 0, write: 0 };
  const replicas = Array.from({ length: fleet.replicas }, () =>
    new SimulatedReplica({
      clock,
      store,
      random,
      onWrite: (key, value) => {
        written.set(key[1], 1 + (written.get(key[1]) ?? 0));
        units.write += writeUnits(entrySize(key, value));
      },
      onRead: (key, value) => void (units.read += readUnits(entrySize(key, value ?? null))),
    }));
  const pairs = Array.from({ length: keys * fleet.spread }, (_, at) => {
    const key = Math.floor(at / fleet.spread);
    const replica = replicas[(key + at % fleet.spread) % fleet.replicas] as SimulatedReplica;
    return { id: `key ${key}`, limits: replica.limits };
  });
  let [asked, admitted, waited] = [0, 0, 0];
  const count = (taken: boolean) => void (admitted += taken ? 1 : 0);
  const arrive = () => {
    const { id, limits } = pairs[between(random, 0, pairs.length - 1)] ?? pairs[0]!;
    const bucket = limits.bucket(id, "requests", fleet.limit);
    const taken = limits.take([{ bucket, amount: 1 }]);
    asked++;
    if (typeof taken === "boolean") return count(taken);
    waited++;
    void taken.then(count);
  };
  const pass = async (ms: number) => {
    for (let at = 0; at < ms; at++) {
      for (let left = poisson(perSecond / 1_000, random); left > 0; left--) arrive();
      await clock.pass(1);
    }
  };
  const { warmUpMs = WARM_UP_MS } = fleet;
  await pass(warmUpMs);
  const before = admitted;
  [asked, waited] = [0, 0];
  written.clear();
  Object.assign(units, { read: 0, write: 0 });
  for (const replica of replicas) Object.assign(replica, { reads: 0, writes: 0, lost: 0 });
  await pass(1_000 * fleet.seconds);

  const sum = (of: "reads" | "writes" | "lost") =>
    replicas.reduce((total, replica) => total + replica[of], 0) / fleet.seconds;
  const allowed = keys * fleet.limit * (1 + fleet.seconds / 60 + warmUpMs / 60_000);
  const isOver = asked > allowed;
  const share = isOver ? admitted / allowed : (admitted - before) / asked;
  const calls = sum("reads") + sum("writes");
  return {
    fleet: fleet.name,
    "req/s": fleet.perSecond,
    replicas: fleet.replicas,
    keys: fleet.keys,
    "replicas a key": fleet.spread,
    "admitted %": (100 * share).toFixed(2) + (isOver ? " of the limit" : ""),
    "waited %": (100 * waited / asked).toFixed(2),
    "reads/s": Math.round(sum("reads") / sample),
    "writes/s": Math.round(sum("writes") / sample),
    "calls a request": (calls * fleet.seconds / asked).toFixed(3),
    "read units a request": (units.read / asked).toFixed(4),
    "write units a request": (units.write / asked).toFixed(4),
    "calls/s of a key and replica": (calls / pairs.length).toFixed(2),
    "lost races %": (100 * sum("lost") / sum("writes")).toFixed(1),
    "writes/s of the hottest entry": Math.round(Math.max(...written.values()) / fleet.seconds),
  };
}

/** The first so many lines, or all. */
export async function leaseTable(
  lines: number = FLEETS.length,
  onRow?: (row: LeaseRow) => void,
): Promise<LeaseRow[]> {
  const rows: LeaseRow[] = [];
  for (const fleet of FLEETS.slice(0, lines)) {
    const row = await measure(fleet);
    rows.push(row);
    onRow?.(row);
  }
  return rows;
}

/** Writes a file, or compares it: words, for tables are aligned after. */
async function keep(name: string, text: string, isCheck: boolean): Promise<void> {
  const file = new URL(name, import.meta.url);
  if (!isCheck) return await Deno.writeTextFile(file, text);
  const words = (all: string) => all.replace(/[\s-]+/g, " ");
  if (words(await Deno.readTextFile(file)) !== words(text)) {
    throw new Error(`Cannot confirm ${name} as it must tell these figures: run 'deno task leases'`);
  }
}

if (import.meta.main) {
  const isCheck = Deno.args.includes("--check");
  const say = (row: object) => {
    const text = Object.entries(row).map(([name, value]) => `${name} ${value}`).join(", ");
    Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
  };
  const leases = await leaseTable(FLEETS.length, say);
  const costs = await costTable(leases);
  costs.forEach(say);
  const page = new URL("../docs/scale.md", import.meta.url);
  const text = withTable(await Deno.readTextFile(page), "leases", leases);
  await keep("leases.json", `${JSON.stringify(leases, null, 2)}\n`, isCheck);
  await keep("costs.json", `${JSON.stringify(costs, null, 2)}\n`, isCheck);
  await keep("../docs/scale.md", withTable(text, "costs", costs), isCheck);
  if (!isCheck) {
    await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", page.pathname] }).output();
  }
}
