/**
 * `models_by_hour`: which teams may use which models, and when. The first rule that speaks of the team and the model
 * decides; where none does, `otherwise` does.
 *
 * ```yaml
 * plugins:
 *   - use: auth
 *   - use: ./examples/plugins/models_by_hour.ts
 *     with:
 *       time_zone: Europe/Berlin
 *       otherwise: deny
 *       rules:
 *         - { teams: [research], models: ["*opus*"] }                                  # at any time
 *         - { models: ["*opus*"], days: [mon, tue, wed, thu, fri], from: "18:00", to: "08:00" }
 *         - { models: ["*sonnet*", "*haiku*"] }
 * ```
 *
 * @module
 */
import type { PluginFactory } from "../../src/pipeline/plugin.ts";

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
type Day = typeof DAYS[number];

const DAY_MINUTES = 24 * 60;

/** Minutes since midnight of `HH:MM`; 24:00 is the day's end. */
function minutesOf(time: string): number {
  const [hours, minutes] = time.split(":").map(Number);
  return (hours ?? 0) * 60 + (minutes ?? 0);
}

interface Hours {
  readonly days?: readonly Day[] | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** The day and the minute of a moment, where the clock on the wall shows them. */
function wallClock(format: Intl.DateTimeFormat, at: number): { day: Day; minute: number } {
  const parts = Object.fromEntries(
    format.formatToParts(at).map(({ type, value }) => [type, value]),
  );
  const day = DAYS.find((name) => parts["weekday"]?.toLowerCase().startsWith(name)) ?? "mon";
  return { day, minute: Number(parts["hour"]) * 60 + Number(parts["minute"]) };
}

/** Whether a moment is within hours; those that run over midnight belong to the day on which they begin. */
function within({ days, from = "00:00", to = "24:00" }: Hours, day: Day, minute: number): boolean {
  const [begin, end] = [minutesOf(from), minutesOf(to)];
  const before = DAYS[(DAYS.indexOf(day) + 6) % 7] ?? day;
  const on = (name: Day) => days === undefined || days.includes(name);
  if (begin < end) return on(day) && minute >= begin && minute < end;
  return (on(day) && minute >= begin) || (on(before) && minute < end % DAY_MINUTES);
}

function hoursText({ days, from = "00:00", to = "24:00" }: Hours, zone: string): string {
  const on = days === undefined ? "every day" : days.join(", ");
  return `${on} ${from} to ${to} ${zone}`;
}

/** The plugin. */
const modelsByHour: PluginFactory = ({ define, z }) => {
  const time = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$|^24:00$/, "expected HH:MM");
  const zone = z.string().refine((name) => {
    try {
      return new Intl.DateTimeFormat("en", { timeZone: name }) !== undefined;
    } catch {
      return false; // no such zone: the message says so
    }
  }, "expected a time zone such as Europe/Berlin or UTC");
  const rule = z.strictObject({
    teams: z.array(z.string().min(1)).optional().describe("Teams it speaks of; all when absent."),
    models: z.array(z.string().min(1)).min(1).describe("Globs over the names clients ask for."),
    days: z.array(z.enum(DAYS)).min(1).optional().describe("Days; every day when absent."),
    from: time.optional().describe("First minute, HH:MM; midnight when absent."),
    to: time.optional().describe("End, HH:MM; before `from` it is on the next day."),
  }).refine(({ from, to }) => from === undefined || from !== to, {
    error: "expected from and to to differ: leave both out for the whole day",
  });

  return define({
    name: "models_by_hour",
    schema: z.strictObject({
      time_zone: zone.default("UTC").describe("Whose wall clock the hours are read from."),
      otherwise: z.enum(["allow", "deny"]).default("deny").describe(
        "For a team and model of which no rule speaks.",
      ),
      rules: z.array(rule).min(1).describe("The first that speaks of team and model decides."),
    }),
    requires: ["auth"],
    setup({ time_zone, otherwise, rules }, host) {
      const format = new Intl.DateTimeFormat("en-GB", {
        timeZone: time_zone,
        weekday: "short",
        hour: "2-digit",
        minute: "2-digit",
        hourCycle: "h23",
      });
      return {
        onCall(ctx) {
          const team = ctx.principal?.key?.team;
          const found = rules.find(({ teams, models }) =>
            (teams === undefined || (team !== undefined && teams.includes(team))) &&
            host.matchesGlob(models, ctx.model)
          );
          if (found === undefined) {
            if (otherwise === "allow") return;
            return ctx.reject(
              "permission_error",
              `model: ${ctx.model} is not open to ${team === undefined ? "you" : `team ${team}`}`,
            );
          }
          const { day, minute } = wallClock(format, host.clock.now());
          if (within(found, day, minute)) return;
          return ctx.reject(
            "permission_error",
            `model: ${ctx.model} is open ${hoursText(found, time_zone)}`,
          );
        },
      };
    },
  });
};

export default modelsByHour;
