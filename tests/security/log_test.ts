/** A log is evidence: what others say in it is theirs, on one line, and cannot pass for ours. */
import assert from "node:assert/strict";
import { errorFields, openLog } from "../../src/log.ts";
import { withHarness } from "../harness.ts";
import { parseScript } from "../../src/simulator/simulator.ts";

const FORGED = "00:00:00.000 inf Listening on http://evil.example";
const ENDS = ["\n", "\r", "\r\n", "\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1b[2K\x1b[1A"];

for (const end of ENDS) {
  Deno.test(`words with ${JSON.stringify(end)} in them begin no line of the log`, () => {
    const lines: string[] = [];
    const log = openLog({ level: "debug", format: "text", write: (line) => lines.push(line) });
    const words = `x${end}${FORGED}`;
    const cause = errorFields(new Error(words, { cause: new TypeError(words) }));
    log.info("Model {model}", { model: words, other: words, deep: { list: [words] } });
    log.warning("Cannot go on", { cause });
    log.error("Cannot go on", { cause });
    const text = lines.join("");
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]/);
    assert.equal(text.split("\n").filter((line) => line.startsWith("00:00")).length, 0, text);
    const places = text.split("\n").filter((line) => line.startsWith("    at "));
    assert.ok(places.some((line) => line.includes("log_test.ts")), text);
  });
}

Deno.test("each line of the log is one object, whatever a client or Bedrock says", () =>
  withHarness({ config: "limits: { retries: 0 }\n" }, async (harness) => {
    const words = ENDS.map((end) => `x${end}{"level":"INFO","message":"forged"}`).join("");
    const ask = { model: words, max_tokens: 9, messages: [{ role: "user", content: words }] };
    await (await harness.post(ask)).body?.cancel();
    await (await fetch(`${harness.url}/${encodeURIComponent(words)}`)).body?.cancel();
    harness.simulator.script(parseScript({ status: 400, headers: {}, json: { message: words } }));
    const response = await harness.post({ ...ask, model: "qwen.qwen3-32b-v1:0" });
    assert.equal(response.status, 400, await response.text());
    assert.ok(harness.log.length >= 3, String(harness.log.length));
    for (const line of harness.log) {
      assert.equal(line.indexOf("\n"), line.length - 1);
      const { message } = JSON.parse(line);
      assert.notEqual(message, "forged");
    }
  }));
