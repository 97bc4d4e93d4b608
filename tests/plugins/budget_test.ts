/** What `budget` admits, refuses and tells, through HTTP, with money worked out by hand. */
import assert from "node:assert/strict";
import { ask, bill, CENT, keyOf, MILL, ownId, send, spentOf, withBudget } from "./budget_bench.ts";

Deno.test("a budget that is spent is a 429 billing_error, not to be tried again, that says which, how much and until when", () =>
  withBudget("{ daily_usd: 0.01 }", async ({ harness, store }) => {
    bill(harness, 5_000, 1_000); // 5,000 × 1,000 + 1,000 × 5,000: the cent to the last nano-dollar
    assert.equal((await send(harness)).status, 200);
    assert.equal(await spentOf(store, "2026-11-23/day", `key ${await ownId(harness)}`), CENT);
    const refused = await send(harness);
    assert.deepEqual([refused.status, refused.type], [429, "billing_error"]);
    assert.equal(
      refused.message,
      "Cannot admit this request as the daily budget of this key, $0.01, is spent: the next begins at " +
        "2026-11-24T00:00:00.000Z; ask the gateway's operator for a higher one",
    );
    assert.equal(refused.headers.get("x-should-retry"), "false");
    assert.equal(refused.headers.get("retry-after"), "60");
    assert.equal(harness.simulator.requests.length, 1);
  }));

Deno.test("a nano-dollar that is left admits one more request, which may overspend", () =>
  withBudget("{ daily_usd: 0.01 }", async ({ harness, store }) => {
    bill(harness, 4_999, 1_000); // a token short of a cent
    assert.equal((await send(harness)).status, 200);
    bill(harness, 9, 100);
    assert.equal((await send(harness)).status, 200);
    assert.equal((await send(harness)).type, "billing_error");
    const scope = `key ${await ownId(harness)}`;
    assert.equal(await spentOf(store, "2026-11-23/day", scope), CENT - 1_000 + 509_000);
  }));

interface Scoped {
  readonly setting: string;
  readonly who: string;
  /** Scope of the counter; `key` is that of the key itself. */
  readonly scope: string;
  /** Whether the cap holds for the key of bob in blue, and of ann in red, besides ann's in blue. */
  readonly holdsFor: readonly ("bob" | "red")[];
}

const SCOPES: readonly Scoped[] = [
  { setting: "CAP", who: "this key", scope: "key", holdsFor: [] },
  { setting: "user: { CAP }", who: "user 'ann'", scope: "user ann", holdsFor: ["red"] },
  { setting: "team: { CAP }", who: "team 'blue'", scope: "team blue", holdsFor: ["bob"] },
  {
    setting: "overall: { CAP }",
    who: "all keys together",
    scope: "overall",
    holdsFor: ["bob", "red"],
  },
];

const PERIODS = [
  { cap: "daily_usd", adjective: "daily", span: "2026-11-23/day", next: "2026-11-24" },
  { cap: "weekly_usd", adjective: "weekly", span: "2026-11-23/week", next: "2026-11-30" },
  { cap: "monthly_usd", adjective: "monthly", span: "2026-11-01/month", next: "2026-12-01" },
];

for (const { setting, who, scope, holdsFor } of SCOPES) {
  for (const { cap, adjective, span, next } of PERIODS) {
    const settings = `{ ${setting.replace("CAP", `${cap}: 0.001`)} }`;
    Deno.test(`the ${adjective} budget of ${who} holds for whom it is of, until it begins anew`, () =>
      withBudget(settings, async ({ harness, clock, store }) => {
        const mine = await harness.gateway.keys.create({ name: "ann", user: "ann", team: "blue" });
        harness.secrets.add(mine.key);
        const others = {
          bob: await keyOf(harness, { user: "bob", team: "blue" }),
          red: await keyOf(harness, { user: "ann", team: "red" }),
        };
        bill(harness, 500, 100); // 500 × 1,000 + 100 × 5,000
        assert.equal((await send(harness, mine)).status, 200);
        const counter = scope === "key" ? `key ${mine.record.id}` : scope;
        assert.equal(await spentOf(store, span, counter), MILL);
        const refused = await send(harness, mine);
        assert.equal(refused.type, "billing_error");
        assert.ok(
          refused.message.includes(`the ${adjective} budget of ${who}, $0.001, is spent`) &&
            refused.message.includes(`begins at ${next}T00:00:00.000Z`),
          refused.message,
        );
        for (const [name, key] of Object.entries(others)) {
          const { status } = await send(harness, { key });
          assert.equal(status, holdsFor.some((one) => one === name) ? 429 : 200, name);
        }
        clock.advance(Date.parse(next) - clock.now() - 1);
        assert.equal((await send(harness, mine)).type, "billing_error");
        clock.advance(1);
        assert.equal((await send(harness, mine)).status, 200);
      }));
  }
}

Deno.test("a budget of the key's own is in place of the plugin's for the same period, and beside those for others", () =>
  withBudget("{ daily_usd: 0.001, monthly_usd: 0.01 }", async ({ harness }) => {
    const key = await keyOf(harness, { budget: { usd: 0.002, per: "day" } });
    for (const { status, type } of [{ status: 200 }, { status: 200 }, { type: "billing_error" }]) {
      if (status === 200) bill(harness, 500, 100);
      const sent = await send(harness, { key });
      assert.deepEqual([sent.status, sent.type], [status ?? 429, type]);
    }
    const monthly = await keyOf(harness, { budget: { usd: 0.001, per: "month" } });
    bill(harness, 500, 100);
    assert.equal((await send(harness, { key: monthly })).status, 200);
    const refused = await send(harness, { key: monthly });
    assert.match(refused.message, /the (daily|monthly) budget of this key, \$0\.001, is spent/);
  }));

Deno.test("who has no key of the store is capped as a key", () =>
  withBudget("{ daily_usd: 0.001 }", async ({ harness }) => {
    await harness.reload(
      "plugins: [ { use: auth, with: { required: false } }, { use: budget, with: { daily_usd: 0.001 } } ]\n",
    );
    const post = () =>
      fetch(`${harness.url}/v1/messages`, { method: "POST", body: JSON.stringify(ask()) });
    bill(harness, 500, 100);
    await (await post()).text();
    assert.match(await (await post()).text(), /the daily budget of anonymous, \$0\.001, is spent/);
  }));

Deno.test("a key's changed budget holds within 2 s, a changed setting at once, both ways", () =>
  withBudget("{}", async ({ harness, clock }) => {
    const { record, key } = await harness.gateway.keys.create({
      name: "changing",
      budget: { usd: 0.001, per: "month" },
    });
    harness.secrets.add(key);
    bill(harness, 500, 100);
    assert.equal((await send(harness, { key })).status, 200);
    assert.equal((await send(harness, { key })).type, "billing_error");
    await harness.gateway.keys.update(record.id, { budget: { usd: 0.003, per: "month" } });
    clock.advance(2_000);
    bill(harness, 500, 100);
    assert.equal((await send(harness, { key })).status, 200);
    await harness.gateway.keys.update(record.id, { budget: { usd: 0.002, per: "month" } });
    clock.advance(2_000);
    assert.equal((await send(harness, { key })).type, "billing_error");

    const other = await keyOf(harness);
    await harness.reload(
      "plugins: [ { use: auth }, { use: budget, with: { weekly_usd: 0.001 } } ]\n",
    );
    bill(harness, 500, 100);
    assert.equal((await send(harness, { key: other })).status, 200);
    assert.equal((await send(harness, { key: other })).type, "billing_error");
    await harness.reload(
      "plugins: [ { use: auth }, { use: budget, with: { weekly_usd: 0.002 } } ]\n",
    );
    assert.equal((await send(harness, { key: other })).status, 200);
  }));

Deno.test("counting tokens and listing models cost nothing, and a spent budget does not stop them", () =>
  withBudget("{ overall: { daily_usd: 0.001 } }", async ({ harness, store }) => {
    bill(harness, 500, 100);
    await send(harness);
    assert.equal((await send(harness)).type, "billing_error");
    const headers = { "content-type": "application/json", "x-api-key": harness.key };
    for (
      const [path, body] of [["messages/count_tokens", JSON.stringify(ask())], ["models", null]]
    ) {
      const method = body === null ? "GET" : "POST";
      const response = await fetch(`${harness.url}/v1/${path}`, {
        method,
        headers,
        body: body ?? null,
      });
      assert.equal(response.status, 200, String(path));
      await response.body?.cancel();
    }
    assert.equal(await spentOf(store, "2026-11-23/day", "overall"), MILL);
  }));

Deno.test("at 80 % answers warn, and the log does once for each scope and span", () =>
  withBudget(
    "{ daily_usd: 0.01, user: { monthly_usd: 0.02 } }",
    async ({ harness, clock }) => {
      const key = await keyOf(harness, { user: "Zoë" });
      const warning = async (input: number) => {
        bill(harness, input, 0);
        const sent = await send(harness, { key });
        assert.equal(sent.status, 200);
        return sent.headers.get("x-outcrop-budget-warning");
      };
      assert.equal(await warning(7_999), null);
      assert.equal(await warning(1), null); // 79.99 % when it came
      assert.equal(
        await warning(1_000),
        "80 % of the daily budget of this key, $0.01, is spent; it ends at 2026-11-24T00:00:00.000Z",
      );
      clock.advance(86_400_000); // 45 % of the month's
      assert.equal(await warning(7_000), null); // 80 % with it
      assert.equal(
        await warning(1_000),
        "80 % of the monthly budget of user 'Zo?', $0.02, is spent; it ends at 2026-12-01T00:00:00.000Z",
      );
      assert.match(await warning(1) ?? "", /^80 % of the daily .*, 85 % of the monthly /);
      const told = harness.log.map((line) => JSON.parse(line))
        .filter(({ message }) => /is spent$/.test(String(message)));
      assert.deepEqual(
        told.map(({ level, properties: { period, percent, scope } }) => [
          level,
          period,
          percent,
          String(scope).split(" ")[0],
        ]),
        [
          ["WARN", "daily", 80, "key"],
          ["WARN", "monthly", 80, "user"],
          ["WARN", "daily", 80, "key"],
        ],
      );
    },
  ));

Deno.test("settings that mean nothing are refused with their place", async () => {
  for (
    const [settings, wanted] of [
      ["{ daily_usd: 0 }", /plugins\.1\.with\.daily_usd/],
      ["{ hourly_usd: 1 }", /hourly_usd/],
      ["{ user: { per_day: 1 } }", /per_day/],
      ["{ store_down: perhaps }", /store_down/],
      ["{ monthly_usd: 1e9 }", /monthly_usd/],
    ] as const
  ) {
    await assert.rejects(withBudget(settings, () => Promise.resolve()), wanted);
  }
});
