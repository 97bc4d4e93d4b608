/** What a plugin does wrong: the policy holds, the log names it, and no request passes that must not. */
import assert from "node:assert/strict";
import { parseSse } from "../harness.ts";
import { seen, type TestPlugin, withPlugins } from "./plugins.ts";

const CLAUDE = "claude-haiku-4-5";

function ask(stream: boolean = false) {
  return {
    model: CLAUDE,
    max_tokens: 50,
    stream,
    messages: [{ role: "user", content: "[[sim:count 4]]" }],
  };
}

function bad(hooks: string, entry?: string): TestPlugin {
  return {
    name: "bad",
    definition: `setup: () => ({ ${hooks} })`,
    ...(entry === undefined ? {} : { entry }),
  };
}

Deno.test("what onComplete is told cannot be changed for the plugins beside it", async () => {
  const spoil: TestPlugin = {
    name: "spoil",
    definition: `setup: () => ({
      onComplete(ctx) { try { ctx.usage.output_tokens = 0; } finally { ctx.billed.nano_usd = 0; } },
    })`,
  };
  const witness: TestPlugin = {
    name: "witness",
    definition: `setup: () => ({
      async onComplete(ctx) {
        await Promise.resolve();
        seen.push(ctx.usage.output_tokens > 0 && ctx.billed.nano_usd > 0);
      },
    })`,
  };
  seen.length = 0;
  await withPlugins([spoil, witness], async (harness) => {
    await (await harness.post(ask())).text();
    await harness.gateway.services.background.settled();
    assert.deepEqual(seen, [true]);
    assert.ok(harness.log.some((line) => /"plugin":"spoil".*failed in/.test(line)));
  });
});

const REFUSALS: Record<string, string> = {
  "without return": 'onRequest(ctx) { ctx.reject("permission_error", "Not today"); }',
  "inside a try that swallows it":
    'onRequest(ctx) { try { ctx.reject("permission_error", "Not today"); } catch (error) { void error; } }',
  "inside an async try that swallows it":
    'async onRequest(ctx) { try { await null; ctx.reject("permission_error", "Not today"); } catch (error) { void error; } }',
  "in onCall": 'onCall(ctx) { return ctx.reject("permission_error", "Not today"); }',
  "and then replies":
    'onCall(ctx) { try { ctx.reject("permission_error", "Not today"); } catch { return { message: {} }; } }',
};

for (const [how, hooks] of Object.entries(REFUSALS)) {
  for (const entry of [undefined, "on_error: continue"]) {
    Deno.test(`a refusal holds ${how} (${entry ?? "on_error: reject"})`, async () => {
      await withPlugins([bad(hooks, entry)], async (harness) => {
        const response = await harness.post(ask());
        assert.equal(response.status, 403);
        assert.deepEqual((await response.json()).error, {
          type: "permission_error",
          message: "Not today",
        });
        assert.equal(harness.simulator.requests.length, 0);
      });
    });
  }
}

Deno.test("a refusal for now says when to come again, even if the plugin does not", async () => {
  const hooks = 'onRequest(ctx) { return ctx.reject("rate_limit_error", "Slow down"); }';
  await withPlugins([bad(hooks)], async (harness) => {
    const response = await harness.post(ask());
    assert.deepEqual([response.status, response.headers.get("retry-after")], [429, "5"]);
    await response.body?.cancel();
  });
});

for (const hook of ["onRequest", "onCall"]) {
  Deno.test(`a refusal of ${hook} that comes after it has ended, and after the first byte, changes nothing but the log`, async () => {
    const hooks = `
      ${hook}(ctx) { this.refuse = () => ctx.reject("permission_error", "Too late"); },
      onEvent(event) { if (event.delta?.text === "3 ") try { this.refuse(); } catch { return; } }`;
    await withPlugins([bad(hooks)], async (harness) => {
      const events = parseSse(await (await harness.post(ask(true))).text());
      assert.equal(events.map(({ data }) => data.delta?.text ?? "").join(""), "1 2 3 4 ");
      const told = harness.log.filter((line) => line.includes("after it had ended"));
      assert.equal(told.length, 1);
      assert.ok(told[0]?.includes('"plugin":"bad"') && told[0].includes(`"hook":"${hook}"`));
    });
  });
}

Deno.test("a client that leaves ends a hook that waits", async () => {
  const hooks =
    'async onCall(ctx) { globalThis.hangs?.(); await new Promise((resolve) => ctx.signal.addEventListener("abort", () => { globalThis.ended?.(); resolve(); })); }';
  await withPlugins([bad(hooks, "timeout_ms: 600000")], async (harness) => {
    const hanging = new Promise<void>((resolve) => Object.assign(globalThis, { hangs: resolve }));
    const ended = new Promise<void>((resolve) => Object.assign(globalThis, { ended: resolve }));
    const gone = new AbortController();
    const pending = assert.rejects(fetch(`${harness.url}/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": harness.key },
      body: JSON.stringify(ask()),
      signal: gone.signal,
    }));
    await hanging;
    gone.abort();
    await ended;
    await pending;
    assert.equal(harness.simulator.requests.length, 0);
  });
});
