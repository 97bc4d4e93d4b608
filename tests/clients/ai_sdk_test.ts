/**
 * Vercel's AI SDK through Outcrop: it checks every event against a schema of its own, and fails where one does not
 * fit. Whole and streamed, with tools, on both routes.
 */
import assert from "node:assert/strict";
import { createAnthropic } from "@ai-sdk/anthropic";
import {
  generateText,
  isStepCount,
  type LanguageModelUsage,
  type ModelMessage,
  Output,
  streamText,
  tool,
  type ToolSet,
} from "ai";
import { z } from "zod";
import { countTokens, ofAnthropic, ofConverse } from "../../src/simulator/conversation.ts";
import { type Harness, withHarness } from "../harness.ts";
import { bedrockRequests } from "./bedrock_side.ts";
import { CITED, citing } from "./citing.ts";

/** A model and a way to it. */
interface Lane {
  readonly route: "invoke" | "converse";
  readonly model: string;
  readonly config?: string;
}

const CLAUDE: readonly Lane[] = [
  { route: "invoke", model: "claude-opus-5-5" },
  { route: "converse", model: "claude-opus-5-5", config: "models: { claude_route: converse }\n" },
  { route: "converse", model: "claude-haiku-4-5", config: "models: { claude_route: converse }\n" },
];
const ALL: readonly Lane[] = [...CLAUDE, { route: "converse", model: "qwen.qwen3-32b-v1:0" }];

const tools = {
  weather: tool({
    description: "Weather",
    inputSchema: z.object({ city: z.string() }),
    execute: ({ city }) => `sunny in ${city}`,
  }),
};

/** Models that take a budget take no other thinking, and the newest take none. */
function thinkingOf({ model }: Lane): { anthropic: { thinking: Record<string, string | number> } } {
  const thinking = model === "claude-opus-5-5"
    ? { type: "adaptive" }
    : { type: "enabled", budgetTokens: 2_000 };
  return { anthropic: { thinking } };
}

/** What a question may have beside its text. */
interface Extras {
  readonly tools?: ToolSet;
  readonly thinks?: boolean;
  readonly messages?: ModelMessage[];
}

/** What came of a question, whole or streamed. */
interface Told {
  readonly text: string;
  readonly finishReason: string;
  /** Types of all content, step by step. */
  readonly content: readonly (readonly string[])[];
  readonly reasoning: readonly string[];
  readonly sources: readonly {
    readonly sourceType: string;
    readonly title?: string | undefined;
    readonly providerMetadata?: unknown;
  }[];
  readonly usage: LanguageModelUsage;
}

/** What a test has at hand. */
interface Scene {
  readonly lane: Lane;
  readonly harness: Harness;
  readonly model: ReturnType<ReturnType<typeof createAnthropic>>;
  readonly streamed: boolean;
  /** Asks, and fails if anything at all went wrong. */
  ask(prompt: string, extras?: Extras): Promise<Told>;
}

async function ask(
  { lane, model, streamed }: Omit<Scene, "ask">,
  prompt: string,
  { tools, thinks = false, messages }: Extras = {},
): Promise<Told> {
  const question = {
    model,
    maxRetries: 0,
    maxOutputTokens: 4_096,
    stopWhen: isStepCount(4),
    ...(messages === undefined ? { prompt } : { messages }),
    ...(tools === undefined ? {} : { tools }),
    ...(thinks ? { providerOptions: thinkingOf(lane) } : {}),
  };
  const errors: unknown[] = [];
  const result = streamed
    ? streamText({ ...question, onError: ({ error }) => void errors.push(error) })
    : await generateText(question);
  if ("stream" in result) {
    for await (const part of result.stream) if (part.type === "error") errors.push(part.error);
  }
  assert.deepEqual(errors, []);
  const steps = await result.steps;
  return {
    text: await result.text,
    finishReason: await result.finishReason,
    // Of streams the SDK tells by a custom part that they have begun.
    content: steps.map(({ content }) =>
      content.map(({ type }) => type).filter((type) => type !== "custom")
    ),
    reasoning: steps.flatMap(({ reasoning }) =>
      reasoning.map((part) => part.type === "reasoning" ? part.text : part.type)
    ),
    sources: steps.flatMap(({ sources }) => sources),
    usage: await result.totalUsage,
  };
}

/** A test for each lane, whole and streamed; no answer that the SDK gets may be a refusal. */
function test(what: string, lanes: readonly Lane[], run: (scene: Scene) => Promise<void>): void {
  for (const lane of lanes) {
    for (const streamed of [false, true]) {
      const how = `${lane.model} on ${lane.route}, ${streamed ? "streamed" : "whole"}`;
      Deno.test(`the AI SDK ${what}: ${how}`, () =>
        withHarness(lane.config === undefined ? {} : { config: lane.config }, async (harness) => {
          const statuses: number[] = [];
          const anthropic = createAnthropic({
            baseURL: `${harness.url}/v1`,
            apiKey: harness.key,
            async fetch(input, init) {
              const response = await fetch(input, init);
              statuses.push(response.status);
              return response;
            },
          });
          const scene = { lane, harness, model: anthropic(lane.model), streamed };
          await run({ ...scene, ask: (prompt, extras) => ask(scene, prompt, extras) });
          assert.ok(
            statuses.length > 0 && statuses.every((status) => status === 200),
            `${statuses}`,
          );
          const operation = `${lane.route}${
            !streamed ? "" : lane.route === "invoke" ? "-with-response-stream" : "-stream"
          }`;
          for (const { path } of bedrockRequests(harness)) {
            assert.ok(path.endsWith(`/${operation}`), path);
          }
        }));
    }
  }
}

/** Tokens that the simulator has said its input had, over all requests. */
function inputTokens(harness: Harness, { route }: Lane): number {
  return bedrockRequests(harness).map(({ text }) => JSON.parse(text))
    .map((body) => countTokens((route === "invoke" ? ofAnthropic : ofConverse)(body).size))
    .reduce((sum, tokens) => sum + tokens, 0);
}

test("reads text, and how much it cost", ALL, async ({ ask, harness, lane }) => {
  const { text, finishReason, content, usage } = await ask("[[sim:count 6]]");
  assert.equal(text, "1 2 3 4 5 6 ");
  assert.equal(finishReason, "stop");
  assert.deepEqual(content, [["text"]]);
  const input = inputTokens(harness, lane);
  assert.equal(usage.inputTokens, input);
  assert.equal(usage.outputTokens, 3);
  assert.equal(usage.totalTokens, input + 3);
});

test("reads what the cache gave and took", ALL, async ({ ask, harness, lane }) => {
  const { usage } = await ask("[[sim:cache]]");
  const input = inputTokens(harness, lane);
  assert.equal(usage.inputTokens, input + 1_000);
  const { noCacheTokens, cacheReadTokens, cacheWriteTokens } = usage.inputTokenDetails;
  assert.deepEqual([noCacheTokens, cacheReadTokens, cacheWriteTokens], [input, 900, 100]);
  assert.equal(usage.outputTokens, 4);
});

test("runs a tool", ALL, async ({ ask, harness, lane }) => {
  const { text, content, usage } = await ask("use the tool", { tools });
  assert.equal(text, "The tool said: sunny in Paris");
  assert.deepEqual(content, [["tool-call", "tool-result"], ["text"]]);
  const requests = bedrockRequests(harness);
  assert.equal(requests.length, 2);
  assert.deepEqual(requests[1]?.results, [{ text: "sunny in Paris", images: [] }]);
  assert.equal(usage.inputTokens, inputTokens(harness, lane));
  assert.equal(usage.outputTokens, 4 + 8); // {"city":"Paris"}, and the text
});

test("runs two tools at once", ALL, async ({ ask, harness }) => {
  const { text, content } = await ask("[[sim:parallel]]", { tools });
  assert.equal(text, "The tool said: sunny in Paris\nsunny in Paris");
  const [first = []] = content;
  assert.deepEqual([...first].sort(), [
    "text",
    "tool-call",
    "tool-call",
    "tool-result",
    "tool-result",
  ]);
  assert.equal(bedrockRequests(harness)[1]?.results.length, 2);
});

test("thinks, and replays it to who signed it", ALL, async ({ ask, harness, lane }) => {
  const { text, content, reasoning } = await ask("[[sim:think]] go", { tools, thinks: true });
  assert.equal(text, "The tool said: sunny in Paris");
  assert.deepEqual(content, [["reasoning", "tool-call", "tool-result"], ["text"]]);
  assert.deepEqual(reasoning, ["Let me think about this for a moment."]);
  const replayed = bedrockRequests(harness)[1]?.reasoning ?? [];
  // The simulator refuses reasoning whose signature is not its own for that very text.
  assert.deepEqual(
    replayed.map(({ text }) => text),
    lane.model.startsWith("claude-") ? ["Let me think about this for a moment."] : [],
  );
});

/** By behaviour: what the SDK says of how it ended. */
const ENDINGS = {
  mumble: "stop", // reasoning that nobody has signed
  "stop-max": "length",
  "stop-sequence": "stop",
  "stop-guardrail": "content-filter",
} as const;

for (const [behaviour, reason] of Object.entries(ENDINGS)) {
  test(`ends as the model does (${behaviour})`, ALL, async ({ ask }) => {
    const { finishReason, text } = await ask(`[[sim:${behaviour}]]`);
    assert.equal(finishReason, reason);
    assert.notEqual(text, "");
  });
}

test("calls a tool that takes nothing", ALL, async ({ ask }) => {
  const tools = {
    weather: tool({ inputSchema: z.object({}), execute: () => "sunny everywhere" }),
  };
  const { text } = await ask("[[sim:noinput]]", { tools });
  assert.equal(text, "The tool said: sunny everywhere");
});

test("gets an object of the shape it asks for", ALL, async (scene) => {
  const { harness, lane, model, streamed } = scene;
  const native = lane.model.startsWith("claude-"); // of others the SDK asks it as the input of a tool
  // Opus 5.5 takes a format over Converse; over invoke the gateway makes a tool of it.
  const byTool = native && lane.route === "invoke";
  const said = byTool
    ? '[[sim:tool structured_output {"city":"Paris"}]]'
    : '[[sim:echo]] {"city":"Paris"}';
  const question = {
    model,
    output: Output.object({ schema: z.object({ city: z.string() }) }),
    prompt: native ? said : "Which city?",
    maxRetries: 0,
    maxOutputTokens: 4_096,
  };
  const answer = streamed ? streamText(question) : await generateText(question);
  assert.deepEqual(await answer.output, { city: "Paris" });
  const [request] = bedrockRequests(harness);
  assert.equal(request?.text.includes('"json_schema"'), native && !byTool);
  assert.deepEqual(request?.tools, byTool ? ["structured_output"] : native ? [] : ["json"]);
});

test("is given citations", CLAUDE, async ({ ask, harness, lane, streamed }) => {
  harness.simulator.script(citing(lane.route, streamed));
  const { text, sources, usage } = await ask("", {
    messages: [{
      role: "user",
      content: [
        {
          type: "file",
          mediaType: "text/plain",
          data: new TextEncoder().encode(`${CITED} The sky is blue.`),
          filename: "nature.txt",
          providerOptions: { anthropic: { title: "Nature", citations: { enabled: true } } },
        },
        { type: "text", text: "What colour is the grass?" },
      ],
    }],
  });
  assert.equal(text, "It is green.");
  assert.equal(sources.length, 1);
  const [source] = sources;
  assert.deepEqual([source?.sourceType, source?.title], ["document", "Nature"]);
  assert.deepEqual(source?.providerMetadata, {
    anthropic: { citedText: CITED, startCharIndex: 0, endCharIndex: CITED.length },
  });
  assert.deepEqual([usage.inputTokens, usage.outputTokens], [1_234, 56]);
  assert.match(bedrockRequests(harness)[0]?.text ?? "", /"citations":\{"enabled":true\}/);
});
