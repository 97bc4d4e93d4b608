import assert from "node:assert/strict";
import { betaRules, betasOf, filterBetas } from "../../src/bedrock/betas.ts";

const OPUS = "anthropic.claude-opus-5-5";
const on = (route: "invoke" | "mantle" | "converse", baseId = OPUS) => ({ route, baseId });

Deno.test("filterBetas() sends what the table knows, renames, and names what it drops with the fields that go along", () => {
  const betas = [
    "effort-2025-11-24",
    "advanced-tool-use-2025-11-20",
    "fast-mode-2026-02-01",
    "made-up",
  ];
  assert.deepEqual(filterBetas(betas, on("invoke")), {
    send: ["effort-2025-11-24", "tool-search-tool-2025-10-19"],
    dropped: ["fast-mode-2026-02-01", "made-up"],
    fields: ["speed"],
    brought: [],
  });
});

Deno.test("filterBetas() knows more on mantle", () => {
  const betas = ["claude-code-20250219", "structured-outputs-2025-11-13"];
  assert.deepEqual(filterBetas(betas, on("mantle")).send, betas);
  assert.deepEqual(filterBetas(betas, on("invoke")).dropped, betas);
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
    on("invoke"),
    { rules },
  );
  assert.deepEqual(send, ["novel-good-1", "new", "anything"]);
  assert.deepEqual(dropped, ["novel-1", "effort-2025-11-24"]);
});

Deno.test("filterBetas() drops what the model was found to refuse, whatever the rules say", () => {
  const rules = betaRules({ "*": "forward" });
  const found = filterBetas(["context-management-2025-06-27", "x"], on("invoke"), {
    refused: ["context-management-2025-06-27"],
    rules,
  });
  assert.deepEqual(found, {
    send: ["x"],
    dropped: ["context-management-2025-06-27"],
    fields: ["context_management"],
    brought: [],
  });
});

Deno.test("filterBetas() takes a rule there only where it holds, by model and route, the first that does", () => {
  const rules = betaRules({
    "new-*": [
      { models: "*haiku*", action: "drop" },
      { routes: ["mantle", "converse"], action: "newer" },
      { action: "forward" },
    ],
    "effort-*": [{ models: "*haiku*", routes: ["mantle"], action: "drop" }],
  });
  const betas = ["new-1", "effort-2025-11-24"];
  const haiku = "anthropic.claude-haiku-5-5";
  const sent = (place: Parameters<typeof filterBetas>[1]) =>
    filterBetas(betas, place, { rules }).send;
  assert.deepEqual(sent(on("invoke")), ["new-1", "effort-2025-11-24"]);
  assert.deepEqual(sent(on("converse")), ["newer", "effort-2025-11-24"]);
  assert.deepEqual(sent(on("invoke", haiku)), ["effort-2025-11-24"]);
  assert.deepEqual(sent(on("mantle", haiku)), []);
});

Deno.test("filterBetas() sends no beta to another family, whatever the rules say", () => {
  const rules = betaRules({ "*": "forward" });
  const { send, dropped } = filterBetas(["x"], on("converse", "qwen.qwen3-32b-v1:0"), { rules });
  assert.deepEqual([send, dropped], [[], ["x"]]);
});

Deno.test("betasOf() drops the beta of a field that was refused, unless something else needs it", () => {
  const betas = ["context-management-2025-06-27", "effort-2025-11-24"];
  const decisions = { refusedFields: ["context_management"] };
  const body = { model: "m", max_tokens: 1, messages: [] };
  assert.deepEqual(betasOf(body, betas, on("invoke"), decisions).send, ["effort-2025-11-24"]);
  const memory = { ...body, tools: [{ type: "memory_20250818", name: "memory" }] };
  assert.deepEqual(betasOf(memory, betas, on("invoke"), decisions).send, betas);
});

for (
  const [beta, field] of [
    ["fast-mode-2026-02-01", "speed"],
    ["cache-diagnosis-2026-04-07", "diagnostics"],
    ["server-side-fallback-2026-07-01", "fallbacks"],
    ["compact-2026-09-04", "compaction"],
    ["context-management-2025-06-27", "context_management"],
    ["dangerous-tool-use-2026-09-03", "safeguards"],
  ] as const
) {
  Deno.test(`filterBetas() sends ${beta} with ${field}, or neither`, () => {
    const ruled = (action: string) =>
      filterBetas([beta], on("invoke"), { rules: betaRules({ [beta]: action }) });
    assert.deepEqual(ruled("drop"), { send: [], dropped: [beta], fields: [field], brought: [] });
    assert.deepEqual(ruled("forward"), { send: [beta], dropped: [], fields: [], brought: [field] });
  });
}

Deno.test("filterBetas() sends no beta whose name would be more than one in a header", () => {
  const names = [
    "structured-outputs-\r\nx-evil: 1",
    "structured-outputs-1,made-up",
    `structured-outputs-${"x".repeat(200)}`,
  ];
  const { send, dropped } = filterBetas(names, on("mantle"), {
    rules: betaRules({ "*": "forward" }),
  });
  assert.deepEqual([send, dropped], [[], names]);
});
