/**
 * The head of an HTTP/1.1 answer, and how its body is delimited.
 *
 * Source: RFC 9112, HTTP/1.1, sections 4 to 6 and 9.
 * @module
 */

/** How a body ends: there is none, after so many bytes, with its last chunk, or with the connection. */
export type Framing = number | "chunked" | "close";

/** A head, read. */
export interface ResponseHead {
  /** Status. */
  readonly status: number;
  /** Values by name in small letters; of a name that comes twice, joined by a comma. */
  readonly headers: ReadonlyMap<string, string>;
  /** How the body ends. */
  readonly framing: Framing;
  /** Whether another request may be sent on the connection. */
  readonly keepAlive: boolean;
}

/** Bytes of an answer that are not HTTP as we know it. */
export class HttpSyntaxError extends Error {
  /** Always `HttpSyntaxError`. */
  override readonly name = "HttpSyntaxError";
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: |$)/;

function headersOf(lines: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>();
  for (let at = 1; at < lines.length; at++) {
    const line = lines[at] ?? "";
    const colon = line.indexOf(":");
    // A line that goes on with white space is obsolete, and a way to hide a header from one of two readers.
    if (colon < 1 || line.startsWith(" ") || line.startsWith("\t")) {
      throw new HttpSyntaxError("Cannot read a header line that must be 'name: value'");
    }
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return headers;
}

function framingOf(status: number, headers: ReadonlyMap<string, string>): Framing {
  if (status === 204 || status === 304) return 0;
  const encoding = headers.get("transfer-encoding");
  if (encoding !== undefined) {
    if (encoding.toLowerCase() === "chunked") return "chunked";
    throw new HttpSyntaxError(
      "Cannot read a body whose transfer-encoding must be chunked: it is another",
    );
  }
  const length = headers.get("content-length");
  if (length === undefined) return "close";
  if (/^\d{1,15}$/.test(length)) return Number(length);
  throw new HttpSyntaxError(
    "Cannot read a body whose content-length must be one number: it is none",
  );
}

/**
 * Reads a head, without the empty line at its end.
 *
 * @throws {HttpSyntaxError} If it is none, or delimits its body in a way that could be read in two
 */
export function parseHead(text: string): ResponseHead {
  const lines = text.split("\r\n");
  const [, minor, digits] = STATUS_LINE.exec(lines[0] ?? "") ?? [];
  if (digits === undefined) {
    throw new HttpSyntaxError("Cannot read an answer that must begin with HTTP/1.1 and a status");
  }
  const headers = headersOf(lines);
  const status = Number(digits);
  const framing = framingOf(status, headers);
  const connection = headers.get("connection")?.toLowerCase();
  const lasts = minor === "1" ? connection !== "close" : connection === "keep-alive";
  const twoLengths = framing === "chunked" && headers.has("content-length");
  return { status, headers, framing, keepAlive: lasts && framing !== "close" && !twoLengths };
}
