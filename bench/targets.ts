/**
 * What the benchmark is to show, and how far it does: each target beside what was measured, as Markdown for the
 * README.
 * @module
 */

/** A row of a part of the benchmark, by the names of its columns. */
export type Figures = Readonly<Record<string, string | number>>;

/** What `bench/results.json` holds. */
export interface Results {
  /** Day of the run. */
  readonly date: string;
  /** Where it ran. */
  readonly machine: { readonly cpu: string; readonly cores: number };
  /** Version of the runtime. */
  readonly deno: string;
  /** Version of its engine. */
  readonly v8: string;
  /** Rounds, of which medians are taken. */
  readonly rounds: number;
  /** Rows by the part's name. */
  readonly parts: Readonly<Record<string, readonly Figures[]>>;
}

/** A figure that is to be reached. */
interface Target {
  readonly scenario: string;
  readonly what: string;
  readonly part: string;
  /** The row's first column. */
  readonly row?: string | number;
  readonly column: string;
  readonly target: number;
  /** Whether more is better. */
  readonly atLeast?: true;
}

function requests(
  scenario: string,
  column: "ratio" | "us/event",
  target: number,
): Target {
  const what = column === "ratio" ? "CPU, times the hop's" : "CPU an event, us";
  return { scenario, what, part: "requests", row: scenario, column, target };
}

function slow(streams: number, what: string, column: string, target: number): Target {
  return {
    scenario: `${streams.toLocaleString("en")} slow streams`,
    what,
    part: "slow streams",
    row: streams,
    column,
    target,
  };
}

function alone(
  scenario: string,
  what: string,
  of: Pick<Target, "part" | "column" | "target" | "atLeast">,
): Target {
  return { scenario, what, ...of };
}

const TARGETS: readonly Target[] = [
  requests("small, invoke", "ratio", 1.6),
  requests("small, messages", "ratio", 1.6),
  requests("small, converse", "ratio", 1.8),
  requests("200 events, 10 a chunk, invoke", "us/event", 1.5),
  requests("200 events, 10 a chunk, messages", "us/event", 1.5),
  requests("200 events, 10 a chunk, converse", "us/event", 3),
  requests("200 events, 1 a chunk, invoke", "ratio", 1.5),
  requests("200 events, 1 a chunk, messages", "ratio", 1.5),
  requests("200 events, 1 a chunk, converse", "ratio", 1.5),
  requests("150 KB, 24 tools, 200 events", "ratio", 3),
  alone("150 KB, 24 tools, 200 events", "peak memory, bodies", {
    part: "memory of a large request",
    column: "outcrop, bodies",
    target: 3,
  }),
  slow(500, "events lost", "lost", 0),
  slow(1_000, "events lost", "lost", 0),
  slow(1_000, "CPU an event, times the hop's", "ratio", 1.5),
  slow(1_000, "added delay p99, ms", "p99 ms", 25),
  slow(1_000, "memory a stream, times the hop's", "memory ratio", 1.3),
  slow(2_000, "events lost", "lost", 0),
  slow(2_000, "streams refused or cut", "broken", 0),
  alone("first byte, low load", "added p50, ms", {
    part: "first byte",
    column: "added ms, p50",
    target: 0.5,
  }),
  alone("first byte, low load", "added p99, ms", {
    part: "first byte",
    column: "added ms, p99",
    target: 2,
  }),
  alone("start from source", "ms to /health", {
    part: "start",
    column: "ms to /health",
    target: 300,
  }),
  alone("start from source", "memory when idle, MB", {
    part: "start",
    column: "idle MB",
    target: 110,
  }),
  alone("2 workers over 1", "requests a second, times", {
    part: "workers",
    column: "ratio",
    target: 1.6,
    atLeast: true,
  }),
  alone("2 workers over 1", "the same by CPU a request", {
    part: "workers",
    column: "ratio by CPU",
    target: 1.6,
    atLeast: true,
  }),
  alone("spend and limit checks", "CPU, times that without", {
    part: "checks",
    column: "ratio",
    target: 1.1,
  }),
  alone("spend and limit checks", "store calls a request", {
    part: "checks",
    column: "store calls a request",
    target: 0,
  }),
];

function measuredOf({ part, row, column }: Target, { parts }: Results): number | undefined {
  const found = parts[part]?.find((figures) =>
    row === undefined || Object.values(figures)[0] === row
  );
  const value = found?.[column];
  return typeof value === "number" ? value : undefined;
}

/** A Markdown table as `deno fmt` writes it: the columns are filled up. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const width = rows[0]?.length ?? 0;
  const widths = Array.from(
    { length: width },
    (_, at) => Math.max(3, ...rows.map((row) => row[at]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`;
  const [head = [], ...body] = rows;
  const rule = widths.map((size) => "-".repeat(size));
  return [line(head), line(rule), ...body.map(line)].join("\n");
}

/** The targets as a table, and where it was measured. */
export function targetsMarkdown(results: Results): string {
  const { date, machine, deno, v8, rounds } = results;
  const rows = TARGETS.map((target) => {
    const measured = measuredOf(target, results);
    const { target: wanted, atLeast = false } = target;
    const met = measured !== undefined && (atLeast ? measured >= wanted : measured <= wanted);
    return [
      target.scenario,
      target.what,
      measured === undefined ? "?" : String(measured),
      `${atLeast ? ">=" : "<="} ${wanted}`,
      met ? "yes" : "no",
    ];
  });
  const table = markdownTable([["scenario", "figure", "measured", "target", "met"], ...rows]);
  return `Measured ${date} on ${machine.cores} cores of ${machine.cpu}, Deno ${deno} (V8 ${v8}); medians of ${rounds} rounds.\n\n${table}`;
}

const BEGIN = "<!-- bench: written by `deno task bench` -->";
const END = "<!-- bench: end -->";

/**
 * The README with this run's table in it.
 *
 * @throws {SyntaxError} If it has no place for one
 */
export function withTargets(readme: string, results: Results): string {
  const [from, to] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (from < 0 || to < from) {
    throw new SyntaxError(`Cannot write the table as README.md must hold '${BEGIN}' and '${END}'`);
  }
  const before = readme.slice(0, from + BEGIN.length);
  return `${before}\n\n${targetsMarkdown(results)}\n\n${readme.slice(to)}`;
}
