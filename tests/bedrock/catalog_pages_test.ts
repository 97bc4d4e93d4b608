/** The account's profiles come in pages: all of them are read, and no application's own. */
import assert from "node:assert/strict";
import { Catalog } from "../../src/bedrock/catalog.ts";
import type { CatalogSnapshot } from "../../src/bedrock/catalog_read.ts";
import { openLog } from "../../src/log.ts";
import type { HttpAnswer } from "../../src/net/http_client.ts";
import { FakeClock } from "../fake_clock.ts";

function json(value: unknown): HttpAnswer {
  const chunks = [new TextEncoder().encode(JSON.stringify(value))];
  return {
    status: 200,
    header: () => null,
    body: { read: () => Promise.resolve(chunks.shift()), cancel: () => undefined },
  };
}

Deno.test("every page of profiles is read, each asked for by the token of the one before", async () => {
  const tokens: (string | null)[] = [];
  const snapshots: CatalogSnapshot[] = [];
  const catalog = new Catalog({
    region: "us-east-1",
    clock: new FakeClock(),
    log: openLog({ level: "debug", format: "json", write: () => undefined }),
    onChange: (snapshot) => snapshots.push(snapshot),
    sender: {
      send({ path }) {
        const { pathname, searchParams } = new URL(path, "http://bedrock");
        if (pathname === "/foundation-models") return Promise.resolve(json({ modelSummaries: [] }));
        assert.equal(pathname, "/inference-profiles");
        assert.equal(searchParams.get("typeEquals"), "SYSTEM_DEFINED");
        const token = searchParams.get("nextToken");
        tokens.push(token);
        const page = Number(token ?? 0);
        return Promise.resolve(json({
          inferenceProfileSummaries: [{ inferenceProfileId: `us.anthropic.claude-${page}` }],
          ...(page < 2 ? { nextToken: String(page + 1) } : {}),
        }));
      },
    },
  });
  await catalog.refresh(new AbortController().signal);
  assert.deepEqual(tokens, [null, "1", "2"]);
  assert.deepEqual([...snapshots[0]?.prefixes.keys() ?? []], [
    "anthropic.claude-0",
    "anthropic.claude-1",
    "anthropic.claude-2",
  ]);
});
