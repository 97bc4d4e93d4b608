/**
 * Outcrop as it is by default, with an embedded store; prints its key.
 * @module
 */
import { openGateway } from "../src/cli/gateway.ts";
import { parseConfig } from "../src/config/load.ts";
import { openLog } from "../src/log.ts";
import { startServer } from "../src/server/server.ts";

const [port, upstream] = Deno.args;
const env = () => undefined;
const text = `aws: { endpoint: "${upstream}" }\nstore: { use: deno_kv, path: ":memory:" }\n` +
  'models: { aliases: { one-by-one: { model: "anthropic.one-by-one" } } }\n';
const gateway = await openGateway({
  loaded: parseConfig(text, { file: "bench.yaml", env }),
  log: openLog({ level: "warning", format: "text" }),
  env,
  provider: () => Promise.resolve({ accessKeyId: "AKIDBENCH", secretAccessKey: "bench" }),
});
startServer(gateway, { hostname: "127.0.0.1", port: Number(port) });
const { key } = await gateway.keys.create({ name: "bench" });
Deno.stdout.writeSync(new TextEncoder().encode(`${key}\n`));
