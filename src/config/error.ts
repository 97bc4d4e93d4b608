/**
 * What is wrong with a configuration, and where.
 * @module
 */

/** One fault. */
export interface ConfigIssue {
  /** The file, as it was named. */
  file: string;
  /** Line, from 1. */
  line: number;
  /** Column, from 1. */
  column: number;
  /** Keys from the top, joined by dots; empty for the file as a whole. */
  path: string;
  /** What is wrong, and what was expected. */
  message: string;
}

function lineOf({ file, line, column, path, message }: ConfigIssue): string {
  return `${file}:${line}:${column} ${path === "" ? "" : `${path}: `}${message}`;
}

/** A configuration that cannot be used. Its message has a line `file:line:column path: …` for each fault. */
export class ConfigError extends Error {
  /** Always `ConfigError`. */
  override readonly name = "ConfigError";
  /** Every fault, in the order of the file. */
  readonly issues: readonly ConfigIssue[];

  /** At least one issue. */
  constructor(issues: readonly ConfigIssue[], options: { cause?: unknown } = {}) {
    const sorted = issues.toSorted((a, b) => a.line - b.line || a.column - b.column);
    super(sorted.map(lineOf).join("\n"), options);
    this.issues = sorted;
  }
}
