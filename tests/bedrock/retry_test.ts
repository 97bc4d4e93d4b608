import assert from "node:assert/strict";
import { ApiError } from "../../src/anthropic/error.ts";
import { BedrockError } from "../../src/bedrock/errors.ts";
import { withRetries } from "../../src/bedrock/retry.ts";
import { FakeClock } from "../fake_clock.ts";

function failure(retryable: boolean): BedrockError {
  return new BedrockError("overloaded_error", "busy", {
    exception: "ServiceUnavailableException",
    retryable,
  });
}

function attempts(outcomes: (Error | string)[]) {
  const clock = new FakeClock();
  const waits: number[] = [];
  let made = 0;
  const run = (
    over: { retries?: number; signal?: AbortSignal; random?: () => number; until?: number } = {},
  ) =>
    withRetries(() => {
      const outcome = outcomes[made++];
      return outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve(outcome);
    }, {
      retries: over.retries ?? 2,
      until: over.until ?? 8_000,
      clock,
      signal: over.signal ?? new AbortController().signal,
      random: over.random ?? (() => 0.5),
      onRetry: (_, ms) => {
        waits.push(ms);
        queueMicrotask(() => clock.advance(ms));
      },
    });
  return { run, clock, waits, made: () => made };
}

Deno.test("withRetries() tries again, waiting twice as long with full jitter", async () => {
  const { run, waits, made } = attempts([failure(true), failure(true), "done"]);
  assert.equal(await run(), "done");
  assert.deepEqual([waits, made()], [[100, 200], 3]);
});

Deno.test("withRetries() gives the last failure when its tries are used up", async () => {
  const { run, made, clock } = attempts([failure(true), failure(true), failure(true), "never"]);
  await assert.rejects(run(), /busy/);
  assert.equal(made(), 3);
  assert.equal(clock.pending, 0);
});

Deno.test("withRetries() does not try again what another try cannot mend", async () => {
  for (
    const error of [
      failure(false),
      new ApiError("invalid_request_error", "no"),
      new TypeError("Bug"),
    ]
  ) {
    const { run, made } = attempts([error, "never"]);
    await assert.rejects(run(), error);
    assert.equal(made(), 1);
  }
});

Deno.test("withRetries() gives up rather than wait beyond its time", async () => {
  const { run, made } = attempts([failure(true), "never"]);
  await assert.rejects(run({ until: 50 }), /busy/);
  assert.equal(made(), 1);
});

Deno.test("withRetries() ends its waiting when the client leaves, and leaves no timer", async () => {
  const clock = new FakeClock();
  const gone = new AbortController();
  let made = 0;
  const pending = withRetries(() => {
    made++;
    return Promise.reject(failure(true));
  }, {
    retries: 2,
    until: 8_000,
    clock,
    signal: gone.signal,
    onRetry: () => queueMicrotask(() => gone.abort(new Error("The client left"))),
  });
  await assert.rejects(pending, /The client left/);
  assert.deepEqual([made, clock.pending], [1, 0]);
});
