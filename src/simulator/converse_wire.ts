/**
 * A plan on Converse's wire.
 *
 * Source: Bedrock API reference, Converse and ConverseStream; recorded answers, with the members that are sent
 * and not declared.
 * @module
 */
import { type Conversation, countTokens, object } from "./conversation.ts";
import { type Plan, serialText, type Step } from "./plan.ts";
import { padding, type Random } from "./random.ts";

/** One event of a stream. */
export interface ConverseEvent {
  /** `:event-type`. */
  readonly type: string;
  /** Payload. */
  readonly payload: unknown;
}

function outputSize(step: Step): number {
  if (step.kind === "text") return step.parts.join("").length;
  return step.kind === "thinking" ? step.text.length : JSON.stringify(step.input).length;
}

/** Usage as Converse tells it: input is without what the cache gave or took. */
export function converseUsage(plan: Plan, conversation: Conversation): Record<string, unknown> {
  const inputTokens = countTokens(conversation.size);
  const outputTokens = countTokens(plan.steps.reduce((sum, step) => sum + outputSize(step), 0));
  const { read = 0, write = 0 } = plan.cache ?? {};
  return {
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens + read + write,
    cacheReadInputTokens: read,
    cacheWriteInputTokens: write,
    ...(write > 0 ? { cacheDetails: [{ ttl: "5m", inputTokens: write }] } : {}),
    cacheReadInputTokenCount: read,
    cacheWriteInputTokenCount: write,
    serverToolUsage: {},
  };
}

function toolUseId(plan: Plan, index: number): string {
  return `tooluse_sim${serialText(plan)}${String(index).padStart(14, "0")}`;
}

function block(plan: Plan, step: Step, index: number): unknown {
  switch (step.kind) {
    case "text":
      return { text: step.parts.join("") };
    case "thinking": {
      const { text, signature } = step;
      return {
        reasoningContent: {
          reasoningText: { text, ...(signature === undefined ? {} : { signature }) },
        },
      };
    }
    case "tool":
      return {
        toolUse: {
          toolUseId: toolUseId(plan, index),
          name: step.name,
          input: step.input,
          type: "tool_use",
        },
      };
  }
}

function extraFields(plan: Plan, conversation: Conversation): Record<string, unknown> {
  const wanted = conversation.body.additionalModelResponseFieldPaths;
  if (!Array.isArray(wanted)) return {};
  const stop_sequence = plan.stopSequence ?? null;
  const fields = wanted.includes("/stop_sequence")
    ? { stop_sequence }
    : { delta: { stop_sequence } };
  return { additionalModelResponseFields: fields };
}

function servedTier(conversation: Conversation): Record<string, unknown> {
  const { type } = object(conversation.body.serviceTier);
  return type === undefined ? {} : { serviceTier: { type } };
}

/** The answer of Converse. */
export function converseAnswer(plan: Plan, conversation: Conversation): unknown {
  return {
    metrics: { latencyMs: 12 },
    output: {
      message: {
        role: "assistant",
        content: plan.steps.map((step, index) => block(plan, step, index)),
      },
    },
    stopReason: plan.stopReason,
    usage: converseUsage(plan, conversation),
    ...extraFields(plan, conversation),
    ...servedTier(conversation),
  };
}

function stepEvents(plan: Plan, step: Step, index: number): ConverseEvent[] {
  const delta = (value: unknown): ConverseEvent => ({
    type: "contentBlockDelta",
    payload: { contentBlockIndex: index, delta: value },
  });
  const stop: ConverseEvent = { type: "contentBlockStop", payload: { contentBlockIndex: index } };
  switch (step.kind) {
    case "text": // no start event: the first delta opens the block
      return [...step.parts.map((text) => delta({ text })), stop];
    case "thinking": {
      const parts = [step.text.slice(0, 10), step.text.slice(10)].map((text) =>
        delta({ reasoningContent: { text } })
      );
      const signed = step.signature === undefined
        ? []
        : [delta({ reasoningContent: { signature: step.signature } })];
      return [...parts, ...signed, stop];
    }
    case "tool": {
      const start = { toolUse: { toolUseId: toolUseId(plan, index), name: step.name } };
      const json = JSON.stringify(step.input);
      const parts = step.deltas
        ? [json.slice(0, 7), json.slice(7)].filter((part) => part !== "")
        : [];
      return [
        { type: "contentBlockStart", payload: { contentBlockIndex: index, start } },
        ...parts.map((input) => delta({ toolUse: { input } })),
        stop,
      ];
    }
  }
}

/** The events of ConverseStream: usage comes last, indexes skip, every event is padded. */
export function converseEvents(
  plan: Plan,
  conversation: Conversation,
  random: Random,
): ConverseEvent[] {
  const events: ConverseEvent[] = [
    { type: "messageStart", payload: { role: "assistant" } },
    ...plan.steps.flatMap((step, index) => stepEvents(plan, step, 2 * index)),
    {
      type: "messageStop",
      payload: { stopReason: plan.stopReason, ...extraFields(plan, conversation) },
    },
    {
      type: "metadata",
      payload: {
        usage: converseUsage(plan, conversation),
        metrics: { latencyMs: 12 },
        ...servedTier(conversation),
      },
    },
  ];
  return events.map(({ type, payload }) => ({
    type,
    payload: { ...object(payload), p: padding(random) },
  }));
}
