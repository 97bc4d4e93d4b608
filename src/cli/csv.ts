/**
 * Tables for spreadsheets.
 * @module
 */

/** A cell: null and undefined are empty. */
export type CsvCell = string | number | null | undefined;

function csvCell(value: CsvCell): string {
  const text = value === null || value === undefined ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** CSV by RFC 4180: quotes where they are needed, lines that end in CRLF. */
export function csv(rows: readonly (readonly CsvCell[])[]): string {
  return rows.map((cells) => `${cells.map(csvCell).join(",")}\r\n`).join("");
}
