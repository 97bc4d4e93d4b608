/**
 * Usage as a table for people, and as CSV for spreadsheets.
 * @module
 */
import { bar, cell, shown, widthOf } from "./cells.ts";
import { csv } from "./csv.ts";
import { terminalWidth } from "./terminal.ts";

/** What requests came to. */
export interface Sums {
  /** Requests, refused ones too. */
  requests: number;
  /** Tokens neither read from nor written to the cache. */
  input_tokens: number;
  /** Tokens of answers. */
  output_tokens: number;
  /** Tokens read from the cache. */
  cache_read_input_tokens: number;
  /** Tokens written to the cache, for whatever life. */
  cache_creation_input_tokens: number;
  /** Nano-dollars. */
  nano_usd: number;
}

/** What those requests came to that have something in common. */
export interface UsageRow extends Sums {
  /** What they have in common, by column; null = none. */
  readonly names: readonly (string | null)[];
}

const NANO_PER_USD = 1_000_000_000;
const GAP = "  ";
const NARROWEST_BAR = 5;
const WIDEST_BAR = 24;
const NARROWEST_NAME = 8;

/** A count in at most six characters: whole below 100,000, then with three digits and a unit. */
function brief(count: number): string {
  if (count < 100_000) return String(count);
  for (const [unit, size] of [["k", 1e3], ["M", 1e6], ["G", 1e9]] as const) {
    const scaled = count / size;
    if (scaled < 999.5) {
      return `${scaled.toFixed(scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0)}${unit}`;
    }
  }
  return `${(count / 1e12).toFixed(2)}T`;
}

/** As many decimals for all as the total needs to tell something. */
function decimalsFor(total: number): number {
  return total >= 10 * NANO_PER_USD ? 2 : total >= NANO_PER_USD / 10 ? 4 : 6;
}

/** Columns of figures, those that people can do without first to last. */
const FIGURES = [
  { heading: "REQUESTS", of: (sums: Sums) => brief(sums.requests) },
  { heading: "INPUT", of: (sums: Sums) => brief(sums.input_tokens), spare: 3 },
  { heading: "OUTPUT", of: (sums: Sums) => brief(sums.output_tokens), spare: 4 },
  { heading: "READ", of: (sums: Sums) => brief(sums.cache_read_input_tokens), spare: 2 },
  { heading: "WRITTEN", of: (sums: Sums) => brief(sums.cache_creation_input_tokens), spare: 1 },
];

interface Figures {
  readonly texts: readonly string[];
  readonly width: number;
  /** Lower goes first where there is no room; absent = stays. */
  readonly spare?: number | undefined;
}

/** Columns of figures that fit beside names of the least width. */
function figuresOf(lines: readonly Sums[], decimals: number, room: number): Figures[] {
  const cost = {
    heading: "COST",
    of: ({ nano_usd }: Sums) => `$${(nano_usd / NANO_PER_USD).toFixed(decimals)}`,
    spare: undefined,
  };
  let columns: Figures[] = [...FIGURES, cost].map(({ heading, of, spare }) => {
    const texts = [heading, ...lines.map(of)];
    return { texts, width: Math.max(...texts.map(({ length }) => length)), spare };
  });
  for (let spare = 1; spare <= FIGURES.length && takenBy(columns) > room; spare++) {
    columns = columns.filter((column) => column.spare !== spare);
  }
  return columns;
}

function takenBy(columns: readonly Figures[]): number {
  return sum(columns.map(({ width }) => width + GAP.length));
}

/**
 * A table of rows and their total, aligned, no wider than there is room.
 *
 * Names give way first, from the last column; then figures of less weight are left out. The bar takes what is left.
 *
 * @param headings Of the columns of names
 * @param width Columns there are. Default: the terminal's
 */
export function usageTable(
  rows: readonly UsageRow[],
  totals: Sums,
  { headings, width = terminalWidth() }: { headings: readonly string[]; width?: number },
): string {
  const names = [
    headings.map((heading) => heading.toUpperCase()),
    ...rows.map(({ names }) =>
      headings.map((_, column) => shown(names[column] ?? (column === 0 ? "(none)" : "")))
    ),
    headings.map((_, column) => column === 0 ? "total" : ""),
  ];
  const natural = headings.map((_, column) =>
    Math.max(...names.map((line) => widthOf(line[column] ?? "")))
  );
  const least = sum(natural.map((size) => Math.min(size, NARROWEST_NAME) + GAP.length)) -
    GAP.length;
  const figures = figuresOf([...rows, totals], decimalsFor(totals.nano_usd), width - least);
  const taken = takenBy(figures);
  const nameWidths = fit(natural, width - taken - GAP.length - NARROWEST_BAR);
  const left = width - taken - sum(nameWidths) - GAP.length * nameWidths.length;
  const barWidth = Math.min(WIDEST_BAR, left);
  const most = Math.max(...rows.map(({ nano_usd }) => nano_usd));
  const lines = names.map((cells, line) => {
    const row = rows[line - 1];
    const share = row === undefined || most === 0 ? 0 : row.nano_usd / most;
    return [
      ...cells.map((text, column) => cell(text, nameWidths[column] ?? 0)),
      ...figures.map(({ texts, width }) => cell(texts[line] ?? "", width, true)),
      barWidth < NARROWEST_BAR ? "" : bar(share, barWidth),
    ].join(GAP).trimEnd();
  });
  return lines.join("\n");
}

function sum(sizes: readonly number[]): number {
  return sizes.reduce((all, size) => all + size, 0);
}

/** Takes from the last columns until all fit. */
function fit(widths: readonly number[], room: number): number[] {
  const fitted = [...widths];
  for (let column = fitted.length - 1; column >= 0; column--) {
    const over = sum(fitted) + GAP.length * (fitted.length - 1) - room;
    const width = fitted[column] ?? 0;
    if (over > 0) fitted[column] = Math.max(Math.min(width, NARROWEST_NAME), width - over);
  }
  return fitted;
}

/** Dollars of nano-dollars, exact and without an exponent. */
function exactUsd(nano: number): string {
  const digits = String(nano).padStart(10, "0");
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`.replace(/\.?0+$/, "");
}

/** Rows as CSV, with a header. */
export function usageCsv(columns: readonly string[], rows: readonly UsageRow[]): string {
  const lines = rows.map((row) => [
    ...columns.map((_, column) => row.names[column] ?? null),
    row.requests,
    row.input_tokens,
    row.output_tokens,
    row.cache_read_input_tokens,
    row.cache_creation_input_tokens,
    exactUsd(row.nano_usd),
  ]);
  const header = [
    ...columns,
    "requests",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cost_usd",
  ];
  return csv([header, ...lines]);
}
