import assert from "node:assert/strict";
import fc from "fast-check";
import { StopWatcher } from "../../../src/bedrock/converse/stop_sequences.ts";
import { checkProperty } from "../../seed.ts";

/** The answer by the whole text at once: cut where the first sequence is whole. */
function naive(
  text: string,
  sequences: readonly string[],
): { text: string; matched: string | undefined } {
  for (let end = 0; end <= text.length; end++) {
    const met = sequences.filter((sequence) =>
      sequence !== "" && text.slice(0, end).endsWith(sequence)
    )
      .sort((a, b) => b.length - a.length)[0];
    if (met !== undefined) return { text: text.slice(0, end - met.length), matched: met };
  }
  return { text, matched: undefined };
}

const letters = fc.string({ unit: fc.constantFrom("a", "b", "<"), maxLength: 14 });

Deno.test("StopWatcher cuts streamed text as it would cut the whole, over any split", () => {
  checkProperty(
    fc.property(
      fc.array(letters, { maxLength: 8 }),
      fc.array(fc.string({ unit: fc.constantFrom("a", "b", "<"), minLength: 1, maxLength: 4 }), {
        minLength: 1,
        maxLength: 3,
      }),
      (parts, sequences) => {
        const watcher = new StopWatcher(sequences);
        let text = "";
        for (const part of parts) text += watcher.push(part).text;
        text += watcher.flush();
        assert.deepEqual({ text, matched: watcher.matched }, naive(parts.join(""), sequences));
      },
    ),
    2_000,
  );
});

Deno.test("StopWatcher holds text back only while a sequence could begin in it", () => {
  const watcher = new StopWatcher(["</block>"]);
  assert.equal(watcher.push("a < b").text, "a < b");
  assert.equal(watcher.push("c<").text, "c");
  assert.equal(watcher.push("/b").text, "");
  assert.equal(watcher.push("r").text, "</br");
  assert.equal(watcher.flush(), "");
});

Deno.test("StopWatcher lets nothing out behind a match", () => {
  const watcher = new StopWatcher(["END"]);
  assert.deepEqual(watcher.push("xENDy"), { text: "x", matched: "END" });
  assert.deepEqual(watcher.push("z"), { text: "", matched: "END" });
  assert.equal(watcher.flush(), "");
});
