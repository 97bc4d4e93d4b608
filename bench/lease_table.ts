/**
 * The tables of `docs/scale.md`, which `deno task leases` writes and a test compares.
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

/** Any line of a table. */
type Row = Readonly<Record<string, string | number>>;

/**
 * The page with a table in its place.
 *
 * @param name Which: it stands between `<!-- name -->` and `<!-- end of name -->`
 */
export function withTable<T extends { readonly [K in keyof T]: string | number }>(
  page: string,
  name: string,
  rows: readonly T[],
): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
  const [before, rest = ""] = page.split(begin);
  const after = rest.split(end)[1];
  if (before === undefined || after === undefined) {
    throw new Error(
      `Cannot find the table of docs/scale.md as it must stand between ${begin} and ${end}`,
    );
  }
  return `${before}${begin}\n\n${table(rows.map((row) => ({ ...row })))}\n\n${end}${after}`;
}

/** The table as Markdown. */
function table(rows: readonly Row[]): string {
  const names = Object.keys(rows[0] ?? {});
  const lines = [
    names,
    names.map(() => "---"),
    ...rows.map((row) => names.map((name) => row[name])),
  ];
  return lines.map((cells) => `| ${cells.map(String).join(" | ")} |`).join("\n");
}
