/**
 * `audit_log`: a line for each request, in a file to which is only ever added. Each line holds the hash of the one
 * before it, so that whoever changes, removes or inserts a line breaks the chain:
 * `deno run --allow-read examples/plugins/verify_audit_log.ts audit.jsonl` tells where.
 *
 * No line, no service: the end of an answer waits for its line, and while the file cannot be written requests are
 * refused. Neither prompts nor answers nor keys are in it. Several processes, and workers of one, may share the file.
 *
 * ```yaml
 * plugins:
 *   - use: auth
 *   - use: ./examples/plugins/audit_log.ts
 *     with: { file: /var/log/outcrop/audit.jsonl }
 * ```
 *
 * @module
 */
import type { CompleteContext, PluginFactory } from "../../src/pipeline/plugin.ts";

/** What the first line is chained to. */
const BEGINNING = "0".repeat(64);
/** Longer than any line: what must be read of a file to see its last one. */
const LONGEST_LINE = 16_384;
const LONGEST_TEXT = 300;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

async function sha256(text: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text))).toHex();
}

function short(text: string | undefined): string | null {
  return text === undefined ? null : text.slice(0, LONGEST_TEXT);
}

function rowOf(ctx: CompleteContext) {
  const { principal, served, billed } = ctx;
  return {
    at: new Date(ctx.startedAt).toISOString(),
    request: ctx.id,
    endpoint: ctx.endpoint,
    key: principal?.id ?? null,
    user: short(principal?.key?.user),
    team: short(principal?.key?.team),
    model: short(ctx.model),
    served: served?.modelId ?? null,
    outcome: ctx.outcome,
    status: ctx.status,
    error: ctx.error?.type ?? null,
    input_tokens: billed?.usage.input_tokens ?? 0,
    output_tokens: billed?.usage.output_tokens ?? 0,
    cost_usd: billed?.cost_usd ?? 0,
  };
}

interface Tail {
  readonly seq: number;
  readonly hash: string;
}

/** The file, which others may write too. */
class AuditFile {
  readonly #file: Deno.FsFile;
  /** The last line as we know it, and where it ended. */
  #tail: Tail & { readonly size: number } = { seq: 0, hash: BEGINNING, size: 0 };

  constructor(path: string) {
    this.#file = Deno.openSync(path, { read: true, append: true, create: true });
  }

  async append(row: object): Promise<void> {
    await this.#file.lock(true);
    try {
      const { size } = await this.#file.stat();
      const { seq, hash } = size === this.#tail.size ? this.#tail : await this.#readTail(size);
      const chained = { seq: seq + 1, ...row, prev: hash };
      const own = await sha256(JSON.stringify(chained));
      const bytes = encoder.encode(`${JSON.stringify({ ...chained, hash: own })}\n`);
      for (let done = 0; done < bytes.byteLength;) {
        done += await this.#file.write(bytes.subarray(done));
      }
      await this.#file.syncData();
      this.#tail = { seq: seq + 1, hash: own, size: size + bytes.byteLength };
    } finally {
      await this.#file.unlock();
    }
  }

  async #readTail(size: number): Promise<Tail> {
    if (size === 0) return { seq: 0, hash: BEGINNING };
    const bytes = new Uint8Array(Math.min(size, LONGEST_LINE));
    await this.#file.seek(size - bytes.byteLength, Deno.SeekMode.Start);
    for (let done = 0; done < bytes.byteLength;) {
      done += await this.#file.read(bytes.subarray(done)) ?? bytes.byteLength;
    }
    const lines = decoder.decode(bytes).split("\n");
    if (lines.pop() !== "") {
      throw new Error("Cannot go on with the audit log as its last line must be whole: it is cut");
    }
    const { seq, hash } = JSON.parse(lines.at(-1) ?? "") as Tail;
    return { seq, hash };
  }

  close(): void {
    this.#file.close();
  }
}

/** The plugin. */
const auditLog: PluginFactory = ({ define, z }) =>
  define({
    name: "audit_log",
    schema: z.strictObject({
      file: z.string().min(1).describe("The file; relative to where the program was started."),
    }),
    requires: ["auth"],
    holdsReply: true,
    setup({ file }, host) {
      const audit = new AuditFile(file);
      let turn: Promise<void> = Promise.resolve();
      let failed: unknown;
      const append = (row: object): Promise<void> => {
        turn = turn.then(() => audit.append(row)).then(
          () => void (failed = undefined),
          (error: unknown) => {
            failed = error;
            host.log.error("The audit log takes no line: requests are refused until it does", {
              cause: String(error),
            });
          },
        );
        return turn;
      };
      return {
        async onRequest(ctx) {
          if (failed === undefined) return;
          await append({ at: new Date(host.clock.now()).toISOString(), event: "written again" });
          if (failed === undefined) return;
          return ctx.reject(
            "api_error",
            "The gateway cannot write its audit log: try again later",
            {
              headers: { "retry-after": "30" },
            },
          );
        },
        onComplete: (ctx) => append(rowOf(ctx)),
        async close() {
          await turn;
          audit.close();
        },
      };
    },
  });

export default auditLog;
