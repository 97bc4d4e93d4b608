/**
 * The table of `docs/scale.md` that tells what the simulation of leases came to.
 * @module
 */

/** One line: figures a second, of the time measured. */
export interface LeaseRow {
  /** Which fleet. */
  readonly fleet: string;
  /** Requests that are asked for. */
  readonly "req/s": number;
  /** Workers or machines. */
  readonly replicas: number;
  /** Keys that ask. */
  readonly keys: number;
  /** Replicas that one key comes to. */
  readonly "replicas a key": number;
  /** Of what was asked for; or of what the limit lets through, where that is less. */
  readonly "admitted %": string;
  /** Requests that waited for the store. */
  readonly "waited %": string;
  /** Reads of the store. */
  readonly "reads/s": number;
  /** Writes of the store. */
  readonly "writes/s": number;
  /** Reads and writes of a request. */
  readonly "calls a request": string;
  /** Read units of DynamoDB. */
  readonly "read units a request": string;
  /** Write units of DynamoDB, with those of lost races. */
  readonly "write units a request": string;
  /** Reads and writes of a key at one replica. */
  readonly "calls/s of a key and replica": string;
  /** Writes that others came before. */
  readonly "lost races %": string;
  /** Writes of the entry that is written most. */
  readonly "writes/s of the hottest entry": number;
}

const BEGIN = "<!-- leases -->";
const END = "<!-- end of leases -->";

/** The page with this table in its place. */
export function withLeaseTable(page: string, rows: readonly LeaseRow[]): string {
  const [before, rest = ""] = page.split(BEGIN);
  const after = rest.split(END)[1];
  if (before === undefined || after === undefined) {
    throw new Error(
      `Cannot find the table of docs/scale.md as it must stand between ${BEGIN} and ${END}`,
    );
  }
  return `${before}${BEGIN}\n\n${table(rows)}\n\n${END}${after}`;
}

/** The table as Markdown. */
function table(rows: readonly LeaseRow[]): string {
  const names = Object.keys(rows[0] ?? {}) as (keyof LeaseRow)[];
  const lines = [
    names,
    names.map(() => "---"),
    ...rows.map((row) => names.map((name) => row[name])),
  ];
  return lines.map((cells) => `| ${cells.map(String).join(" | ")} |`).join("\n");
}
