/** What a plugin does wrong, or refuses, when the client has read a part of the answer. */
import assert from "node:assert/strict";
import { FakeClock } from "../fake_clock.ts";
import { type Harness, parseSse, type SseEvent } from "../harness.ts";
import { settled } from "../wait.ts";
import { FAULTS, midway } from "./fault_matrix.ts";
import { withPlugins } from "./plugins.ts";

const SENTENCE = "One word at a time, and no faster than that.";

/** Reads an answer of which Bedrock says the next event when the client has read the one before. */
async function readSlowly(harness: Harness, bedrock: FakeClock): Promise<SseEvent[]> {
  const { key } = await harness.gateway.keys.create({ name: "ann", models: ["claude-*"] });
  harness.secrets.add(key);
  const response = await harness.post({
    model: "claude-haiku-4-5",
    max_tokens: 50,
    stream: true,
    messages: [{ role: "user", content: "[[sim:slow 1000]]" }],
  }, { "x-api-key": key });
  assert.equal(response.status, 200);
  let text = "";
  for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += part;
    await settled(() => bedrock.pending > 0 || /event: (error|message_stop)/.test(text));
    bedrock.advance(1_000);
  }
  await harness.gateway.services.background.settled();
  return parseSse(text);
}

function textOf(events: readonly SseEvent[]): string {
  return events.map(({ data }) => data.delta?.text ?? "").join("");
}

/** Runs `test` on what the client read of an answer behind a plugin. */
async function reading(
  { source, policy }: { source: string; policy: string },
  test: (events: readonly SseEvent[], harness: Harness) => void,
): Promise<void> {
  const bedrock = new FakeClock(Date.now());
  const bad = {
    name: "bad",
    definition: `setup: () => ({ ${source} })`,
    entry: `on_error: ${policy}`,
  };
  await withPlugins([bad], async (harness) => {
    test(await readSlowly(harness, bedrock), harness);
  }, { simulatorClock: bedrock });
}

function checkCut(events: readonly SseEvent[]): void {
  const read = textOf(events);
  assert.ok(read.startsWith("One") && SENTENCE.startsWith(read) && !read.includes("time"), read);
  assert.equal(events.at(-1)?.event, "error");
  assert.ok(!events.some(({ event }) => event === "message_stop"));
}

function linesOf(harness: Harness, words: string): readonly string[] {
  return harness.log.filter((line) => line.includes('"plugin":"bad"') && line.includes(words));
}

for (const { fault, source, cause } of FAULTS.filter(({ hook }) => hook === "onEvent")) {
  Deno.test(`onEvent ${fault} when the client has read a part: closed ends in an error event, open reads on`, async () => {
    await reading({ source, policy: "reject" }, (events, harness) => {
      checkCut(events);
      assert.equal(events.at(-1)?.data.error?.type, "api_error");
      assert.ok(!JSON.stringify(events).includes("Secret"));
      const [line = "", ...more] = linesOf(harness, "the request fails");
      assert.match(line, cause);
      assert.equal(more.length, 0);
    });
    await reading({ source, policy: "continue" }, (events, harness) => {
      assert.equal(textOf(events), SENTENCE);
      assert.equal(events.at(-1)?.event, "message_stop");
      assert.equal(linesOf(harness, "the request goes on").length, 1);
    });
  });
}

for (const policy of ["reject", "continue"]) {
  Deno.test(`a refusal when the client has read a part is an error event in the plugin's words, and the log names it (on_error: ${policy})`, () => {
    const source = midway('ctx.reject("permission_error", "Enough");');
    return reading({ source, policy }, (events, harness) => {
      checkCut(events);
      assert.deepEqual(events.at(-1)?.data.error, { type: "permission_error", message: "Enough" });
      const [line = "", ...more] = linesOf(harness, "Request refused");
      assert.ok(line.includes('"request":"req_') && line.includes('"fault":"policy"'), line);
      assert.equal(more.length, 0);
    });
  });

  Deno.test(`a refusal in onEvent of an answer that does not stream is an error of its kind (on_error: ${policy})`, async () => {
    const source = midway('ctx.reject("permission_error", "Enough");');
    const definition = `setup: () => ({ ${source} })`;
    await withPlugins(
      [{ name: "bad", definition, entry: `on_error: ${policy}` }],
      async (harness) => {
        const response = await harness.post({
          model: "claude-haiku-4-5",
          max_tokens: 50,
          messages: [{ role: "user", content: "[[sim:count 4]]" }],
        });
        assert.equal(response.status, 403);
        assert.equal((await response.json()).error.message, "Enough");
        assert.equal(linesOf(harness, "Request refused").length, 1);
      },
    );
  });
}
