/**
 * Outcrop with Deno KV, whose calls are counted. Prints its key; a line on stdin is answered by a line that tells
 * the calls so far.
 *
 * Arguments: port, upstream, a folder for database and journal, and `default` for the pipeline of a configuration that
 * names none, `limits` for the same with limits that are set but never reached, `none` for no plugins, or a list of
 * their names.
 * @module
 */
import { openGateway } from "../src/cli/gateway.ts";
import { parseConfig } from "../src/config/load.ts";
import { openLog } from "../src/log.ts";
import { startServer } from "../src/server/server.ts";

const [port, upstream, folder, kind = "default"] = Deno.args;
/** The pipeline of a configuration that names none. */
const CHECKS = ["auth", "rate_limit", "budget", "tier", "prompt_cache", "usage"];
const PLENTY = 1_000_000_000;
const LIMITS = ["requests_per_minute", "input_tokens_per_minute", "output_tokens_per_minute"]
  .map((name) => `${name}: ${PLENTY}`).join(", ");

function pluginsOf(name: string): string {
  if (name === "none") return "plugins: []";
  if (name === "default") return "";
  const names = name === "limits" ? CHECKS : name.split(",");
  const entries = names.map((use) =>
    use === "rate_limit" && name === "limits"
      ? `{ use: ${use}, with: { ${LIMITS}, concurrency: 100000 } }`
      : `{ use: ${use} }`
  );
  return `plugins: [${entries.join(", ")}]`;
}

const config = `
aws: { endpoint: "${upstream}" }
models:
  aliases:
    one-by-one: { model: anthropic.one-by-one }
    slow: { model: anthropic.slow }
    stalled: { model: anthropic.stalled }
    over-messages: { model: anthropic.claude-haiku-4-5-20251001-v1:0, route: messages }
    over-messages-one-by-one: { model: anthropic.one-by-one, route: messages }
    converse-one-by-one: { model: qwen.one-by-one }
store: { use: deno_kv, path: ./outcrop.db }
${pluginsOf(kind)}
`;
const env = () => undefined;
let calls = 0;
const openKv = Deno.openKv;
const counted = async (path?: string) =>
  new Proxy(await openKv(path), {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return (...args: unknown[]) => {
        calls++;
        return Reflect.apply(member, target, args);
      };
    },
  });
Object.defineProperty(Deno, "openKv", { value: counted });
const gateway = await openGateway({
  loaded: parseConfig(config, { file: `${folder}/bench.yaml`, env }),
  log: openLog({ level: "warning", format: "text" }),
  env,
  provider: () => Promise.resolve({ accessKeyId: "AKIDBENCH", secretAccessKey: "bench" }),
});
startServer(gateway, { hostname: "127.0.0.1", port: Number(port) });
const limits = { requests_per_minute: PLENTY, concurrency: 100_000 };
const { key } = await gateway.keys.create(
  kind === "limits"
    ? { name: "bench", limits, budget: { usd: PLENTY, per: "month" } }
    : { name: "bench" },
);

function tell(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
tell(key);
for await (const _ of Deno.stdin.readable) tell(String(calls));
