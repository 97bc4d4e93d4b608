/**
 * Texts in the cells of tables: how wide they are, cut, filled up, and free of what would move a cursor.
 * @module
 */

/** Characters that take two columns: East Asian wide and full-width ones, and emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|[\u{20000}-\u{3fffd}]/u;
/** Marks that stand on the character before them. */
const NO_WIDTH = /^\p{M}$/u;
const ASCII = /^[\x20-\x7e]*$/;

function columnsOf(character: string): number {
  return NO_WIDTH.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
}

/** Columns that a text takes in a terminal. */
export function widthOf(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += columnsOf(character);
  return width;
}

/** Names are other people's words: what would move a terminal's cursor, or hide, is not shown. */
export function shown(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "?");
}

/** The text where it fits, else its beginning and `…`. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let [kept, room] = ["", Math.max(width, 1) - 1];
  for (const character of text) {
    room -= columnsOf(character);
    if (room < 0) break;
    kept += character;
  }
  return `${kept}…`;
}

/** The text, cut or filled up to a width; `right` puts it at the right. */
export function cell(text: string, width: number, right: boolean = false): string {
  const fitted = cut(text, width);
  const filling = " ".repeat(Math.max(width - widthOf(fitted), 0));
  return right ? filling + fitted : fitted + filling;
}

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** A bar of a share between 0 and 1, in eighths of a column; what is more than nothing is seen. */
export function bar(share: number, width: number): string {
  if (share <= 0) return "";
  const eighths = Math.max(1, Math.round(Math.min(share, 1) * width * 8));
  return "█".repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? "");
}

/** Local time of an ISO time, to the minute; empty for none. */
export function localTime(iso: string | undefined): string {
  return iso === undefined ? "" : new Date(iso).toLocaleString("sv").slice(0, 16);
}
