import assert from "node:assert/strict";
import { errorFields, openLog } from "../src/log.ts";

for (const format of ["text", "json"] as const) {
  Deno.test(`the log replaces secrets wherever they stand, and nothing else (${format})`, () => {
    const lines: string[] = [];
    const log = openLog({ level: "debug", format, write: (line) => lines.push(line) }).with({
      request: "req_1",
    });
    log.info("Key sk-oc-abcdefghij-canary1 was refused", {
      header: "Bearer canary2",
      deep: { list: ["sk-ant-canary3"] },
    });
    log.error("Failed", {
      cause: errorFields(
        new Error("Outer", {
          cause: new Error("Authorization: AWS4-HMAC-SHA256 …, Signature=canary4"),
        }),
      ),
      token: "ABSKcanary5canary5",
    });
    const text = lines.join("");
    for (const secret of ["canary1", "canary2", "canary3", "canary4", "canary5"]) {
      assert.ok(!text.includes(secret), secret);
    }
    assert.ok(text.includes("req_1") && text.includes("Outer") && text.includes("was refused"));
    log.warning("Set AWS_BEARER_TOKEN_BEDROCK, or the bearer of bad news");
    assert.ok(lines.at(-1)?.includes("AWS_BEARER_TOKEN_BEDROCK, or the"), lines.at(-1));
  });
}

Deno.test("the log leaves out what is below its level", () => {
  const lines: string[] = [];
  const log = openLog({ level: "warning", format: "text", write: (line) => lines.push(line) });
  log.debug("a");
  log.info("b");
  log.warning("c");
  log.error("d");
  assert.equal(lines.length, 2);
});

Deno.test("text tells an error as a line of its causes; where it was thrown only if it is grave", () => {
  const lines: string[] = [];
  const log = openLog({ level: "info", format: "text", write: (line) => lines.push(line) });
  const cause = errorFields(
    new TypeError("Outer fault", { cause: new RangeError("Inner fault") }),
  );
  log.warning("Cannot use {file}", { file: "a.yaml", cause });
  assert.match(
    lines[0] ?? "",
    /Cannot use a\.yaml cause=TypeError: Outer fault <- RangeError: Inner fault\n$/,
  );
  log.error("Cannot go on", { cause });
  assert.match(lines[1] ?? "", /RangeError: Inner fault\n.*log_test\.ts/s);
});

Deno.test("what a client says is one line of text, whatever is in it", () => {
  const lines: string[] = [];
  const log = openLog({ level: "info", format: "text", write: (line) => lines.push(line) });
  log.info("Model {model}", { model: "a\n00:00 err forged", other: "b\r\nforged" });
  assert.equal(lines.join("").split(/[\r\n]+/).filter((line) => line !== "").length, 1);
});
