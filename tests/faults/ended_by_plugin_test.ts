/** A stream that a plugin ends: its client is told, and Bedrock's answer is not waited for. */
import assert from "node:assert/strict";
import { FakeClock } from "../fake_clock.ts";
import { parseSse, withHarness } from "../harness.ts";
import { pluginSource } from "../pipeline/plugins.ts";
import { settled } from "../wait.ts";

for (
  const [how, statement, type] of [
    ["refuses", 'ctx.reject("permission_error", "Not this")', "permission_error"],
    ["fails", 'throw new Error("The plugin is broken")', "api_error"],
  ] as const
) {
  Deno.test(`a stream whose plugin ${how} in its middle ends at Bedrock too`, async () => {
    const folder = await Deno.makeTempDir();
    const hook = `onEvent(event, ctx) { if (event.type === "content_block_delta") ${statement}; }`;
    await Deno.writeTextFile(
      `${folder}/ending.ts`,
      pluginSource("ending", `setup: () => ({ ${hook} })`),
    );
    const clock = new FakeClock(Date.now());
    const config = "plugins: [{ use: auth }, { use: ./ending.ts }]\n";
    try {
      await withHarness({ clock, config, base: folder }, async (harness) => {
        const before = clock.pending;
        const response = await harness.post({
          model: "claude-haiku-4-5",
          max_tokens: 50,
          stream: true,
          messages: [{ role: "user", content: "[[sim:stall-mid]]" }],
        });
        const last = parseSse(await response.text()).at(-1);
        assert.deepEqual([last?.event, last?.data.error?.type], ["error", type]);
        await settled(() => harness.simulator.open === 0);
        assert.ok(harness.simulator.requests[0]?.aborted);
        await settled(() => clock.pending === before);
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
