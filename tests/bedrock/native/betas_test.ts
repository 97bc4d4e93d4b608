import assert from "node:assert/strict";
import { betaRules, filterBetas } from "../../../src/bedrock/native/betas.ts";

Deno.test("filterBetas() sends what the table knows, renames, and names what it drops with the fields that go along", () => {
  const betas = [
    "effort-2025-11-24",
    "advanced-tool-use-2025-11-20",
    "fast-mode-2026-02-01",
    "made-up",
  ];
  assert.deepEqual(filterBetas(betas, "invoke"), {
    send: ["effort-2025-11-24", "tool-search-tool-2025-10-19"],
    dropped: ["fast-mode-2026-02-01", "made-up"],
    fields: ["speed"],
  });
});

Deno.test("filterBetas() knows more on mantle", () => {
  const betas = ["claude-code-20250219", "structured-outputs-2025-11-13"];
  assert.deepEqual(filterBetas(betas, "mantle").send, betas);
  assert.deepEqual(filterBetas(betas, "invoke").dropped, betas);
});

Deno.test("filterBetas() lets the operator's rules win, the most specific first", () => {
  const rules = betaRules({
    "novel-*": "drop",
    "novel-good-*": "forward",
    "effort-*": "drop",
    old: "new",
    "*": "forward",
  });
  const { send, dropped } = filterBetas(
    ["novel-1", "novel-good-1", "effort-2025-11-24", "old", "anything"],
    "invoke",
    { rules },
  );
  assert.deepEqual(send, ["novel-good-1", "new", "anything"]);
  assert.deepEqual(dropped, ["novel-1", "effort-2025-11-24"]);
});

Deno.test("filterBetas() drops what the model was found to refuse, whatever the rules say", () => {
  const rules = betaRules({ "*": "forward" });
  const found = filterBetas(["context-management-2025-06-27", "x"], "invoke", {
    refused: ["context-management-2025-06-27"],
    rules,
  });
  assert.deepEqual(found, {
    send: ["x"],
    dropped: ["context-management-2025-06-27"],
    fields: ["context_management"],
  });
});
