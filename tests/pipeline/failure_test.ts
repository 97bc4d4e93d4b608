/** What a plugin does wrong: the policy holds, the log names it, and no request passes that must not. */
import assert from "node:assert/strict";
import { FakeClock } from "../fake_clock.ts";
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

const BEFORE: Record<string, string> = {
  "onRequest throws": 'onRequest() { throw new Error("Secret inside"); }',
  "onRequest rejects": 'async onRequest() { throw new Error("Secret inside"); }',
  "onRequest throws no error": 'onRequest() { throw "Secret inside"; }',
  "onCall throws": 'onCall() { throw new Error("Secret inside"); }',
  "onCall returns nonsense": "onCall() { return { massage: 1 }; }",
  "onCall returns half a message": 'onCall() { return { message: { type: "message" } }; }',
  "onCall leaves an invalid body":
    'onCall(ctx) { ctx.body = { ...ctx.body, max_tokens: "many" }; }',
  "onCall leaves no model": "onCall(ctx) { ctx.model = 5; }",
};

for (const [what, hooks] of Object.entries(BEFORE)) {
  Deno.test(`closed: the request fails when ${what}, and only the log says why`, async () => {
    await withPlugins([bad(hooks)], async (harness) => {
      const response = await harness.post(ask());
      assert.equal(response.status, 500);
      const { error, request_id } = await response.json();
      assert.equal(error.type, "api_error");
      assert.ok(!/Secret|bad|onC|onR/.test(error.message), error.message);
      assert.equal(harness.simulator.requests.length, 0);
      const line = harness.log.find((text) => text.includes("failed in"));
      assert.ok(
        line?.includes('"plugin":"bad"') && line.includes(request_id) &&
          line.includes(what.split(" ")[0] ?? ""),
      );
    });
  });

  Deno.test(`open: the request goes on as it was when ${what}`, async () => {
    await withPlugins([bad(hooks, "on_error: continue")], async (harness) => {
      const response = await harness.post(ask());
      assert.equal(response.status, 200);
      await response.body?.cancel();
      const sent = JSON.parse(harness.simulator.requests[0]?.text ?? "{}");
      assert.equal(sent.max_tokens, 50);
      assert.ok(harness.log.some((text) => text.includes("failed in")));
    });
  });
}

const EVENT: Record<string, string> = {
  throws: 'onEvent(event) { if (event.delta?.text === "3 ") throw new Error("Secret inside"); }',
  "returns nonsense": 'onEvent(event) { if (event.delta?.text === "3 ") return 5; }',
  "changes the event in place":
    'onEvent(event) { if (event.delta?.text === "3 ") event.delta.text = "changed"; }',
  "returns a promise":
    'onEvent(event) { if (event.delta?.text === "3 ") return Promise.resolve(event); }',
};

for (const [what, hooks] of Object.entries(EVENT)) {
  Deno.test(`closed: a stream ends with an error event when onEvent ${what}`, async () => {
    await withPlugins([bad(hooks)], async (harness) => {
      const text = await (await harness.post(ask(true))).text();
      const events = parseSse(text);
      assert.equal(events.at(-1)?.event, "error");
      assert.ok(
        !text.includes("Secret") && !text.includes("message_stop") && !text.includes('"4 "'),
      );
    });
  });

  Deno.test(`open: a plugin whose onEvent ${what} is out, and the stream goes on`, async () => {
    await withPlugins([bad(hooks, "on_error: continue")], async (harness) => {
      const events = parseSse(await (await harness.post(ask(true))).text());
      assert.equal(events.map(({ data }) => data.delta?.text ?? "").join(""), "1 2 3 4 ");
      assert.equal(events.at(-1)?.event, "message_stop");
    });
  });
}

Deno.test("a failure in onEvent of an answer that does not stream is a 500", async () => {
  await withPlugins([bad('onEvent() { throw new Error("Secret inside"); }')], async (harness) => {
    const response = await harness.post(ask());
    assert.equal(response.status, 500);
    assert.ok(!(await response.text()).includes("Secret"));
  });
});

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

Deno.test("a failing onComplete changes nothing for the client", async () => {
  await withPlugins([bad('onComplete() { throw new Error("Too late"); }')], async (harness) => {
    assert.equal((await (await harness.post(ask())).json()).type, "message");
    await harness.gateway.services.background.settled();
    assert.ok(
      harness.log.some((text) => text.includes("failed in") && text.includes("onComplete")),
    );
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

Deno.test("a refusal after the first byte is an error event", async () => {
  const hooks =
    'onEvent(event, ctx) { if (event.delta?.text === "3 ") ctx.reject("permission_error", "Enough"); }';
  await withPlugins([bad(hooks)], async (harness) => {
    const events = parseSse(await (await harness.post(ask(true))).text());
    assert.deepEqual(events.at(-1)?.data.error, { type: "permission_error", message: "Enough" });
    const whole = await harness.post({
      ...ask(),
      messages: [{ role: "user", content: "[[sim:echo]] 3 " }],
    });
    await whole.body?.cancel();
  });
});

for (const hook of ["onRequest", "onCall"]) {
  Deno.test(`${hook} that hangs fails the request at its deadline`, async () => {
    const clock = new FakeClock();
    clock.advance(Date.now() - clock.now());
    const hooks =
      `async ${hook}(ctx) { globalThis.hangs?.(); await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve)); ctx.reject("permission_error", "Too late"); }`;
    await withPlugins([bad(hooks, "timeout_ms: 500")], async (harness) => {
      const hanging = new Promise<void>((resolve) => Object.assign(globalThis, { hangs: resolve }));
      const pending = harness.post(ask());
      await hanging;
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(499);
      clock.advance(1);
      const response = await pending;
      assert.equal(response.status, 500);
      assert.equal((await response.json()).error.type, "api_error");
      assert.ok(harness.log.some((text) => text.includes("must end within 500 ms")));
    }, { clock });
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
