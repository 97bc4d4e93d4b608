/**
 * Verifies the chain of an audit log that `audit_log.ts` wrote:
 *
 *     deno run --allow-read examples/plugins/verify_audit_log.ts audit.jsonl [HASH]
 *
 * Says how many lines there are and the hash of the last; note it elsewhere, and give it the next time: lines that
 * were cut off the end leave a chain that is whole, and only that hash tells. Exit code 1 where the chain is broken.
 *
 * @module
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What a look at an audit log came to. */
export type Verdict =
  | { readonly whole: true; readonly lines: number; readonly hash: string }
  | { readonly whole: false; readonly line: number; readonly why: string };

async function sha256(text: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text))).toHex();
}

async function faultOf(line: string, seq: number, prev: string): Promise<string | undefined> {
  let row: { seq?: unknown; prev?: unknown; hash?: unknown };
  try {
    row = JSON.parse(line);
  } catch {
    return "it is no JSON"; // whatever was there is not any more
  }
  const { hash, ...chained } = row;
  if (row.seq !== seq) return `its number must be ${seq}: it is ${row.seq}`;
  if (row.prev !== prev) return "it does not follow the line before it";
  const same = JSON.stringify(row) === line && await sha256(JSON.stringify(chained)) === hash;
  return same ? undefined : "it was changed";
}

/** Follows the chain through the text of a log. */
export async function verifyAuditLog(
  lines: AsyncIterable<string>,
  known?: string,
): Promise<Verdict> {
  let [count, hash, seen] = [0, "0".repeat(64), known === undefined];
  for await (const line of lines) {
    const why = await faultOf(line, count + 1, hash);
    if (why !== undefined) return { whole: false, line: count + 1, why };
    hash = JSON.parse(line).hash;
    seen ||= hash === known;
    count++;
  }
  if (!seen) return { whole: false, line: count + 1, why: "the line with the given hash is gone" };
  return { whole: true, lines: count, hash };
}

/** The lines of a file; a last one that is not whole is a line too. */
export async function* linesOf(path: string): AsyncIterable<string> {
  using file = await Deno.open(path);
  let rest = "";
  const chunk = new Uint8Array(65_536);
  for (let size = await file.read(chunk); size !== null; size = await file.read(chunk)) {
    const lines = (rest + decoder.decode(chunk.subarray(0, size), { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

if (import.meta.main) {
  const [path, known] = Deno.args;
  const say = (text: string) => Deno.stdout.writeSync(encoder.encode(`${text}\n`));
  if (path === undefined) {
    say("Give the audit log: deno run --allow-read verify_audit_log.ts audit.jsonl [HASH]");
    Deno.exit(2);
  }
  const verdict = await verifyAuditLog(linesOf(path), known);
  if (!verdict.whole) {
    say(`${path}:${verdict.line} breaks the chain: ${verdict.why}`);
    Deno.exit(1);
  }
  say(`${path} is whole: ${verdict.lines} lines, the last is ${verdict.hash}`);
}
