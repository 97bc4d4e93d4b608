/** `outcrop keys`: what people see of keys, and how they are changed, rotated and revoked beside a server. */
import assert from "node:assert/strict";
import { widthOf } from "../../src/cli/cells.ts";
import { parseScript } from "../../src/simulator/simulator.ts";
import type { Harness } from "../harness.ts";
import { type Cli, json, type KeyDocument, serving, withKeys } from "./keys_cli.ts";

const HAIKU = "claude-haiku-4-5"; // 1 $ a million tokens of input, 5 $ of output
const ZONE = { TZ: "Asia/Tokyo" }; // nine hours ahead of UTC, all year

async function statusOf(harness: Harness, key: string): Promise<number> {
  const response = await fetch(`${harness.url}/v1/models?limit=1`, {
    headers: { "x-api-key": key },
  });
  await response.body?.cancel();
  return response.status;
}

Deno.test("update changes what is given, takes away what is unset, and leaves the rest", () =>
  withKeys(async (cli) => {
    const made = await json(cli(
      "create --name ci --user ann --team web --tier flex --rpm 60 --tpm 9000 --budget 25 --models a,b --cache-ttl 1h --expires 90d --json",
    ));
    const { key: _, ...before } = made;
    const changed = await json(cli(
      `update ${made.id} --name ci2 --rpm 10 --concurrency 4 --budget-per day --unset tpm,tier,expires --json`,
    ));
    assert.deepEqual(changed, {
      ...before,
      name: "ci2",
      tier: null,
      expires_at: null,
      limits: { requests_per_minute: 10, concurrency: 4 },
      budget: { usd: 25, per: "day" },
    });
    const bare = await json(cli(
      `update ${made.id} --unset user,team,limits,budget,models,cache-ttl --json`,
    ));
    for (const name of ["user", "team", "limits", "budget", "models", "cache_ttl"]) {
      assert.equal(bare[name], null, name);
    }
    assert.equal((await json(cli(`show ${made.id} --json`))).name, "ci2");
    assert.match(
      (await cli(`update ${made.id} --rpm 5`)).out,
      /^Changed key_\S+ \(ci2\): running servers follow within 2 s\n$/,
    );
  }));

Deno.test("update refuses what is a slip, and says what to do", () =>
  withKeys(async (cli) => {
    const { id } = await json(cli("create --name ci --json"));
    for (
      const [args, wanted] of [
        [id, /Nothing to change: see 'outcrop keys update --help'/],
        [`${id} --rpm 5 --unset rpm`, /--rpm and --unset rpm exclude each other/],
        [`${id} --tpm 5 --unset limits`, /--tpm and --unset limits exclude each other/],
        [`${id} --budget-per day --unset budget`, /--budget-per and --unset budget exclude/],
        [`${id} --budget-per day`, /--budget-per needs a budget: add --budget <usd>/],
        [`${id} --unset colour`, /'colour' is none of user, team, tier/],
        [`${id} --rpm 0`, /a whole number above 0/],
        [`${id} --budget free`, /an amount in US dollars above 0/],
        [`${id} --expires 2020-01-01`, /--expires: .*2020-01-01 has passed/],
      ] as const
    ) {
      const { code, out, err } = await cli(`update ${args}`);
      assert.deepEqual([code, out], [2, ""], err);
      assert.match(err, wanted);
    }
    const nobody = await cli("update key_0000000000 --rpm 5");
    assert.deepEqual([nobody.code, nobody.out], [1, ""]);
    assert.match(nobody.err, /There is no key key_0000000000: 'outcrop keys list' shows/);
  }));

Deno.test("rotate gives a new text under the old id; the old one is taken for the grace", () =>
  withKeys(async (cli, folder) => {
    const made = await json(cli("create --name ci --user ann --json"));
    const now = Date.now();
    const rotated = await json(cli(`rotate ${made.id} --grace 2h --json`));
    assert.deepEqual(Object.keys(rotated), ["id", "key", "name", "previous_valid_until"]);
    assert.deepEqual([rotated.id, rotated.name], [made.id, "ci"]);
    assert.match(rotated.key, /^sk-oc-/);
    assert.notEqual(rotated.key, made.key);
    const until = Date.parse(rotated.previous_valid_until);
    assert.ok(until >= now + 7_200_000 && until <= Date.now() + 7_200_000);
    await serving(folder, "plugins: [ { use: auth } ]\n", async (harness, clock) => {
      assert.deepEqual(
        [await statusOf(harness, made.key), await statusOf(harness, rotated.key)],
        [200, 200],
      );
      clock.advance(until - clock.now() - 1);
      assert.equal(await statusOf(harness, made.key), 200);
      clock.advance(1);
      assert.deepEqual(
        [await statusOf(harness, made.key), await statusOf(harness, rotated.key)],
        [401, 200],
      );
    });
    const again = await cli(`rotate ${made.id} --grace 0`, ZONE);
    assert.match(again.out, /^sk-oc-\S+\n$/);
    assert.match(again.err, /Running servers refuse the old one within 2 s/);
    await serving(folder, "plugins: [ { use: auth } ]\n", async (harness) => {
      assert.deepEqual(
        [await statusOf(harness, rotated.key), await statusOf(harness, again.out.trim())],
        [401, 200],
      );
    });
    assert.match((await cli(`rotate ${made.id} --grace soon`)).err, /Cannot read a duration/);
    await cli(`revoke ${made.id}`);
    const late = await cli(`rotate ${made.id}`);
    assert.deepEqual([late.code, late.out], [1, ""]);
    assert.match(late.err, /it is revoked; make a new key/);
  }));

function answer(input_tokens: number, output_tokens: number) {
  return parseScript({
    json: {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "claude",
      content: [{ type: "text", text: "hello" }],
      stop_reason: "end_turn",
      stop_sequence: null,
      usage: { input_tokens, output_tokens },
    },
  });
}

interface Shown extends KeyDocument {
  readonly spending: readonly {
    readonly scope: string;
    readonly usd: number;
    readonly spent_usd: number;
  }[];
}

const BUDGETS =
  "plugins: [ { use: auth }, { use: budget, with: { team: { monthly_usd: 4 }, overall: { monthly_usd: 100 } } } ]\n";

Deno.test("list and show tell what is spent of the budgets that hold for a key, with bars", () =>
  withKeys(async (cli, folder) => {
    const ann = await json(cli("create --name ci --team web --budget 0.02 --json"));
    const bob = await json(cli("create --name 名前 --json"));
    await serving(folder, BUDGETS, async (harness) => {
      harness.simulator.script(answer(4_000, 1_000)); // 0.004 + 0.005
      const body = { model: HAIKU, max_tokens: 100, messages: [{ role: "user", content: "hi" }] };
      const response = await harness.post(body, { "x-api-key": ann.key });
      assert.equal(response.status, 200);
      await response.body?.cancel();
    });
    const { out } = await cli(`show ${ann.id}`);
    const lines = out.split("\n").map((line) => line.trim());
    const at = lines.indexOf("budget        $0.009 of $0.02 of this key this month");
    assert.ok(at > 0, out);
    assert.equal(lines[at + 1], `45 % ${"█".repeat(10)}▊`); // 24 × 0.45 = 10.8
    assert.match(lines[at + 2] ?? "", /^until \d{4}-\d\d-01 \d\d:00$/);
    assert.equal(lines[at + 3], "$0.009 of $4 of team 'web' this month");
    assert.equal(lines[at + 6], "$0.009 of $100 of all keys together this month");
    assert.equal(lines[at + 7], "0 % ▏");
    const { spending, budget } = await json<Shown>(cli(`show ${ann.id} --json`));
    assert.deepEqual(budget, { usd: 0.02, per: "month" });
    assert.deepEqual(spending.map(({ scope, usd, spent_usd }) => [scope, usd, spent_usd]), [
      [`key ${ann.id}`, 0.02, 0.009],
      ["team web", 4, 0.009],
      ["overall", 100, 0.009],
    ]);
    const { data } = await json<{ data: Shown[] }>(cli("list --json"));
    assert.deepEqual(data.find(({ id }) => id === ann.id)?.spending, spending);
    assert.equal(data.find(({ id }) => id === bob.id)?.spending.length, 1);
    const csv = (await cli("list --csv")).out.split("\r\n");
    assert.match(
      csv[0] ?? "",
      /^id,name,user,team,state,created_at,.*,budget_usd,budget_per,spent_usd$/,
    );
    const ofAnn = csv.find((line) => line.startsWith(ann.id)) ?? "";
    assert.match(ofAnn, /,ci,,web,active,\d{4}-\d\d-\d\dT[\d:.]+Z,,,.*,0\.02,month,0\.009$/);
    assert.equal(new Set(csv.slice(0, -1).map((line) => line.split(",").length)).size, 1);
    const list = (await cli("list", { COLUMNS: "80" })).out.split("\n");
    assert.match(list[0] ?? "", /^ID {14}NAME {2}TEAM {2}STATE {3}BUDGET/); // nobody has a user
    assert.ok(
      list.some((line) =>
        line.startsWith(`${ann.id}  ci    web   active   45 % of $0.02/month ██▊`)
      ),
      list.join("\n"),
    ); // 6 × 0.45 = 2.7
    assert.ok(list.some((line) => line.startsWith(`${bob.id}  名前`)));
  }, BUDGETS));

Deno.test("tables of keys fit 80 columns and fewer, and leave out what people can do without", () =>
  withKeys(async (cli) => {
    const name = "a-name-that-is-longer-than-anybody-needs";
    const ran = [
      await made(cli, name, "somebody@example.com"),
      await made(cli, "ci", "ann"),
    ];
    const heads: string[] = [];
    for (const columns of [200, 120, 80, 60, 40]) {
      const { out } = await cli("list", { COLUMNS: String(columns) });
      const lines = out.trimEnd().split("\n");
      for (const line of lines) assert.ok(widthOf(line) <= columns, `${columns}: ${line}`);
      for (const { id } of ran) assert.ok(out.includes(id));
      assert.equal(new Set(lines.map((line) => line.indexOf("  "))).size <= 2, true);
      heads.push((lines[0] ?? "").split(/\s+/).join(" "));
    }
    assert.deepEqual(heads, [
      "ID NAME USER TEAM STATE BUDGET EXPIRES MODELS",
      "ID NAME USER TEAM STATE BUDGET EXPIRES MODELS",
      "ID NAME USER TEAM STATE BUDGET",
      "ID NAME STATE BUDGET",
      "ID NAME STATE",
    ]);
    const { out } = await cli(`show ${ran[0]?.id}`, { COLUMNS: "60" });
    for (const line of out.split("\n")) assert.ok(widthOf(line) <= 60, line);
    assert.match(out, /^models +claude-haiku-\*, claude-sonnet-\*,\n +claude-opus-\*, qwen\.\*$/m);
  }));

/** A key with every attribute. */
async function made(cli: Cli, name: string, user: string): Promise<{ id: string }> {
  return await json(cli(
    `create --name ${name} --user ${user} --team platform --rpm 60 --tpm 90000 --output-tpm 9000 ` +
      "--concurrency 5 --budget 25 --expires 90d --models claude-haiku-*,claude-sonnet-*,claude-opus-*,qwen.* --json",
  ));
}

Deno.test("times are those of the local zone in tables, and ISO in JSON", () =>
  withKeys(async (cli) => {
    const made = await json(
      cli("create --name ci --expires 2031-01-31T20:30:00Z --json", ZONE),
    );
    assert.equal(made.expires_at, "2031-01-31T20:30:00.000Z");
    assert.match((await cli(`show ${made.id}`, ZONE)).out, /^expires {7}2031-02-01 05:30$/m);
    assert.match((await cli("list", ZONE)).out, / 2031-02-01 05:30 /);
    const told = await json(cli(`show ${made.id} --json`, ZONE));
    assert.equal(told.expires_at, "2031-01-31T20:30:00.000Z");
  }));

Deno.test("a name cannot move the terminal's cursor", () =>
  withKeys(async (cli) => {
    const { code, err } = await cli("create --name \u001b[31mred");
    assert.equal(code, 2);
    assert.match(err, /without control characters/);
    await cli("create --name a\u200bb"); // takes no room, and hides
    assert.match((await cli("list")).out, /a\?b/);
  }));

Deno.test("an attribute whose plugin is not listed has no effect, and create, update and show say so", () =>
  withKeys(async (cli) => {
    const all = "--rpm 60 --budget 25 --tier flex --cache-ttl 1h --models a";
    const made = await cli(`create --name ci ${all} --json`);
    const notes = [...made.err.matchAll(/^Note: (\w+) has no effect while the plugin '(\w+)'/gm)]
      .map(([, attribute, plugin]) => `${attribute} ${plugin}`);
    const wanted = [
      "limits rate_limit",
      "budget budget",
      "tier tier",
      "cache_ttl prompt_cache",
    ];
    assert.deepEqual(notes, wanted); // auth is listed: it enforces the models
    const { id } = JSON.parse(made.out);
    assert.match(
      (await cli(`update ${id} --budget 5`)).err,
      /^Note: budget has no effect while the plugin 'budget' is not listed in config\.yaml$/m,
    );
    assert.match(
      (await cli(`show ${id}`)).out,
      /^budget {8}\$5 a month: of no effect, as the plugin 'budget' is not listed$/m,
    );
  }, "plugins: [ { use: auth } ]\n"));
