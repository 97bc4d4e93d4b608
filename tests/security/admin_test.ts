/** There is nothing to administer over HTTP: keys and records are the CLI's, on the machine that has the store. */
import assert from "node:assert/strict";
import { withHarness } from "../harness.ts";

const MASTER = "master-key-of-the-admin-tests";
const CONFIG = `plugins: [ { use: auth, with: { master_key: ${MASTER} } }, { use: usage } ]\n`;

/** What gateways of other makes serve their operators at, and what frameworks leave open. */
const PATHS = [
  ...["/admin", "/admin/keys", "/keys", "/key/generate", "/v1/keys", "/v1/organizations/api_keys"],
  ...["/usage", "/v1/usage", "/spend", "/config", "/v1/config", "/reload", "/shutdown", "/plugins"],
  ...["/debug", "/debug/pprof", "/env", "/logs", "/store", "/docs", "/openapi.json", "/.env"],
  ...["/config.yaml", "/../config.yaml", "/%2e%2e/config.yaml", "/src/main.ts", "/outcrop.db"],
  ...["/simulator", "/model/x/invoke", "/v1/complete"],
];

for (const who of ["nobody", "a key", "the master key"]) {
  Deno.test(`${who} finds nothing to administer`, () =>
    withHarness({ config: CONFIG }, async ({ url, key, simulator }) => {
      const shown = { nobody: "", "a key": key, "the master key": MASTER }[who] ?? "";
      for (const path of PATHS) {
        for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH"]) {
          const headers: Record<string, string> = shown === "" ? {} : { "x-api-key": shown };
          const response = await fetch(url + path, { method, headers });
          assert.equal(response.status, 404, `${method} ${path}: ${await response.text()}`);
        }
      }
      assert.equal(simulator.requests.length, 0);
    }));
}

const OPEN = ["GET /", "HEAD /", "GET /health", "GET /ready", "POST /api/event_logging/batch"];

Deno.test("what is served without a key tells nothing of keys, models, configuration or machine", () =>
  withHarness({ config: CONFIG }, async ({ url, key, gateway }) => {
    const [record] = await Array.fromAsync(gateway.keys.list());
    for (const line of OPEN) {
      const [method = "", path = ""] = line.split(" ");
      const response = await fetch(url + path, { method });
      assert.ok(response.ok, line);
      const told = await response.text() + JSON.stringify([...response.headers]);
      for (const secret of [key, MASTER, record?.id ?? "", "us-east-1", Deno.cwd(), "memory"]) {
        assert.ok(secret !== "" && !told.includes(secret), `${line} tells ${secret}: ${told}`);
      }
    }
  }));

Deno.test("a header of an override or a proxy opens nothing", () =>
  withHarness({ config: CONFIG }, async ({ url, key }) => {
    const tricks: Record<string, string>[] = [
      { "x-original-url": "/metrics", "x-rewrite-url": "/metrics" },
      { "x-http-method-override": "GET" },
      { "x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1", forwarded: "for=127.0.0.1" },
      { "x-outcrop-principal": "master", "x-principal": "master", "x-user": "master" },
    ];
    for (const trick of tricks) {
      const headers = { ...trick, "x-api-key": key };
      const response = await fetch(`${url}/metrics`, { headers });
      assert.equal(response.status, 403, await response.text());
      const none = await fetch(`${url}/v1/models`, { headers: trick });
      assert.equal(none.status, 401, await none.text());
    }
  }));
