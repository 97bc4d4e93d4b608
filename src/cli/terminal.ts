/**
 * What people see: the only place that writes to stdout and stderr.
 * @module
 */

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

/** Columns the terminal has; 100 where there is none. */
export function terminalWidth(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return 100; // no terminal: a pipe or a file
  }
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(width - 1, 0))}…`;
}

/** Takes columns from the widest until the table fits. */
function fit(widths: number[], room: number): number[] {
  const fitted = [...widths];
  const total = () => fitted.reduce((sum, width) => sum + width, 0);
  while (total() > room) {
    const widest = Math.max(...fitted);
    if (widest <= 8) break;
    fitted[fitted.indexOf(widest)] = widest - 1;
  }
  return fitted;
}

/** A row of a table: text by column heading. */
export type Row = Readonly<Record<string, string | number>>;

/**
 * An aligned table that fits the terminal: numbers to the right, long texts cut with `…`.
 *
 * @param width Columns there are. Default: the terminal's
 */
export function table(rows: readonly Row[], width: number = terminalWidth()): string {
  const [first] = rows;
  if (first === undefined) return "(none)";
  const headings = Object.keys(first);
  const cells = rows.map((row) => headings.map((heading) => String(row[heading] ?? "")));
  const numeric = headings.map((heading) => rows.every((row) => typeof row[heading] === "number"));
  const natural = headings.map((heading, column) =>
    Math.max(heading.length, ...cells.map((row) => row[column]?.length ?? 0))
  );
  const widths = fit(natural, width - 2 * (headings.length - 1));
  const line = (texts: readonly string[]) =>
    texts.map((text, column) => {
      const size = widths[column] ?? 0;
      const shown = cut(text, size);
      return numeric[column] ? shown.padStart(size) : shown.padEnd(size);
    }).join("  ").trimEnd();
  return [line(headings.map((heading) => heading.toUpperCase())), ...cells.map(line)].join("\n");
}
