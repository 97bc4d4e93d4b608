/**
 * Durations as people write them.
 * @module
 */

const UNITS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

const FORMS = "30s, 15m, 12h, 90d or 4w";

/**
 * Milliseconds of `30s`, `15m`, `12h`, `90d` or `4w`.
 *
 * @throws {SyntaxError} If it is none of them
 */
export function parseDuration(text: string): number {
  const match = /^(\d{1,6})([smhdw])$/.exec(text.trim());
  const unit = UNITS[match?.[2] ?? ""];
  const count = Number(match?.[1]);
  if (unit === undefined || !(count > 0)) {
    throw new SyntaxError(`Cannot read a duration as it must be like ${FORMS}: it is '${text}'`);
  }
  return count * unit;
}

/**
 * Unix milliseconds of a duration from `now`, or of an ISO time that lies after it.
 *
 * @throws {SyntaxError} If it is neither
 * @throws {RangeError} If the time has passed
 */
export function parseExpiry(text: string, now: number): number {
  if (!/^\d{4}-/.test(text)) return now + parseDuration(text);
  const at = Date.parse(text);
  if (Number.isNaN(at)) {
    throw new SyntaxError(
      `Cannot read a time as it must be ISO 8601 or a duration like ${FORMS}: it is '${text}'`,
    );
  }
  if (at <= now) throw new RangeError(`Cannot use a time that must lie ahead: ${text} has passed`);
  return at;
}
