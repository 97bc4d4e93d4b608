/**
 * HTTP as bytes on a connection: what no well-behaved client would send.
 * @module
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What came back on a connection. */
export interface RawAnswer {
  /** Status; 0 when the connection ended without one. */
  readonly status: number;
  /** Head. */
  readonly head: string;
  /** Body, with whatever frames it. */
  readonly body: string;
}

/** Takes an answer apart. */
export function parseRaw(text: string): RawAnswer {
  const end = text.indexOf("\r\n\r\n");
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0),
    head: end < 0 ? text : text.slice(0, end),
    body: end < 0 ? "" : text.slice(end + 4),
  };
}

/** Opens a connection to a server's base URL. */
export async function connect(url: string): Promise<Deno.TcpConn> {
  const { hostname, port } = new URL(url);
  return await Deno.connect({ hostname, port: Number(port) });
}

/** Writes all of it; a server that has closed already takes no more. */
export async function write(connection: Deno.Conn, data: string | Uint8Array): Promise<void> {
  const bytes = typeof data === "string" ? encoder.encode(data) : data;
  try {
    for (let at = 0; at < bytes.byteLength;) at += await connection.write(bytes.subarray(at));
  } catch (error) {
    if (!isClosed(error)) throw error;
  }
}

function isClosed(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset;
}

async function closeWrite(connection: Deno.Conn): Promise<void> {
  try {
    await connection.closeWrite();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotConnected) && !isClosed(error)) throw error;
  }
}

/** Reads until the text satisfies `enough`, or the connection ends. */
export async function readUntil(
  connection: Deno.Conn,
  enough: (text: string) => boolean,
): Promise<string> {
  const buffer = new Uint8Array(65_536);
  let text = "";
  while (!enough(text)) {
    let read: number | null;
    try {
      read = await connection.read(buffer);
    } catch (error) {
      if (!isClosed(error)) throw error;
      read = null;
    }
    if (read === null) break;
    text += decoder.decode(buffer.subarray(0, read), { stream: true });
  }
  return text;
}

/**
 * Sends one request that says `connection: close`, and reads all that comes back.
 *
 * @param options.half Whether to say that no more comes: what is unfinished then ends too
 */
export async function raw(
  url: string,
  data: string | Uint8Array,
  options: { half?: boolean } = {},
): Promise<RawAnswer> {
  const connection = await connect(url);
  try {
    const sent = write(connection, data).then(async () => {
      if (options.half === true) await closeWrite(connection);
    });
    const text = await readUntil(connection, () => false);
    await sent;
    return parseRaw(text);
  } finally {
    connection.close();
  }
}
