/** `outcrop usage`, on a store that a gateway has written. */
import assert from "node:assert/strict";
import { usageTable } from "../../src/cli/usage_table.ts";
import { parseScript } from "../../src/simulator/simulator.ts";
import { openDenoKvStore } from "../../src/storage/deno_kv.ts";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, withHarness } from "../harness.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const HAIKU = "claude-haiku-4-5"; // 1 in, 5 out, 0.1 read, 1.25 written for 5 minutes, 2 for an hour
const QWEN = "qwen.qwen3-32b-v1:0"; // 0.15 in, 0.6 out
const START = Date.UTC(2026, 0, 15, 22, 30);
const SINCE = ["--since", "2026-01-15T00:00:00Z"];

async function outcrop(folder: string, ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "-A", "--config", `${ROOT}deno.json`]
      .concat(`${ROOT}src/main.ts`, "usage", ...args),
    cwd: folder,
    env: { NO_COLOR: "1", TZ: "America/New_York" }, // five hours behind UTC in January
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

/** Runs `test` in a folder whose store holds what `run` asked of a gateway. */
async function afterwards(
  run: (harness: Harness, clock: FakeClock) => Promise<void>,
  test: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const clock = new FakeClock(START);
  const store = await openDenoKvStore({ path: `${folder}/usage.db`, clock });
  const plugins = "plugins: [ { use: auth }, { use: usage, with: { rollup_days: 3650 } } ]\n";
  const config = `${plugins}models: { aliases: { 'a, "b"': "${QWEN}" } }\n`;
  await Deno.writeTextFile(
    `${folder}/config.yaml`,
    `store: { use: deno_kv, path: usage.db }\n${plugins}`,
  );
  try {
    await withHarness({ clock, simulatorClock: clock, store, config }, (harness) => {
      return run(harness, clock);
    });
    await store.close();
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function ask(model: string, stream: boolean = false) {
  return { model, max_tokens: 100, stream, messages: [{ role: "user", content: "hi" }] };
}

function claude(usage: Record<string, unknown>): Record<string, unknown> {
  return {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude",
    content: [{ type: "text", text: "hello" }],
    stop_reason: "end_turn",
    stop_sequence: null,
    usage,
  };
}

function converse(inputTokens: number, outputTokens: number): Record<string, unknown> {
  return {
    output: { message: { role: "assistant", content: [{ text: "hello" }] } },
    stopReason: "end_turn",
    usage: { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens },
  };
}

const ids: string[] = [];

/** Four requests: 2,000,000 and 2,850 nano-dollars, one refused, and two hours later 8,450,000. */
async function fourRequests(harness: Harness, clock: FakeClock): Promise<void> {
  const { gateway, simulator } = harness;
  const ann = await gateway.keys.create({ name: "ci", user: "ann", team: "web" });
  const bob = await gateway.keys.create({ name: 'Bob "b"' });
  ids.splice(0, 2, ann.record.id, bob.record.id);
  const post = async (body: unknown, key: string) =>
    await (await harness.post(body, { "x-api-key": key })).text();
  simulator.script(parseScript({ json: claude({ input_tokens: 1_000, output_tokens: 200 }) }));
  await post(ask(HAIKU), ann.key); // 1,000 × 1,000 + 200 × 5,000
  simulator.script(parseScript({ json: converse(7, 3) }));
  await post(ask('a, "b"'), bob.key); // 7 × 150 + 3 × 600
  await post(ask("\u001b[31mred"), bob.key);
  clock.advance(7_200_000);
  const usage = {
    input_tokens: 10,
    output_tokens: 3,
    cache_read_input_tokens: 70_000,
    cache_creation_input_tokens: 900,
    cache_creation: { ephemeral_5m_input_tokens: 500, ephemeral_1h_input_tokens: 400 },
  };
  simulator.script(parseScript({ json: claude(usage) }));
  await post(ask(HAIKU), ann.key); // 10,000 + 15,000 + 7,000,000 + 625,000 + 800,000
}

function sums(requests: number, input: number, output: number, cache: number[], cost_usd: number) {
  return {
    requests,
    input_tokens: input,
    output_tokens: output,
    cache_read_input_tokens: cache[0],
    cache_creation_input_tokens: cache[1],
    cost_usd,
  };
}

Deno.test("usage prints sums as JSON, as CSV and as a table", () =>
  afterwards(fourRequests, async (folder) => {
    const json = async (by: string) =>
      JSON.parse((await outcrop(folder, "--by", by, "--json", ...SINCE)).out);
    const totals = sums(4, 1_017, 206, [70_000, 900], 0.01045285);
    const ann = sums(2, 1_010, 203, [70_000, 900], 0.01045);
    const bob = sums(2, 7, 3, [0, 0], 0.00000285);
    const evening = sums(3, 1_007, 203, [0, 0], 0.00200285);
    const night = sums(1, 10, 3, [70_000, 900], 0.00845);
    assert.deepEqual(await json("day"), {
      data: [{ day: "2026-01-15", ...evening }, { day: "2026-01-16", ...night }],
      totals,
    });
    assert.deepEqual(await json("hour"), {
      data: [{ hour: "2026-01-15T22:00:00Z", ...evening }, {
        hour: "2026-01-16T00:00:00Z",
        ...night,
      }],
      totals,
    });
    assert.deepEqual(await json("key"), {
      data: [{ key: ids[0], name: "ci", ...ann }, { key: ids[1], name: 'Bob "b"', ...bob }],
      totals,
    });
    assert.deepEqual((await json("user")).data, [{ user: "ann", ...ann }, { user: null, ...bob }]);
    assert.deepEqual((await json("team")).data, [{ team: "web", ...ann }, { team: null, ...bob }]);
    const csv = await outcrop(folder, "--by", "model", "--csv", ...SINCE);
    assert.deepEqual(csv.out.split("\r\n"), [
      "model,requests,input_tokens,output_tokens,cache_read_input_tokens,cache_creation_input_tokens,cost_usd",
      "claude-haiku-4-5,2,1010,203,70000,900,0.01045",
      '"a, ""b""",1,7,3,0,0,0.00000285',
      "\u001b[31mred,1,0,0,0,0,0",
      "",
    ]);
    const keys = await outcrop(folder, "--by", "key", "--csv", ...SINCE);
    assert.match(
      keys.out,
      new RegExp(`^key,name,requests,.*\r\n${ids[0]},ci,2,.*\r\n${ids[1]},"Bob ""b""",2,`),
    );
    const table = (await outcrop(folder, ...SINCE)).out.split("\n");
    assert.deepEqual(table, [
      "DAY         REQUESTS  INPUT  OUTPUT   READ  WRITTEN       COST",
      `2026-01-15         4   1017     206  70000      900  $0.010453  ${"█".repeat(24)}`,
      "total              4   1017     206  70000      900  $0.010453",
      "",
    ]);
    const hours = (await outcrop(folder, "--by", "hour", ...SINCE)).out.split("\n");
    assert.deepEqual(hours.slice(1, 3).map((line) => line.slice(0, 26).split(/ {2,}/)), [
      ["2026-01-15 17:00", "3"],
      ["2026-01-15 19:00", "1"],
    ]);
    for (const since of ["2026-01-15T23:00:00Z", "2026-01-16T00:59:00Z"]) { // whole hours
      const late = await outcrop(folder, "--json", "--since", since);
      assert.deepEqual(JSON.parse(late.out).totals, night, since);
    }
    const { out } = await outcrop(folder, "--by", "model", ...SINCE);
    assert.match(out, /^\?\[31mred /m);
    assert.ok(!out.includes("\u001b"));
  }));

Deno.test("usage says what to do where there is none, and refuses what it cannot read", async () => {
  const folder = await Deno.makeTempDir();
  const config = (text: string) => Deno.writeTextFile(`${folder}/config.yaml`, text);
  try {
    await config("store: { use: deno_kv, path: usage.db }\nplugins: [ { use: auth } ]\n");
    assert.equal(
      (await outcrop(folder)).out,
      "There is no usage: list '- use: usage' under plugins in config.yaml, and restart the server\n",
    );
    await config("store: { use: deno_kv, path: usage.db }\nplugins: [ { use: usage } ]\n");
    assert.match(
      (await outcrop(folder)).out,
      /^There is no usage since \d{4}-\d\d-\d\d \d\d:\d\d: send a request, or look further back with --since 30d\n$/,
    );
    const totals = sums(0, 0, 0, [0, 0], 0);
    assert.deepEqual(JSON.parse((await outcrop(folder, "--json")).out), { data: [], totals });
    for (
      const [args, wanted] of [
        [["--since", "soon"], /--since: Cannot read a duration .*'soon'/],
        [["--since", "2999-01-01"], /--since: Cannot use a time that must have passed: 2999-01-01/],
        [["--since", "2026-99-99"], /--since: Cannot read '2026-99-99' as a time/],
        [["--by", "colour"], /Allowed choices are key, user, team, model, day, hour/],
        [["--json", "--csv"], /'--json' cannot be used with option '--csv'/],
      ] as const
    ) {
      const { code, out, err } = await outcrop(folder, ...args);
      assert.deepEqual([code, out], [2, ""], err);
      assert.match(err, wanted);
    }
    await config("store: { use: memory }\n");
    const memory = await outcrop(folder);
    assert.deepEqual([memory.code, memory.out], [1, ""]);
    assert.match(
      memory.err,
      /Cannot show usage as config\.yaml says 'store: memory', which is gone/,
    );
    const help = await outcrop(folder, "--help");
    assert.match(help.out, /Example:\n\s+outcrop usage --by model --since 30d/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a table of usage at 80 columns cuts names, keeps figures, and has room for the bar", () => {
  const row = (name: string, figures: number[], nano_usd: number) => ({
    names: [name],
    requests: figures[0] ?? 0,
    input_tokens: figures[1] ?? 0,
    output_tokens: figures[2] ?? 0,
    cache_read_input_tokens: figures[3] ?? 0,
    cache_creation_input_tokens: figures[4] ?? 0,
    nano_usd,
  });
  const rows = [
    row(HAIKU, [1_200, 1_234_567, 99_999, 250_000_000, 0], 12_345_678_900),
    row("qwen.qwen3-coder-480b-a35b-v1:0", [1, 7, 3, 0, 0], 2_850),
    row("free", [0, 0, 0, 0, 0], 0),
  ];
  const totals = row("", [1_201, 1_234_574, 100_002, 250_000_000, 0], 12_345_681_750);
  const table = usageTable(rows, totals, { headings: ["model"], width: 80 });
  assert.deepEqual(table.split("\n"), [
    "MODEL                      REQUESTS  INPUT  OUTPUT  READ  WRITTEN    COST",
    "claude-haiku-4-5               1200  1.23M   99999  250M        0  $12.35  █████",
    "qwen.qwen3-coder-480b-a3…         1      7       3     0        0   $0.00  ▏",
    "free                              0      0       0     0        0   $0.00",
    "total                          1201  1.23M    100k  250M        0  $12.35",
  ]);
  const heads = [70, 60, 50, 40, 30].map((width) => {
    const lines = usageTable(rows, totals, { headings: ["model"], width }).split("\n");
    for (const line of lines) assert.ok(line.length <= width, `${width}: ${line}`);
    return lines[0]?.split(/ +/).slice(1).join(" ");
  });
  assert.deepEqual(heads, [
    "REQUESTS INPUT OUTPUT READ WRITTEN COST",
    "REQUESTS INPUT OUTPUT READ WRITTEN COST",
    "REQUESTS INPUT OUTPUT READ COST",
    "REQUESTS OUTPUT COST",
    "REQUESTS COST",
  ]);
  const keys = rows.map((one) => ({ ...one, names: ["key_7f3k2m9x1c", "a key of a long name"] }));
  const lines = usageTable(keys, totals, { headings: ["key", "name"], width: 80 }).split("\n");
  assert.ok(Math.max(...lines.map((line) => line.length)) <= 80);
  assert.equal(lines[1]?.slice(0, 25), "key_7f3k2m9x1c  a key of…");
});
