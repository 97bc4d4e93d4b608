/** Fifty clients at once, thousands of requests: `outcrop usage` says of each what they were told. */
import assert from "node:assert/strict";
import { systemClock } from "../../src/clock.ts";
import { openDenoKvStore } from "../../src/storage/deno_kv.ts";
import { outcrop } from "../cli/outcrop.ts";
import { parseSse, withHarness } from "../harness.ts";
import { seededRandom } from "../../src/simulator/random.ts";
import { SEED } from "../seed.ts";

const KEYS = 50;
/** All 20,000 take minutes of a busy machine: `OUTCROP_REQUESTS=20000` sends them; the pipeline alone has them always. */
const REQUESTS = Number(Deno.env.get("OUTCROP_REQUESTS") ?? 1_000);
/** One request spends it. */
const SPENT_SOON = { usd: 0.000001, per: "month" } as const;
const MODELS = [
  { name: "claude-haiku-4-5", input: 1_000, output: 5_000 }, // nano-dollars a token
  { name: "qwen.qwen3-32b-v1:0", input: 150, output: 600 },
] as const;

/** What a client was told, added up. */
class Told {
  requests = 0;
  input_tokens = 0;
  output_tokens = 0;
  nano_usd = 0;
  /** Requests by status and kind of error. */
  readonly statuses = new Map<string, number>();

  add(status: string, usage: Usage, model: typeof MODELS[number]): void {
    this.requests++;
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    this.input_tokens += usage.input_tokens;
    this.output_tokens += usage.output_tokens;
    this.nano_usd += usage.input_tokens * model.input + usage.output_tokens * model.output;
  }
}

/** Sums by name. */
class Sums extends Map<string, Told> {
  of(name: string): Told {
    const sum = this.get(name) ?? new Told();
    this.set(name, sum);
    return sum;
  }
}

interface Usage {
  readonly input_tokens: number;
  readonly output_tokens: number;
}

const NOTHING: Usage = { input_tokens: 0, output_tokens: 0 };

/** The usage that an answer tells, streamed or not; an error tells none. */
function usageIn(text: string, stream: boolean): Usage {
  if (!stream) return JSON.parse(text).usage;
  type Told = Partial<Usage>;
  type Event = { readonly message?: { readonly usage: Told }; readonly usage?: Told };
  const told = parseSse(text).map(({ data }) => data as Event)
    .map(({ message, usage }) => usage ?? message?.usage ?? {});
  return Object.assign({ ...NOTHING }, ...told);
}

interface Row extends Usage {
  readonly requests: number;
  readonly cost_usd: number;
  readonly [group: string]: unknown;
}

/** What `outcrop usage` says, by what it sums by. */
async function usageBy(what: string, folder: string): Promise<ReadonlyMap<string, unknown>> {
  const { out, err } = await outcrop(
    ["usage", "--by", what, "--json", "--since", "1d"],
    folder,
  );
  assert.ok(out !== "", err);
  const { data }: { data: Row[] } = JSON.parse(out);
  return new Map(
    data.map(({ requests, input_tokens, output_tokens, cost_usd, ...row }) =>
      [
        String(row[what]),
        { requests, input_tokens, output_tokens, cost_usd },
      ] as const
    ).sort(byName),
  );
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

function sumsOf(told: ReadonlyMap<string, Told>): ReadonlyMap<string, unknown> {
  return new Map(
    [...told].map(([name, { requests, input_tokens, output_tokens, nano_usd }]) =>
      [
        name,
        { requests, input_tokens, output_tokens, cost_usd: nano_usd / 1e9 },
      ] as const
    ).sort(byName),
  );
}

Deno.test(`what fifty keys are told in ${REQUESTS} requests, in any order, is what usage says of them`, async () => {
  const random = seededRandom(SEED);
  const below = (limit: number) => Math.floor(random() * limit);
  const folder = await Deno.makeTempDir();
  const store = await openDenoKvStore({ path: `${folder}/usage.db`, clock: systemClock });
  // So tight that it refuses some of each key's requests.
  const perMinute = Math.ceil(REQUESTS / KEYS * 0.7);
  const plugins = `plugins:
  - use: auth
  - use: rate_limit
    with: { requests_per_minute: ${perMinute} }
  - use: budget
    with: { overall: { monthly_usd: 1000 } }
  - use: usage
    with: { records_days: 0 }
`;
  await Deno.writeTextFile(
    `${folder}/config.yaml`,
    `store: { use: deno_kv, path: usage.db }\n${plugins}`,
  );
  const [told, users, teams] = [new Sums(), new Sums(), new Sums()];
  try {
    await withHarness({ store, config: plugins }, async (harness) => {
      const ask = async (key: string, sums: readonly Told[]) => {
        const model = MODELS[below(2)] ?? MODELS[0];
        const stream = below(2) === 1;
        const response = await fetch(`${harness.url}/v1/messages`, {
          method: "POST",
          headers: { "x-api-key": key },
          body: JSON.stringify({
            model: model.name,
            max_tokens: 50 + below(200),
            stream,
            messages: [{
              role: "user",
              content: `[[sim:count ${1 + below(30)}]] ${"x ".repeat(below(50))}`,
            }],
          }),
        });
        const text = await response.text();
        const served = response.status === 200;
        const usage = served ? usageIn(text, stream) : NOTHING;
        const status = served ? "200" : `${response.status} ${JSON.parse(text).error.type}`;
        for (const sum of sums) sum.add(status, usage, model);
      };
      let left = REQUESTS;
      const client = async (n: number) => {
        const [user, team] = [`user ${n % 10}`, `team ${n % 4}`];
        const { record, key } = await harness.gateway.keys.create({
          name: `k${n}`,
          user,
          team,
          ...(n % 10 === 0 ? { budget: SPENT_SOON } : {}),
        });
        const sums = [told.of(record.id), users.of(user), teams.of(team)];
        while (left-- > 0) await ask(key, sums);
      };
      await Promise.all(Array.from({ length: KEYS }, (_, n) => client(n)));
    });
    await store.close();
    const all = [...told.values()];
    const statuses = new Map<string, number>();
    for (const one of all) {
      for (const [status, n] of one.statuses) statuses.set(status, (statuses.get(status) ?? 0) + n);
    }
    for (const status of ["200", "429 billing_error", "429 rate_limit_error"]) {
      assert.ok(statuses.has(status), `${status} is not among ${[...statuses.keys()]}`);
    }
    assert.equal(all.reduce((sum, { requests }) => sum + requests, 0), REQUESTS);
    for (const [what, wanted] of [["key", told], ["user", users], ["team", teams]] as const) {
      assert.deepEqual(await usageBy(what, folder), sumsOf(wanted), `by ${what}, FC_SEED=${SEED}`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
