/** `examples/plugins/models_by_hour.ts`: who may use which model, and when. */
import assert from "node:assert/strict";
import { FakeClock } from "../fake_clock.ts";
import { withHarness } from "../harness.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const CONFIG = `plugins:
  - use: auth
  - use: ./examples/plugins/models_by_hour.ts
    with:
      time_zone: Europe/Berlin
      otherwise: deny
      rules:
        - { teams: [research], models: ["*opus*"] }
        - { models: ["*opus*"], days: [mon, tue, wed, thu, fri], from: "18:00", to: "08:00" }
        - { models: ["*sonnet*"], from: "09:30", to: "17:00" }
models: { aliases: { opus: sim.echo, sonnet: sim.echo, haiku: sim.echo } }
`;

/** Team, model, moment, and what the refusal says; undefined where it is taken. Berlin is UTC+1 in November, +2 in June. */
const CASES: readonly (readonly [
  team: string | undefined,
  model: string,
  at: string,
  refusal?: RegExp,
])[] = [
  ["research", "opus", "2026-11-25T12:00:00Z"],
  [
    "sales",
    "opus",
    "2026-11-25T12:00:00Z",
    /model: opus is open mon, tue, wed, thu, fri 18:00 to 08:00 Europe\/Berlin/,
  ],
  ["sales", "opus", "2026-11-25T16:59:59Z", /is open/], // 17:59 in Berlin
  ["sales", "opus", "2026-11-25T17:00:00Z"],
  ["sales", "opus", "2027-06-23T16:00:00Z"], // 18:00 in Berlin's summer
  ["sales", "opus", "2027-06-23T15:59:00Z", /is open/],
  [undefined, "opus", "2026-11-28T06:59:00Z"], // Saturday morning belongs to Friday
  [undefined, "opus", "2026-11-28T07:00:00Z", /is open/],
  [undefined, "opus", "2026-11-28T18:00:00Z", /is open/], // Saturday evening
  [undefined, "opus", "2026-11-30T06:00:00Z", /is open/], // Monday morning belongs to Sunday
  ["sales", "sonnet", "2026-11-28T08:30:00Z"],
  ["sales", "sonnet", "2026-11-28T08:29:00Z", /model: sonnet is open every day 09:30 to 17:00/],
  ["sales", "sonnet", "2026-11-28T16:00:00Z", /is open/],
  ["sales", "haiku", "2026-11-25T12:00:00Z", /model: haiku is not open to team sales/],
  [undefined, "haiku", "2026-11-25T12:00:00Z", /model: haiku is not open to you/],
];

Deno.test("models are open to teams at their hours, where the wall clock of the zone shows them", async () => {
  const clock = new FakeClock();
  await withHarness(
    { config: CONFIG, base: ROOT, clock, simulatorClock: clock },
    async (harness) => {
      const keyOf = new Map<string | undefined, string>([[undefined, harness.key]]);
      for (const team of ["research", "sales"]) {
        const { key } = await harness.gateway.keys.create({ name: team, team });
        harness.secrets.add(key);
        keyOf.set(team, key);
      }
      const inOrder = CASES.toSorted(([, , a], [, , b]) => Date.parse(a) - Date.parse(b));
      for (const [team, model, at, refusal] of inOrder) {
        clock.advance(Math.max(0, Date.parse(at) - clock.now()));
        assert.equal(clock.now(), Date.parse(at), "the fake clock begins before the cases");
        const response = await harness.post(
          { model, max_tokens: 9, messages: [{ role: "user", content: "hi" }] },
          { "x-api-key": keyOf.get(team) ?? "" },
        );
        const text = await response.text();
        assert.equal(
          response.status,
          refusal === undefined ? 200 : 403,
          `${team} ${model} ${at} ${text}`,
        );
        if (refusal !== undefined) assert.match(text, refusal);
      }
    },
  );
});

Deno.test("settings that mean nothing stop the start, with their place", async () => {
  const faults: Record<string, RegExp> = {
    "{ time_zone: Mars/North, rules: [ { models: [x] } ] }": /expected a time zone such as/,
    '{ rules: [ { models: [x], from: "25:00" } ] }': /expected HH:MM/,
    '{ rules: [ { models: [x], from: "10:00", to: "10:00" } ] }': /from and to to differ/,
    "{ rules: [ { models: [x], hours: 3 } ] }": /hours/,
  };
  for (const [settings, wanted] of Object.entries(faults)) {
    const config =
      `plugins:\n  - use: auth\n  - use: ./examples/plugins/models_by_hour.ts\n    with: ${settings}\n`;
    await assert.rejects(withHarness({ config, base: ROOT }, () => Promise.resolve()), (error) => {
      assert.match(String(error), wanted);
      assert.match(String(error), /config\.yaml:\d+:\d+ plugins\.1\.with/);
      return true;
    });
  }
});
