/**
 * Whatever a client sends, on whichever route and to whichever family: Bedrock refuses none of it, and whole or
 * streamed the answer is the same. What the gateway itself refuses by name does not get there.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { foldEvents } from "../../src/anthropic/fold.ts";
import type { AnthropicEvent } from "../../src/anthropic/types.ts";
import { claudeFeatures } from "../../src/bedrock/native/features.ts";
import { signatureOf } from "../../src/simulator/plan.ts";
import { type Harness, parseSse, withHarness } from "../harness.ts";
import { checkAsyncProperty } from "../seed.ts";
import { type Asked, asked, withFourMarks } from "./converse/bodies.ts";

type Json = Record<string, unknown>;

/** Models that are shown no pictures: who shows them one is told so. */
const BLIND = /^(openai\.gpt-oss|deepseek|qwen|amazon\.titan|writer)/;

const betas = fc.subarray([
  "claude-code-20250219",
  "interleaved-thinking-2025-05-14",
  "context-management-2025-06-27",
  "advanced-tool-use-2025-11-20",
  "fine-grained-tool-streaming-2025-05-14",
  "nobody-knows-2030-01-01",
]);
const extras = fc.record({
  context_management: fc.constantFrom(undefined, { edits: [] }),
  service_tier: fc.constantFrom(undefined, "auto"),
  speed: fc.constantFrom(undefined, "fast"),
  cache_control: fc.constantFrom(undefined, { type: "ephemeral" }),
});
const toolExtras = fc.record({
  strict: fc.constantFrom(undefined, true),
  defer_loading: fc.constantFrom(undefined, true, false),
  eager_input_streaming: fc.constantFrom(undefined, true),
  input_examples: fc.constantFrom(undefined, [{}]),
});

/** What is refused rightly, in the client's own words, is left out of what it sends. */
function lawful(value: unknown, blind: boolean): unknown {
  if (Array.isArray(value)) {
    return value.filter((item) => !(blind && item?.type === "image")).map((item) =>
      lawful(item, blind)
    );
  }
  if (typeof value !== "object" || value === null) return value;
  const object = value as Json;
  const signed = object.type === "thinking" && object.signature === "c2ln"
    ? { ...object, signature: signatureOf(String(object.thinking)) }
    : object;
  return Object.fromEntries(
    Object.entries(signed).map(([name, inner]) => [name, lawful(inner, blind)]),
  );
}

function documentsOf(value: unknown): number {
  return JSON.stringify(value).split('"type":"document"').length - 1;
}

/** A body that the model may be sent. */
function bodyOf(
  { model, body }: Asked,
  native: boolean,
  { extras, ofTools }: { extras: Json; ofTools: Json },
): Json {
  const claude = model.startsWith("anthropic.");
  const { thinking, tool_choice, tools, ...rest } = body as Json & {
    thinking?: { type: string };
    tool_choice?: { type: string };
    tools?: Json[];
  };
  const { thinking: types, forcedTools } = claudeFeatures(model);
  const thinks = thinking !== undefined && (!claude || types.includes(thinking.type));
  const active = thinks && thinking.type !== "disabled";
  const chooses = !claude || (forcedTools && !active) || tool_choice?.type !== "any";
  if (native) {
    // Anthropic refuses these as well, and so they are passed on.
    const sampling = active ? ["temperature", "top_k", "top_p"] : ["top_p"];
    for (const name of sampling) delete rest[name];
  }
  const whole = lawful(
    {
      ...rest,
      ...extras,
      ...(tools === undefined ? {} : { tools: tools.map((tool) => ({ ...tool, ...ofTools })) }),
      ...(tool_choice !== undefined && chooses && tools !== undefined && tools.length > 0
        ? { tool_choice }
        : {}),
      ...(thinks ? { thinking, max_tokens: 32_000 } : {}),
    },
    BLIND.test(model),
  ) as Json;
  return withFourMarks(whole);
}

function present(value: Json): Json {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined));
}

interface Told {
  readonly status: number;
  readonly message: unknown;
  readonly error: string;
}

async function tell(harness: Harness, body: Json, headers: Record<string, string>): Promise<Told> {
  const response = await harness.post(body, headers);
  const text = await response.text();
  if (response.status !== 200) return { status: response.status, message: undefined, error: text };
  const events = body.stream === true ? parseSse(text).map(({ data }) => data) : [];
  const broken = events.some(({ type }) => (type as string) === "error");
  return {
    status: 200,
    message: body.stream === true ? foldEvents(events as AnthropicEvent[]) : JSON.parse(text),
    error: broken ? text : "",
  };
}

/** What an answer says, without what each answer has of its own. */
function saying(message: unknown): unknown {
  const { content, stop_reason } = message as { content: Json[]; stop_reason: string };
  return [content.map(({ id: _, ...block }) => block), stop_reason];
}

for (const route of ["invoke", "messages", "mantle", "converse"]) {
  Deno.test(`nothing that clients send is refused by Bedrock on ${route}, and whole is as streamed`, () =>
    withHarness({ config: `models: { claude_route: ${route} }\n` }, async (harness) => {
      const question = fc.record({ asked, betas, extras, toolExtras })
        .filter(({ asked: { model } }) => route === "converse" || model.startsWith("anthropic."))
        .filter(({ asked: { body } }) => documentsOf(body) <= 5);
      await checkAsyncProperty(
        fc.asyncProperty(question, async ({ asked, betas, extras, toolExtras }) => {
          harness.simulator.reset();
          const body = bodyOf(asked, route !== "converse", {
            extras: present(extras),
            ofTools: present(toolExtras),
          });
          const headers: Record<string, string> = betas.length === 0
            ? {}
            : { "anthropic-beta": betas.join() };
          const model = asked.model;
          const whole = await tell(harness, { ...body, model }, headers);
          const streamed = await tell(harness, { ...body, model, stream: true }, headers);
          assert.equal(streamed.status, whole.status, streamed.error);
          if (whole.status !== 200) {
            assert.equal(harness.simulator.requests.length, 0, whole.error);
            return;
          }
          assert.equal(streamed.error, "");
          // Twice asked, twice answered: nothing had to be learned.
          assert.equal(harness.simulator.requests.length, 2, harness.log.at(-1));
          assert.deepEqual(saying(streamed.message), saying(whole.message));
        }),
        120,
      );
    }));
}
