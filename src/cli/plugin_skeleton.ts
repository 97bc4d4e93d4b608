/**
 * What `outcrop plugin new` writes: a plugin that does something an organisation would want, and its test.
 * @module
 */

const TYPES = {
  known: (contract: string) =>
    `import type { PluginFactory } from ${
      JSON.stringify(contract)
    }; // types only: gone at run time\n\n`,
  unknown: "// @ts-nocheck The contract's types are in the sources: src/pipeline/plugin.ts\n\n",
};

/**
 * Source of a plugin.
 *
 * @param contract Path of the contract's types from the file's folder; undefined where there is none
 */
export function pluginSkeleton(name: string, contract: string | undefined): string {
  const head = contract === undefined ? TYPES.unknown : TYPES.known(contract);
  const type = contract === undefined ? "" : ": PluginFactory";
  return `/**
 * \`${name}\`: every request must say for whom it is, in a header.
 *
 * Hooks: onRequest (before the body is read), onCall (the body is checked), onEvent (each event of the answer, as a
 * plain function), onComplete (once, at the end), close. Leave out those you do not need.
 */
${head}const plugin${type} = ({ define, z }) =>
  define({
    name: "${name}",
    // Settings under \`with:\` in config.yaml; strictObject makes a misspelled one an error at start.
    schema: z.strictObject({
      header: z.string().min(1).default("x-department").describe("Header that must be there."),
    }).prefault({}),
    requires: ["auth"],
    setup: ({ header }, host) => ({
      onRequest(ctx) {
        if (ctx.endpoint !== "messages" || ctx.headers.get(header)) return;
        return ctx.reject("permission_error", \`\${header}: send your department in this header\`);
      },
      onComplete(ctx) {
        host.log.info("Request of {department} ended", {
          department: ctx.headers.get(header) ?? "nobody",
          outcome: ctx.outcome,
          cost_usd: ctx.billed?.cost_usd ?? 0,
        });
      },
    }),
  });

export default plugin;
`;
}

/** Source of its test. */
export function testSkeleton(name: string): string {
  return `// @ts-nocheck What the gateway hands to hooks is played here by plain objects.
/** Run it with: npx -y deno@2.9.6 test --no-check --no-config ${name}_test.ts */
import assert from "node:assert/strict";
import { z } from "npm:zod@4.6.7";
import factory from "./${name}.ts";

const plugin = factory({ define: (definition) => definition, z });
const lines = [];
const host = { log: { info: (_message, fields) => lines.push(fields) } };

function contextOf(headers, more = {}) {
  return {
    endpoint: "messages",
    headers: new Headers(headers),
    reject(type, message) {
      throw new Error(\`\${type}: \${message}\`);
    },
    ...more,
  };
}

async function setUp(settings = {}) {
  return await plugin.setup(plugin.schema.parse(settings), host);
}

Deno.test("a request that says for whom it is goes on", async () => {
  const { onRequest } = await setUp();
  assert.equal(onRequest(contextOf({ "x-department": "legal" })), undefined);
});

Deno.test("one that does not is refused, and told what to send", async () => {
  const { onRequest } = await setUp({ header: "x-team" });
  assert.throws(() => onRequest(contextOf({})), /permission_error: x-team: send/);
  assert.equal(onRequest(contextOf({}, { endpoint: "models" })), undefined);
});

Deno.test("what it cost is told in the log", async () => {
  const { onComplete } = await setUp();
  onComplete(contextOf({ "x-department": "legal" }, { outcome: "ok", billed: { cost_usd: 0.5 } }));
  assert.deepEqual(lines, [{ department: "legal", outcome: "ok", cost_usd: 0.5 }]);
});

Deno.test("a misspelled setting is refused", () => {
  assert.throws(() => plugin.schema.parse({ heade: "x" }));
});
`;
}
