/**
 * What people see: the only place that writes to stdout and stderr.
 * @module
 */
import { cell, shown, widthOf } from "./cells.ts";

const encoder = new TextEncoder();

function write(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = encoder.encode(text);
  let written = 0;
  while (written < bytes.length) written += stream.writeSync(bytes.subarray(written));
}

/** Writes to the terminal. */
export const terminal = {
  /** A line on stdout: what a command was asked for. */
  out(line: string): void {
    write(Deno.stdout, `${line}\n`);
  },
  /** Text on stdout without a line end: an answer as it comes. */
  part(text: string): void {
    write(Deno.stdout, text);
  },
  /** A line on stderr: progress, warnings, errors. */
  err(line: string): void {
    write(Deno.stderr, `${line}\n`);
  },
};

/** Columns the terminal has; `$COLUMNS` or 100 where there is none. */
export function terminalWidth(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    const told = Number(Deno.env.get("COLUMNS")); // no terminal: a pipe or a file
    return Number.isSafeInteger(told) && told > 0 ? told : 100;
  }
}

/** Below this a text is cut no further. */
const NARROWEST = 8;
const GAP = "  ";

interface Column {
  readonly heading: string;
  readonly cells: readonly string[];
  readonly numeric: boolean;
  /** Columns that it takes whole. */
  readonly natural: number;
  /** Columns that it takes at least. */
  readonly least: number;
}

function columnOf(heading: string, rows: readonly Row[], whole: readonly string[]): Column {
  const cells = rows.map((row) => shown(String(row[heading] ?? "")));
  const natural = Math.max(widthOf(heading), ...cells.map(widthOf));
  return {
    heading: heading.toUpperCase(),
    cells,
    numeric: rows.every((row) => typeof row[heading] === "number"),
    natural,
    least: whole.includes(heading) ? natural : Math.min(natural, NARROWEST),
  };
}

function sum(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total + size, 0);
}

/** Takes from the widest until the table fits; in vain below what each takes at least. */
function fit(columns: readonly Column[], room: number): number[] {
  const widths = columns.map(({ natural }) => natural);
  while (sum(widths) > room) {
    const open = widths.filter((width, at) => width > (columns[at]?.least ?? 0));
    if (open.length === 0) break;
    const widest = Math.max(...open);
    const at = widths.findIndex((width, at) =>
      width === widest && width > (columns[at]?.least ?? 0)
    );
    widths[at] = widest - 1;
  }
  return widths;
}

/** A row of a table: text by column heading. */
export type Row = Readonly<Record<string, string | number>>;

/** How a table gives way where there is little room. */
export interface TableOptions {
  /** Headings of columns that are not cut. */
  readonly whole?: readonly string[];
  /** Headings of columns that are left out, first to last, until the others fit. */
  readonly spare?: readonly string[];
}

/**
 * An aligned table that fits the terminal: numbers to the right, long texts cut with `…`.
 *
 * @param width Columns there are. Default: the terminal's
 */
export function table(
  rows: readonly Row[],
  width: number = terminalWidth(),
  { whole = [], spare = [] }: TableOptions = {},
): string {
  const [first] = rows;
  if (first === undefined) return "(none)";
  const left = [...spare];
  let columns = Object.keys(first).map((heading) => columnOf(heading, rows, whole));
  const room = () => width - GAP.length * (columns.length - 1);
  while (left.length > 0 && sum(columns.map(({ least }) => least)) > room()) {
    const given = left.shift()?.toUpperCase();
    columns = columns.filter(({ heading }) => heading !== given);
  }
  const widths = fit(columns, room());
  const line = (texts: readonly string[]) =>
    texts.map((text, at) => cell(text, widths[at] ?? 0, columns[at]?.numeric)).join(GAP).trimEnd();
  return [
    line(columns.map(({ heading }) => heading)),
    ...rows.map((_, row) => line(columns.map(({ cells }) => cells[row] ?? ""))),
  ].join("\n");
}
